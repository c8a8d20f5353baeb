package takeover

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/blake2b"

	"github.com/openlectern/lectern/db"
)

// rememberDependencies fills what 0009 of oel_publishing made: what each version of a container depends on, each draft's
// last record, and the digests of the states that containers are in (content-migrations.md §1.3.2).
func rememberDependencies(p *planner) {
	p.renumber(oldP + "publishableentityversiondependency")
	dep, draft, rec := p.q(oldP+"publishableentityversiondependency"), p.q(oldP+"draft"), p.q(oldP+"draftchangelogrecord")
	p.change(oldP+"publishableentityversiondependency", fmt.Sprintf("INSERT INTO %s (referring_version_id, referenced_entity_id) "+
		"SELECT v.publishable_entity_version_id, r.entity_id FROM %s v JOIN %s r ON r.entity_list_id = v.entity_list_id JOIN %s e ON e.id = r.entity_id "+
		"WHERE NOT EXISTS (SELECT 1 FROM %s d WHERE d.referring_version_id = v.publishable_entity_version_id AND d.referenced_entity_id = r.entity_id) "+
		"GROUP BY v.publishable_entity_version_id, r.entity_id ORDER BY v.publishable_entity_version_id, MIN(r.order_num)", dep, p.q(oldP+"containerversion"), p.q(oldP+"entitylistrow"), p.q(oldP+"publishableentity"), dep))
	p.change(oldP+"draft", fmt.Sprintf("UPDATE %s SET draft_log_record_id = (SELECT MAX(r.id) FROM %s r WHERE r.entity_id = %s.entity_id)", draft, rec, draft))
	for _, b := range []branch{
		{oldP + "draft", "draft_log_record_id", oldP + "draftchangelogrecord", "draft_change_log_id"},
		{oldP + "published", "publish_log_record_id", oldP + "publishlogrecord", "publish_log_id"},
	} {
		p.fillIn(b.records, fmt.Sprintf("UPDATE %s SET dependencies_hash_digest = ? WHERE id = ? -- each record that a container's state came with",
			p.q(b.records)), func(ctx context.Context, tx *db.Tx) error {
			packages, err := db.All(ctx, tx, "SELECT id FROM oel_publishing_learningpackage ORDER BY id", nil, db.Value[int64])
			for _, id := range packages {
				if err == nil {
					err = b.digest(ctx, tx, id)
				}
			}
			return err
		})
	}
}

// branch names the tables of drafts, or of what is published.
type branch struct {
	pointers, record string // the table, and its column that refers to
	records, log     string // this one, and its column that refers to the log
}

// state is what an entity points at.
type state struct{ version, record int64 }

// digest writes the digests of a package: to every record of a log that brought a container to where it is.
func (b branch) digest(ctx context.Context, tx *db.Tx, id int64) error {
	logs := fmt.Sprintf(`SELECT r.%s FROM %s d JOIN oel_publishing_container c ON c.publishable_entity_id = d.entity_id
JOIN oel_publishing_publishableentity e ON e.id = d.entity_id JOIN %s r ON r.id = d.%s WHERE e.learning_package_id = ? AND d.version_id IS NOT NULL`,
		b.log, b.pointers, b.records, b.record)
	g := graph{now: map[int64]state{}, needs: map[int64][]int64{}, memo: map[int64]string{}}
	err := tx.Query(ctx, fmt.Sprintf(`SELECT d.entity_id, r.id, r.new_version_id FROM %s d JOIN oel_publishing_publishableentity e ON e.id = d.entity_id
JOIN %s r ON r.id = d.%s WHERE e.learning_package_id = ? AND d.version_id IS NOT NULL AND r.new_version_id IS NOT NULL`, b.pointers, b.records, b.record),
		[]any{id}, func(r *db.Row) error {
			var entity int64
			var s state
			if err := r.Scan(&entity, &s.record, &s.version); err != nil {
				return err
			}
			g.now[entity] = s
			return nil
		})
	if err != nil {
		return err
	}
	err = tx.Query(ctx, `SELECT d.referring_version_id, d.referenced_entity_id FROM oel_publishing_publishableentityversiondependency d
JOIN oel_publishing_publishableentityversion v ON v.id = d.referring_version_id JOIN oel_publishing_publishableentity e ON e.id = v.entity_id
WHERE e.learning_package_id = ?`, []any{id}, func(r *db.Row) error {
		var version, entity int64
		if err := r.Scan(&version, &entity); err != nil {
			return err
		}
		g.needs[version] = append(g.needs[version], entity)
		return nil
	})
	if err != nil {
		return err
	}
	var records []state
	err = tx.Query(ctx, fmt.Sprintf("SELECT r.id, r.new_version_id FROM %s r WHERE r.new_version_id IS NOT NULL AND r.%s IN (%s) ORDER BY r.id",
		b.records, b.log, logs), []any{id}, func(r *db.Row) error {
		var s state
		if err := r.Scan(&s.record, &s.version); err != nil {
			return err
		}
		if g.digest(s.version) != "" {
			records = append(records, s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return tx.UpdateRows(ctx, b.records, "id", []string{"dependencies_hash_digest"}, len(records), func(i int, v []any) {
		v[0], v[1] = records[i].record, g.memo[records[i].version]
	})
}

// graph is what the digests of one package are computed from.
type graph struct {
	now   map[int64]state   // by entity
	needs map[int64][]int64 // by version, the entities it depends on
	memo  map[int64]string  // by version
}

// digest returns the digest of a version's dependencies as they are now; "" where it has none.
func (g *graph) digest(version int64) string {
	if d, known := g.memo[version]; known {
		return d
	}
	g.memo[version] = "" // a cycle, which no law allows, ends here
	var live []int64
	for _, entity := range g.needs[version] {
		if s, ok := g.now[entity]; ok {
			live = append(live, s.version)
		}
	}
	if len(live) == 0 {
		return ""
	}
	slices.Sort(live)
	lines := make([]string, len(live))
	for i, v := range live {
		lines[i] = strconv.FormatInt(v, 10) + ":" + g.digest(v)
	}
	h, err := blake2b.New(4, nil)
	if err != nil {
		panic(err) // the size is right
	}
	h.Write([]byte(strings.Join(lines, "\n")))
	g.memo[version] = hex.EncodeToString(h.Sum(nil))
	return g.memo[version]
}
