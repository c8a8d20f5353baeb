package takeover

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// TestGoldenAuthzEnds takes every golden database of permissions over and compares what it becomes with what the reference
// made of it.
func TestGoldenAuthzEnds(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		for _, name := range goldendb.AuthzStarts(t, e, "*") {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				d := dbtest.Open(t, e)
				goldendb.LoadAuthz(t, d, name)
				before, age := readSite(t, d), ageOf(t, d)
				planned := preview(t, d)
				var sent []string
				p, err := Migrate(context.Background(), d, Options{}, Run{Done: func(s Step, _, _ int) { sent = append(sent, sqlOf(s)...) }})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(planned, sent); diff != "" {
					t.Errorf("statements (-planned +sent):\n%s", diff)
				}
				if age == "A11" && slices.ContainsFunc(p.Steps, isAuthz) {
					t.Errorf("%d steps where nothing is to do", len(p.Steps))
				}
				before.compare(t, d, goldendb.AuthzEndOf(t, e, name))
				again(t, d)
			})
		}
	}
}

func isAuthz(s Step) bool {
	return s.App == "openedx_authz" || s.App == "casbin_adapter" || s.App == "lectern"
}

func ageOf(t *testing.T, d *db.DB) string {
	t.Helper()
	st, err := schema.Recognize(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return st.Authz
}

// again finds that a second run does nothing.
func again(t *testing.T, d *db.DB) {
	t.Helper()
	if age := ageOf(t, d); age != "A11" {
		t.Errorf("permissions are at %s", age)
	}
	p, err := Migrate(context.Background(), d, Options{}, Run{})
	if err != nil || len(p.Steps) > 0 {
		t.Errorf("second run: %d steps, %v", len(p.Steps), err)
	}
}

// permissionTable reports whether a table is one of those of permissions.
func permissionTable(name string) bool {
	return name == "casbin_rule" || strings.HasPrefix(name, "openedx_authz_")
}

// goldenSite is a database as it was: every row of every table.
type goldenSite map[string][]map[string]any

// readSite reads a database.
func readSite(t *testing.T, d *db.DB) goldenSite {
	t.Helper()
	live, err := inspect.Read(context.Background(), d, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	s := goldenSite{}
	for name := range live {
		if strings.HasPrefix(name, "lectern_") || name == "sqlite_sequence" {
			continue
		}
		s[name] = rowsIn(t, d, live[name])
		if def := schema.Lookup(name); def != nil && permissionTable(name) {
			for _, row := range s[name] {
				parse(t, def, row)
			}
		}
	}
	return s
}

// parse makes values of JSON columns.
func parse(t *testing.T, def *schema.Table, row map[string]any) {
	t.Helper()
	for _, c := range def.Columns {
		text, ok := row[c.Name].(string)
		if c.Type.Kind != schema.JSON || !ok {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%s.%s: %v", def.Name, c.Name, err)
		}
		row[c.Name] = v
	}
}

// compare compares a database that was taken over with its start and its end.
func (start goldenSite) compare(t *testing.T, d *db.DB, end *goldendb.AuthzEnd) {
	t.Helper()
	now := readSite(t, d)
	for name, was := range start {
		is := now[name]
		if name == "django_migrations" {
			is = is[:min(len(was), len(is))]
		}
		if permissionTable(name) {
			is = only(is, was, name, end.Volatile[name])
			for _, row := range was {
				for _, c := range end.Volatile[name] {
					delete(row, c)
				}
			}
		}
		if diff := cmp.Diff(was, is); diff != "" {
			t.Errorf("rows of %s (-before +after):\n%s", name, diff)
		}
	}
	want, got := goldenSite(end.Rows), goldenSite{}
	for name := range want {
		got[name] = now[name]
		if now[name] == nil {
			t.Errorf("there is no %s", name)
		}
	}
	for name := range want {
		key := schema.Lookup(name).Primary()
		kept := idsOf(start[name], key)
		old := func(row map[string]any) bool { return kept[row[key]] }
		if diff := cmp.Diff(strip(filter(want[name], old), end.Volatile[name]), strip(filter(got[name], old), end.Volatile[name])); diff != "" {
			t.Errorf("rows of %s that were there (-reference +ours):\n%s", name, diff)
		}
		added := func(s goldenSite) []string {
			return s.meaning(name, filter(s[name], func(r map[string]any) bool { return !old(r) }), end.Volatile[name])
		}
		if diff := cmp.Diff(added(want), added(got)); diff != "" {
			t.Errorf("rows of %s that were added (-reference +ours):\n%s", name, diff)
		}
	}
	ledger, err := db.All(context.Background(), d, "SELECT app, name FROM django_migrations WHERE app IN ('casbin_adapter', 'openedx_authz') ORDER BY id",
		nil, func(r *db.Row) (m [2]string, err error) {
			err = r.Scan(&m[0], &m[1])
			return m, err
		})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(end.Ledger, ledger); diff != "" {
		t.Errorf("ledger (-reference +ours):\n%s", diff)
	}
	asFresh(t, d, end.Differs)
}

func idsOf(rows []map[string]any, key string) map[any]bool {
	m := map[any]bool{}
	for _, r := range rows {
		m[r[key]] = true
	}
	return m
}

func filter(rows []map[string]any, keep func(map[string]any) bool) []map[string]any {
	out := []map[string]any{}
	for _, r := range rows {
		if keep(r) {
			out = append(out, r)
		}
	}
	return out
}

// strip returns rows without columns.
func strip(rows []map[string]any, columns []string) []map[string]any {
	out := make([]map[string]any, len(rows))
	for i, r := range rows {
		out[i] = map[string]any{}
		for c, v := range r {
			if !slices.Contains(columns, c) {
				out[i][c] = v
			}
		}
	}
	return out
}

// only returns those rows whose keys are among others, without columns.
func only(rows, others []map[string]any, table string, columns []string) []map[string]any {
	key := schema.Lookup(table).Primary()
	there := idsOf(others, key)
	kept := strip(filter(rows, func(r map[string]any) bool { return there[r[key]] }), columns)
	for i, r := range kept { // columns that came later
		for c, v := range r {
			if _, had := others[i][c]; !had && v == nil {
				delete(r, c)
			}
		}
	}
	return kept
}

// meaning says what rows are without the numbers that they were given, sorted.
func (s goldenSite) meaning(table string, rows []map[string]any, volatile []string) []string {
	by := func(name, key string, v any, column string) any {
		for _, r := range s[name] {
			if r[key] == v {
				return r[column]
			}
		}
		return nil
	}
	var out []string
	for _, r := range strip(rows, volatile) {
		switch table {
		case "casbin_rule", "openedx_authz_scope", "openedx_authz_subject":
			delete(r, "id")
		case "openedx_authz_usersubject":
			delete(r, "subject_ptr_id")
		case "openedx_authz_contentlibraryscope":
			delete(r, "scope_ptr_id")
		case "openedx_authz_extendedcasbinrule":
			delete(r, "id")
			rule := r["casbin_rule_id"]
			r["casbin_rule_id"] = fmt.Sprint(by("casbin_rule", "id", rule, "v0"), by("casbin_rule", "id", rule, "v1"), by("casbin_rule", "id", rule, "v2"))
			r["subject_id"] = by("openedx_authz_usersubject", "subject_ptr_id", r["subject_id"], "user_id")
			r["scope_id"] = by("openedx_authz_contentlibraryscope", "scope_ptr_id", r["scope_id"], "content_library_id")
		}
		out = append(out, fmt.Sprint(r))
	}
	slices.Sort(out)
	return out
}

// asFresh compares the tables of permissions with those of a new site; differs names what may not be as there.
func asFresh(t *testing.T, d *db.DB, differs []string) {
	t.Helper()
	fresh := dbtest.Ready(t, d.Engine(), newSite)
	var both [2]inspect.Tables
	for i, x := range []*db.DB{fresh, d} {
		var err error
		if both[i], err = inspect.Read(context.Background(), x, permissionTable); err != nil {
			t.Fatal(err)
		}
		for _, table := range both[i] {
			order(table)
			if d.Engine() == db.MySQL {
				plainJSON(table)
			}
		}
	}
	for _, what := range differs {
		table, rest, _ := strings.Cut(what, " columns: ")
		var c struct{ Name string }
		if err := json.Unmarshal([]byte(rest[strings.Index(rest, "{"):]), &c); err != nil {
			t.Fatal(err)
		}
		for i := range both {
			*both[i][table].Column(c.Name) = inspect.Column{Name: c.Name}
		}
	}
	if len(both[0]) != len(schema.Authz()) {
		t.Errorf("a new site has %d tables", len(both[0]))
	}
	if diff := cmp.Diff(both[0], both[1]); diff != "" {
		t.Errorf("tables (-new site +taken over):\n%s", diff)
	}
}

func newSite(d *db.DB) error { return schema.Create(context.Background(), d) }

// plainJSON takes away how JSON is held: MySQL loads MariaDB's dumps, which have text with a CHECK.
func plainJSON(t *inspect.Table) {
	for _, c := range schema.Lookup(t.Name).Columns {
		if c.Type.Kind == schema.JSON {
			*t.Column(c.Name) = inspect.Column{Name: c.Name}
		}
	}
	t.Checks = slices.DeleteFunc(t.Checks, func(c inspect.Check) bool { return strings.HasPrefix(c.Clause, "json_valid(") })
	if len(t.Checks) == 0 {
		t.Checks = nil
	}
}

// order puts what a table has in an order that does not depend on when it came.
func order(t *inspect.Table) {
	slices.SortFunc(t.Indexes, func(a, b inspect.Index) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(t.Foreign, func(a, b inspect.Foreign) int { return strings.Compare(a.Column, b.Column) })
	slices.SortFunc(t.Keys, func(a, b inspect.Unique) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(t.Checks, func(a, b inspect.Check) int { return strings.Compare(a.Name, b.Name) })
}
