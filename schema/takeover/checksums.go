package takeover

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
)

// TableSum tells what a content table holds, in a form that depends neither on the engine nor on the age of the database:
// the same before and after a take-over (content-migrations.md MR-12).
type TableSum struct {
	Table   string   `json:"table"`   // by today's name
	Rows    int64    `json:"rows"`    // that the digest is of
	SHA256  string   `json:"sha256"`  // of the rows by primary key
	Columns []string `json:"columns"` // that the digest is of, by today's names and in their order
}

// completed names the rows of Django's ledger from which on a table, or a column as "table.column", holds what it is to
// hold: before, a step has yet to make or to fill it, and it counts for nothing.
var completed = map[string]schema.Migration{
	collection + ".title":           {App: "oel_collections", Name: "0002_remove_collection_name_collection_created_by_and_more"},
	collection + ".created_by_id":   {App: "oel_collections", Name: "0002_remove_collection_name_collection_created_by_and_more"},
	collection + ".collection_code": {App: "oel_collections", Name: "0004_collection_key"},
	entity + ".can_stand_alone":     {App: "oel_publishing", Name: "0004_publishableentity_can_stand_alone"},

	"openedx_content_draftchangelog":                                draftsLogged,
	"openedx_content_draftchangelogrecord":                          draftsLogged,
	"openedx_content_draftchangelogrecord.dependencies_hash_digest": dependenciesKnown,
	publishRecord + ".dependencies_hash_digest":                     dependenciesKnown,
	"openedx_content_draft.draft_log_record_id":                     dependenciesKnown,
	"openedx_content_publishableentityversiondependency":            dependenciesKnown,
	containerType:                      {App: "openedx_content", Name: "0005_containertypes"},
	container + ".container_type_id":   {App: "openedx_content", Name: "0005_containertypes"},
	publishRecord + ".direct":          {App: "openedx_content", Name: "0007_publishlogrecord_direct"},
	container + ".learning_package_id": {App: "openedx_content", Name: "0010_add_container_code"},
	container + ".container_code":      {App: "openedx_content", Name: "0010_add_container_code"},
}

var (
	draftsLogged      = schema.Migration{App: "oel_publishing", Name: "0007_bootstrap_draftchangelog"}
	dependenciesKnown = schema.Migration{App: "oel_publishing", Name: "0010_backfill_dependencies"}
	typesMerged       = schema.Migration{App: "openedx_content", Name: "0004_componenttype_constraint"}
)

// formerly are the names that columns of today had before, the latest first.
var formerly = map[string][]string{
	"package_ref": {"_key", "key"}, "entity_ref": {"_key", "key"}, "path": {"_key", "key"}, "media_id": {"content_id"},
	"collection_code": {"_key"}, "component_code": {"local_key"},
}

// Checksums returns the sums of all content tables that hold what they are to hold, by name. A column that a step has yet
// to make or to fill is not among a sum's columns; of component types that are there twice the ones count that a take-over
// keeps. It reads every row, in one snapshot and with bounded memory.
func Checksums(ctx context.Context, d *db.DB) ([]TableSum, error) { return checksums(ctx, d, nil) }

// ChecksumsLike returns sums to compare with those of before: of the same tables and columns, where they are there.
func ChecksumsLike(ctx context.Context, d *db.DB, before []TableSum) ([]TableSum, error) {
	like := map[string][]string{}
	for _, s := range before {
		like[s.Table] = s.Columns
	}
	return checksums(ctx, d, like)
}

func checksums(ctx context.Context, d *db.DB, like map[string][]string) ([]TableSum, error) {
	sums := []TableSum{}
	err := d.View(ctx, func(tx *db.Tx) error {
		s, err := look(ctx, tx)
		if err != nil {
			return err
		}
		for _, t := range contentTables() {
			name, columns := s.called(t), like[t.Name]
			if like == nil {
				columns = s.complete(t)
			}
			if name == "" || len(columns) == 0 {
				continue
			}
			sum, err := s.sum(ctx, tx, t, name, columns)
			if err != nil {
				return fmt.Errorf("add up table %s: %w", name, err)
			}
			sums = append(sums, sum)
		}
		return nil
	})
	slices.SortFunc(sums, func(a, b TableSum) int { return strings.Compare(a.Table, b.Table) })
	return sums, err
}

// contentTables returns the definitions of the tables of content.
func contentTables() []*schema.Table {
	return slices.DeleteFunc(schema.Tables(), func(t *schema.Table) bool { return !strings.HasPrefix(t.Name, "openedx_content_") })
}

// called returns the name that a table of today has now, "" when it is not there.
func (s *site) called(t *schema.Table) string {
	names := []string{t.Name, t.Was}
	switch t.Name {
	case nowMedia:
		names = append(names, midContent)
	case link:
		names = append(names, midLink)
	}
	for _, n := range names {
		if s.live[n] != nil {
			return n
		}
	}
	return ""
}

// column returns the name that a column of today has now in a table, "" when it is not there.
func (s *site) column(table, column string) string {
	for _, n := range append([]string{column}, formerly[column]...) {
		if s.live[table].Column(n) != nil {
			return n
		}
	}
	return ""
}

// complete returns the columns of a table that hold what they are to hold.
func (s *site) complete(t *schema.Table) []string {
	ready := func(what string) bool {
		row, later := completed[what]
		return !later || s.rows[row]
	}
	if !ready(t.Name) {
		return nil
	}
	var columns []string
	for _, c := range t.Columns {
		if ready(t.Name + "." + c.Name) {
			columns = append(columns, c.Name)
		}
	}
	return columns
}

// sum reads a table.
func (s *site) sum(ctx context.Context, tx *db.Tx, t *schema.Table, name string, columns []string) (TableSum, error) {
	out := TableSum{Table: t.Name, Columns: []string{}}
	q := tx.Engine().Quote
	var list []string
	var kinds []schema.Kind
	for _, c := range columns {
		now, def := s.column(name, c), t.Column(c)
		if now == "" || def == nil {
			continue
		}
		expr := "a." + q(now)
		if t.Name == component && c == "component_type_id" && !s.rows[typesMerged] {
			expr = "COALESCE(m.kept, " + expr + ")"
		}
		list, kinds, out.Columns = append(list, expr), append(kinds, def.Type.Kind), append(out.Columns, c)
	}
	from := q(name) + " a"
	if types := s.called(schema.Lookup(componentType)); types != "" && !s.rows[typesMerged] {
		switch t.Name { // as B4 will merge them (content-migrations.md §1.5.1)
		case component:
			from += fmt.Sprintf(" LEFT JOIN (SELECT d.id, MIN(k.id) AS kept FROM %[1]s d JOIN %[1]s k ON k.namespace = d.namespace AND k.name = d.name GROUP BY d.id) m ON m.id = a.component_type_id", q(types))
		case componentType:
			from += fmt.Sprintf(" WHERE NOT EXISTS (SELECT 1 FROM %s k WHERE k.namespace = a.namespace AND k.name = a.name AND k.id < a.id)", q(types))
		}
	}
	digest := newDigest(kinds)
	err := tx.Query(ctx, fmt.Sprintf("SELECT %s FROM %s ORDER BY a.%s", strings.Join(list, ", "), from, q(t.Primary())), nil, digest.add)
	out.Rows, out.SHA256 = digest.rows, hex.EncodeToString(digest.h.Sum(nil))
	return out, err
}

// rowDigest adds rows up.
type rowDigest struct {
	h     hash.Hash
	rows  int64
	kinds []schema.Kind
	vals  []any
	dest  []any // pointers to vals
	buf   []byte
}

func newDigest(kinds []schema.Kind) *rowDigest {
	r := &rowDigest{h: sha256.New(), kinds: kinds, vals: make([]any, len(kinds)), dest: make([]any, len(kinds))}
	for i := range r.vals {
		r.dest[i] = &r.vals[i]
	}
	return r
}

// add adds a row.
func (r *rowDigest) add(row *db.Row) error {
	if err := row.Scan(r.dest...); err != nil {
		return err
	}
	r.rows++
	r.buf = r.buf[:0]
	for i, v := range r.vals {
		r.buf = appendValue(r.buf, r.kinds[i], v)
	}
	_, err := r.h.Write(r.buf)
	return err
}
