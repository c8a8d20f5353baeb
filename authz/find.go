package authz

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// row is a rule as the database has it, with what its extended row says.
type row struct {
	id   int64
	rule rule
	ext  *extended // nil where it has none of its key
}

// extended is a row of openedx_authz_extendedcasbinrule.
type extended struct {
	id          int64
	description *string
	metadata    *string
	scope       *int64
	subject     *int64
	created     time.Time
}

const (
	ruleTable     = "casbin_rule"
	extendedTable = "openedx_authz_extendedcasbinrule"
)

// present is what the database has of the rules that were asked for.
type present struct {
	rows   map[rule][]row // all rows equal to a rule
	taken  map[rule]bool  // rules that are not there, but whose key is another rule's: it differs by case, or was changed by hand
	folded map[rule]rule  // of those the ones that differ by case or accents, and from which
	loose  []int64        // every rule in the table without an extended row of its key
}

// find looks rules up. casbin_rule has no index, so it goes by the keys of their extended rows. Rules that have no such
// row (made by hand, by an old release, or by two processes at the same time) are known by their ids since somebody
// last read the whole table; a version that is not ours makes it read once more. It runs under [lock], at version.
func find(ctx context.Context, tx *db.Tx, version uuid.UUID, rules []rule) (*present, error) {
	p := &present{rows: map[rule][]row{}, taken: map[rule]bool{}, folded: map[rule]rule{}}
	wanted := make(map[rule]bool, len(rules))
	texts := make([]string, 0, len(rules))
	byKey := make(map[string]rule, len(rules))
	for _, r := range rules {
		if !wanted[r] {
			wanted[r], byKey[r.key()] = true, r
			texts = append(texts, r.key())
		}
	}
	others := map[string][]rule{} // rules under a key that is no rule's of these, by the key's folded text
	note := func(q *db.Row) error {
		var key, ptype string
		var w row
		var e extended
		if err := q.Scan(&key, &w.id, &ptype, &w.rule.subject, &w.rule.role, &w.rule.scope, &e.id, &e.description, &e.metadata, &e.scope, &e.subject, &e.created); err != nil {
			return err
		}
		switch r, asked := byKey[key]; {
		case asked && ptype == "g" && w.rule == r:
			w.ext = &e
			p.rows[r] = []row{w}           // not appended: lists of keys may overlap
			if tx.Engine().MySQLFamily() { // one that differs by case may be asked for as well
				others[fold(tx, key)] = append(others[fold(tx, key)], w.rule)
			}
		case asked:
			p.taken[r] = true
		default:
			others[fold(tx, key)] = append(others[fold(tx, key)], w.rule)
		}
		return nil
	}
	if err := eachKept(ctx, tx, texts, note); err != nil {
		return nil, err
	}
	if len(others) > 0 {
		for _, r := range rules {
			if o := others[fold(tx, r.key())]; len(o) > 0 && len(p.rows[r]) == 0 {
				p.taken[r], p.folded[r] = true, o[0]
			}
		}
	}
	var err error
	p.loose, err = eachLoose(ctx, tx, version, func(w row) {
		if wanted[w.rule] {
			p.rows[w.rule] = append(p.rows[w.rule], w)
		}
	})
	return p, err
}

// eachKept calls fn for the rules whose extended row has one of the keys, and for others besides where there are hardly more
// than those: from many keys on a server takes longer to look each up than to read the table.
func eachKept(ctx context.Context, tx *db.Tx, texts []string, fn func(*db.Row) error) error {
	const many = 2000
	const query = "SELECT e.casbin_rule_key, r.id, r.ptype, r.v0, r.v1, r.v2, e.id, e.description, e.metadata, e.scope_id, e.subject_id, e.created_at FROM " +
		extendedTable + " e JOIN " + ruleTable + " r ON r.id = e.casbin_rule_id"
	if len(texts) > many {
		if few, err := Most(ctx, tx, 2*len(texts)); err != nil {
			return err
		} else if few {
			return tx.Query(ctx, query, nil, fn)
		}
	}
	return db.QueryIn(ctx, tx, query+" WHERE e.casbin_rule_key IN (?...)", texts, nil, fn)
}

// remembered is the row of the table of states as [lock] has read it.
type remembered struct {
	version *uuid.UUID
	text    *string
}

type rememberedKey struct{}

func looseOf(tx *db.Tx) *remembered {
	return tx.Local(rememberedKey{}, func() any { return &remembered{} }).(*remembered)
}

// maxLoose is how many rules without an extended row are remembered.
const maxLoose = 1000

// eachLoose calls fn for every rule without an extended row of its key, and returns their ids.
func eachLoose(ctx context.Context, tx *db.Tx, version uuid.UUID, fn func(row)) (ids []int64, err error) {
	var text string
	known := true
	if l := looseOf(tx); l.version != nil && *l.version == version && l.text != nil {
		text = *l.text
	} else { // who waited for the lock may have been told of the state before
		text, known, err = db.One(ctx, tx, "SELECT loose FROM "+stateTable+" WHERE id = 1 AND version = ?", []any{version}, db.Value[string])
	}
	if err != nil {
		return nil, err
	}
	each := func(q *db.Row) error {
		var w row
		err := q.Scan(&w.id, &w.rule.subject, &w.rule.role, &w.rule.scope)
		ids = append(ids, w.id)
		fn(w)
		return err
	}
	if !known {
		return ids, tx.Query(ctx, looseRules(tx.Engine()), nil, each)
	}
	var remembered []int64
	if err := json.Unmarshal([]byte(text), &remembered); err != nil {
		return nil, fmt.Errorf("table %s: %w", stateTable, err)
	}
	return ids, db.QueryIn(ctx, tx, "SELECT id, v0, v1, v2 FROM "+ruleTable+" WHERE ptype = 'g' AND id IN (?...)", remembered, nil, each)
}

// looseRules is the query for all rules without an extended row of their key. It reads the whole table.
func looseRules(e db.Engine) string {
	differs := "e.casbin_rule_key <> 'g,' || r.v0 || ',' || r.v1 || ',' || r.v2 || ','"
	if e.MySQLFamily() { // whose texts are equal by more than their bytes
		differs = "CAST(e.casbin_rule_key AS BINARY) <> CAST(CONCAT('g,', r.v0, ',', r.v1, ',', r.v2, ',') AS BINARY)"
	}
	return "SELECT r.id, r.v0, r.v1, r.v2 FROM " + ruleTable + " r LEFT JOIN " + extendedTable + " e ON e.casbin_rule_id = r.id" +
		" WHERE r.ptype = 'g' AND (e.id IS NULL OR " + differs + ") ORDER BY r.id"
}

// keepLoose remembers, for the version that a change made, the rules without an extended row. Too many are not kept: then
// the next change reads the table.
func keepLoose(ctx context.Context, tx *db.Tx, version uuid.UUID, loose []int64) error {
	if len(loose) > maxLoose {
		_, err := tx.Exec(ctx, "DELETE FROM "+stateTable)
		return err
	}
	if loose == nil {
		loose = []int64{}
	}
	text, err := json.Marshal(loose)
	if err != nil {
		return err
	}
	return tx.Upsert(ctx, stateTable, []string{"id"}, []string{"version", "loose"}, 1, func(_ int, v []any) { v[0], v[1], v[2] = 1, version, string(text) })
}

// sortedKeys returns the keys of a set in order, so that the same work is the same statements.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
