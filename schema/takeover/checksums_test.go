package takeover

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// TestGoldenChecksums takes every golden database over that can be and finds the sums of before again.
func TestGoldenChecksums(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		for _, name := range goldendb.Starts(t, e, "*") {
			if !picked(e, name) {
				continue
			}
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				ctx := context.Background()
				d := dbtest.Open(t, e)
				goldendb.Load(t, d, name)
				before := sums(t, d, nil)
				if p, err := NewPlan(ctx, d, Options{}); err != nil || p.Refusal != nil {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				if len(before) < 15 {
					t.Errorf("%d tables have sums", len(before))
				}
				if _, err := Migrate(ctx, d, Options{}, Run{}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]schema.Finding(nil), Differences(before, sums(t, d, before))); diff != "" {
					t.Errorf("sums (-want +got):\n%s", diff)
				}
				if all := sums(t, d, nil); len(all) != len(contentTables()) {
					t.Errorf("%d tables have sums afterwards, want all %d", len(all), len(contentTables()))
				}
			})
		}
	}
}

func sums(t *testing.T, d *db.DB, like []TableSum) []TableSum {
	t.Helper()
	var out []TableSum
	var err error
	if like == nil {
		out, err = Checksums(context.Background(), d)
	} else {
		out, err = ChecksumsLike(context.Background(), d, like)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestGoldenChecksumsAcross writes the rows of one golden database on every engine: the sums are the same.
func TestGoldenChecksumsAcross(t *testing.T) {
	t.Parallel()
	from := dbtest.Open(t, db.SQLite)
	goldendb.Load(t, from, "N115")
	want := sums(t, from, nil)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		copyContent(t, from, d)
		if diff := cmp.Diff(want, sums(t, d, nil)); diff != "" {
			t.Errorf("sums (-SQLite +%s):\n%s", d.Engine(), diff)
		}
	})
}

// copyContent makes a new site with the content of another.
func copyContent(t *testing.T, from, to *db.DB) {
	t.Helper()
	ctx := context.Background()
	if err := schema.Create(ctx, to); err != nil {
		t.Fatal(err)
	}
	tables := append([]*schema.Table{schema.Lookup("auth_user")}, contentTables()...)
	err := to.Update(ctx, func(tx *db.Tx) error {
		for _, table := range tables {
			if table.Name == containerType {
				continue // a new site has the three
			}
			live, err := inspect.Read(ctx, from, func(n string) bool { return n == table.Name })
			if err != nil {
				return err
			}
			var cols, quoted []string
			for _, c := range table.Columns {
				if live[table.Name].Column(c.Name) != nil {
					cols, quoted = append(cols, c.Name), append(quoted, `"`+c.Name+`"`)
				}
			}
			rows, err := db.All(ctx, from, "SELECT "+strings.Join(quoted, ", ")+" FROM "+table.Name, nil, func(r *db.Row) ([]any, error) {
				vals, dest := make([]any, len(cols)), make([]any, len(cols))
				for i := range vals {
					dest[i] = &vals[i]
				}
				err := r.Scan(dest...)
				for i, c := range cols {
					vals[i] = typed(table.Column(c).Type.Kind, vals[i])
				}
				return vals, err
			})
			if err != nil {
				return err
			}
			if err := tx.Insert(ctx, table.Name, cols, len(rows), func(i int, v []any) { copy(v, rows[i]) }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// typed returns what SQLite keeps as the value that other engines want.
func typed(k schema.Kind, v any) any {
	switch n, isInt := v.(int64); {
	case k == schema.Bool && isInt:
		return n != 0
	case k == schema.Time:
		if at, ok := moment(v); ok {
			return at
		}
	}
	return v
}

// TestChecksumsTell finds every kind of change.
func TestChecksumsTell(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"a time":   "UPDATE oel_publishing_learningpackage SET updated = '2001-02-03 04:05:06.000001' WHERE id = 1",
		"a flag":   "UPDATE oel_publishing_publishableentity SET can_stand_alone = NOT can_stand_alone WHERE id = 1",
		"a text":   "UPDATE oel_publishing_publishableentityversion SET title = title || ' ' WHERE id = 1",
		"a key":    "UPDATE oel_publishing_publishableentity SET _key = _key || 'x' WHERE id = 1",
		"a NULL":   "UPDATE oel_publishing_publishableentity SET created_by_id = CASE WHEN created_by_id IS NULL THEN 1 END WHERE id = 1",
		"a digest": "UPDATE oel_publishing_draftchangelogrecord SET dependencies_hash_digest = 'ffffffff' WHERE id = 1",
		"a row":    "DELETE FROM oel_collections_collectionpublishableentity WHERE id = 1",
		"a table":  "DROP TABLE oel_publishing_draftsideeffect",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.Open(t, db.SQLite)
			goldendb.Load(t, d, "U")
			before := sums(t, d, nil)
			if n, err := d.Exec(context.Background(), sql); err != nil {
				t.Fatal(n, err)
			}
			if got := Differences(before, sums(t, d, before)); len(got) != 1 || got[0].Severity != schema.Error {
				t.Errorf("findings %+v, want one error", got)
			}
		})
	}
}

// TestValues gives values of one meaning one form.
func TestValues(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 3, 4, 5, 6, 7, 120003000, time.UTC)
	for _, same := range []struct {
		kind schema.Kind
		vals []any
		want string
	}{
		{schema.Time, []any{at, at.In(time.FixedZone("", 3600)), "2025-03-04 05:06:07.120003", "2025-03-04T05:06:07.120003Z", "2025-03-04 06:06:07.120003+01:00"}, "27:2025-03-04T05:06:07.120003Z;"},
		{schema.UUID, []any{"00112233-4455-6677-8899-AABBCCDDEEFF", "00112233445566778899aabbccddeeff",
			[]byte{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}}, "32:00112233445566778899aabbccddeeff;"},
		{schema.Bool, []any{true, int64(1), "1"}, "1:1;"},
		{schema.Int8, []any{int64(12), "12"}, "2:12;"},
		{schema.CIText, []any{nil}, "-;"},
		{schema.CIText, []any{"-", []byte("-")}, "1:-;"},
		{schema.Time, []any{"never"}, "5:never;"},
	} {
		for _, v := range same.vals {
			if got := string(appendValue(nil, same.kind, v)); got != same.want {
				t.Errorf("%v of kind %d: %s, want %s", v, same.kind, got, same.want)
			}
		}
	}
}
