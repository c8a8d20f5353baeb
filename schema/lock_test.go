package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/lease"
)

// TestLeaseTable compares the table that package lease makes with the definition, and finds that by itself it does not
// keep a database from being an empty one.
func TestLeaseTable(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l, err := lease.Take(t.Context(), d, "schema", lease.Options{})
		if err != nil {
			t.Fatal(err)
		}
		made := describe(t, d)
		if got := state(t, d); got.Status != Empty {
			t.Errorf("a database with nothing but a lease is %s", got.Status)
		}
		if err := Create(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if got := state(t, d); got.Status != Current || !got.Lectern {
			t.Errorf("made while a lease is held: %+v", got)
		}
		if diff := cmp.Diff([]string{}, found(t, d)); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		if err := l.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := d.Exec(t.Context(), "DROP TABLE lectern_lock"); err != nil {
			t.Fatal(err)
		}
		for _, s := range DialectOf(d).Statements(Lookup(lockTable)) {
			if _, err := d.Exec(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(made[lockTable], describe(t, d)[lockTable]); diff != "" {
			t.Errorf("lease's table and schema's (-lease +schema):\n%s", diff)
		}
	})
}
