package takeover

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// TestGoldenEnds takes every golden database over and compares what it becomes with what the reference made of it.
func TestGoldenEnds(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		for i, name := range goldendb.Starts(t, e, "*") {
			if e == db.MySQL && i%4 != 0 && !thorough() {
				continue // they are MariaDB's, which has them all
			}
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				end := goldendb.EndOf(t, e, name)
				if end == nil {
					return // TestGoldenSpoiled has those
				}
				d := dbtest.Open(t, e)
				goldendb.Load(t, d, name)
				planned := preview(t, d)
				var sent []string
				run := Run{Done: func(s Step, _, _ int) { sent = append(sent, sqlOf(s)...) }}
				if _, err := Migrate(context.Background(), d, Options{}, run); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(planned, sent); diff != "" {
					t.Errorf("statements (-planned +sent):\n%s", diff)
				}
				if p, err := Migrate(context.Background(), d, Options{}, Run{Done: func(s Step, _, _ int) { t.Errorf("the second run did %s", s.ID()) }}); err != nil || len(p.Steps) > 0 {
					t.Errorf("second run: %d steps, %v", len(p.Steps), err)
				}
				if slices.Contains(sent, "-- oel_publishing.0010_backfill_dependencies") {
					unordered(end)
				}
				compare(t, d, end)
			})
		}
	}
}

// preview returns the statements that a plan shows.
func preview(t *testing.T, d *db.DB) []string {
	t.Helper()
	p, err := NewPlan(context.Background(), d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, st := range p.Steps {
		all = append(all, sqlOf(st)...)
	}
	return all
}

func sqlOf(s Step) []string {
	out := []string{"-- " + s.ID()}
	for _, st := range s.Statements {
		out = append(out, st.SQL)
	}
	return out
}

// dependencies is the table whose rows the reference makes in the order of a Python set.
const dependencies = "openedx_content_publishableentityversiondependency"

// unordered takes from an end the ids that mean nothing (content-migrations.md MR-17).
func unordered(end *goldendb.End) {
	end.Volatile = map[string][]string{dependencies: {"id"}, "openedx_content_draftchangelog": end.Volatile["openedx_content_draftchangelog"]}
}

func byDependency(a, b map[string]any) int {
	const from, to = "referring_version_id", "referenced_entity_id"
	return cmp2(a[from].(float64)-b[from].(float64), a[to].(float64)-b[to].(float64))
}

func cmp2(x, y float64) int {
	if x == 0 {
		x = y
	}
	return int(x)
}

// compare compares rows, tables and ledger with an end.
func compare(t *testing.T, d *db.DB, end *goldendb.End) {
	t.Helper()
	live, err := inspect.Read(context.Background(), d, func(n string) bool { return end.Rows[n] != nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range sortedKeys(end.Rows) {
		if live[table] == nil {
			t.Errorf("there is no %s", table)
			continue
		}
		want, got := end.Rows[table], rowsIn(t, d, live[table])
		if table == dependencies {
			slices.SortFunc(got, byDependency)
			slices.SortFunc(want, byDependency)
		}
		for _, col := range end.Volatile[table] {
			for _, rows := range [][]map[string]any{want, got} {
				for _, r := range rows {
					delete(r, col)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows of %s (-reference +ours):\n%s", table, diff)
		}
	}
	ledger, err := db.All(context.Background(), d, "SELECT app, name FROM django_migrations", nil, func(r *db.Row) (m [2]string, err error) {
		err = r.Scan(&m[0], &m[1])
		return m, err
	})
	if err != nil {
		t.Fatal(err)
	}
	byName := func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) }
	slices.SortFunc(ledger, byName)
	slices.SortFunc(end.Ledger, byName)
	if diff := cmp.Diff(end.Ledger, ledger); diff != "" {
		t.Errorf("ledger (-reference +ours):\n%s", diff)
	}
	findings, err := schema.Verify(context.Background(), d, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if strings.HasPrefix(f.Table, "openedx_content_") && f.Severity == schema.Error {
			t.Errorf("finding: %+v", f)
		}
	}
}

// rowsOf returns the rows of a table by primary key in the form of the golden files.
func rowsOf(t *testing.T, d *db.DB, table string) []map[string]any {
	t.Helper()
	live, err := inspect.Read(context.Background(), d, func(n string) bool { return n == table })
	if err != nil || live[table] == nil {
		t.Fatalf("table %s: %v", table, err)
	}
	return rowsIn(t, d, live[table])
}

// rowsIn is rowsOf for a table of the catalogue.
func rowsIn(t *testing.T, d *db.DB, live *inspect.Table) []map[string]any {
	t.Helper()
	var cols, quoted []string
	for _, c := range live.Columns {
		cols, quoted = append(cols, c.Name), append(quoted, d.Engine().Quote(c.Name))
	}
	out := []map[string]any{}
	err := d.Query(context.Background(), "SELECT "+strings.Join(quoted, ", ")+" FROM "+d.Engine().Quote(live.Name)+" ORDER BY 1", nil, func(r *db.Row) error {
		vals, dest := make([]any, len(cols)), make([]any, len(cols))
		for i := range vals {
			dest[i] = &vals[i]
		}
		if err := r.Scan(dest...); err != nil {
			return err
		}
		o := map[string]any{}
		for i, c := range cols {
			o[c] = canonical(live.Column(c), vals[i])
		}
		out = append(out, o)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(out, func(a, b map[string]any) int { // by the primary key, which need not come first
		return cmpAny(a[primary(live)], b[primary(live)])
	})
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	var normal []map[string]any
	if err := json.Unmarshal(b, &normal); err != nil {
		t.Fatal(err)
	}
	return normal
}

func primary(t *inspect.Table) string {
	for _, c := range t.Columns {
		if c.Primary {
			return c.Name
		}
	}
	return t.Columns[0].Name
}

func cmpAny(a, b any) int {
	x, ok := a.(int64)
	y, also := b.(int64)
	if ok && also {
		return int(x - y)
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// canonical returns a value as the golden files write it.
func canonical(c *inspect.Column, v any) any {
	typ := strings.ToLower(c.Type)
	switch x := v.(type) {
	case time.Time:
		return x.UTC().Format("2006-01-02T15:04:05.000000Z")
	case uuid.UUID:
		return strings.ReplaceAll(x.String(), "-", "")
	case []byte:
		v = string(x)
	case int64:
		if typ == "tinyint(1)" || typ == "bool" || typ == "boolean" {
			return x != 0
		}
	}
	if s, ok := v.(string); ok {
		switch {
		case typ == "uuid":
			return strings.ReplaceAll(s, "-", "")
		case strings.HasPrefix(typ, "datetime"):
			for _, layout := range []string{"2006-01-02 15:04:05.999999", "2006-01-02 15:04:05.999999-07:00"} {
				if at, err := time.Parse(layout, s); err == nil {
					return at.UTC().Format("2006-01-02T15:04:05.000000Z")
				}
			}
		}
		return s
	}
	return v
}
