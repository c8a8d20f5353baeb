package takeover

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/lease"
	"github.com/openlectern/lectern/schema"
)

// others returns what is in a database beside Lectern's own tables.
func others(t *testing.T, d *db.DB) map[string]any {
	t.Helper()
	all := dump(t, d)
	maps.DeleteFunc(all, func(name string, _ any) bool { return strings.HasPrefix(name, ownPrefix) })
	return all
}

// fullSite makes a site with rows in Lectern's own tables and Open edX's.
func fullSite(t *testing.T, d *db.DB) {
	t.Helper()
	ctx := context.Background()
	if err := schema.Create(ctx, d); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"INSERT INTO openedx_content_learningpackage (uuid, package_ref, title, description, created, updated) VALUES ('00112233445566778899aabbccddeeff', 'lib', 'A', '', '2025-01-02 03:04:05.000006', '2025-01-02 03:04:05.000006')",
		"INSERT INTO lectern_package (learning_package_id, serial) SELECT id, 12 FROM openedx_content_learningpackage",
	} {
		if _, err := d.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDropOwn removes Lectern's own tables, finds all else as it was, and makes them anew.
func TestDropOwn(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fullSite(t, d)
		was := others(t, d)
		lost, err := DropOwn(ctx, d, Run{}, true)
		if err != nil || lost["lectern_package"] != 1 || lost["lectern_schema"] != 1 {
			t.Fatalf("dry: %v, %v", lost, err)
		}
		if err := schema.Require(ctx, d); err != nil {
			t.Errorf("after a dry run: %v", err)
		}
		l, err := lease.Take(ctx, d, LeaseName, lease.Options{What: "a test"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DropOwn(ctx, d, Run{}, false); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "is held by process") {
			t.Errorf("while a lease is held: %v", err)
		}
		if err := l.Release(ctx); err != nil {
			t.Fatal(err)
		}
		if lost, err = DropOwn(ctx, d, Run{}, false); err != nil || len(lost) < 10 {
			t.Fatalf("%v, %v", lost, err)
		}
		if diff := cmp.Diff(was, dump(t, d)); diff != "" {
			t.Errorf("everything else (-before +after):\n%s", diff)
		}
		if lost, err = DropOwn(ctx, d, Run{}, false); err != nil || len(lost) > 0 {
			t.Errorf("again: %v, %v", lost, err)
		}
		if err := schema.Create(ctx, d); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(was, others(t, d)); diff != "" {
			t.Errorf("after db init (-before +after):\n%s", diff)
		}
		if found, err := schema.Verify(ctx, d, false); err != nil || len(found) > 0 {
			t.Errorf("verify: %v, %v", found, err)
		}
	})
}

// TestDropOwnNewer removes tables of a version to come; those of somebody else stay.
func TestDropOwnNewer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := dbtest.Open(t, db.SQLite)
	fullSite(t, d)
	for _, sql := range []string{"INSERT INTO lectern_schema (name, applied) VALUES ('0099_later', '2030-01-01 00:00:00')",
		"CREATE TABLE lectern_later (id integer PRIMARY KEY, label_id bigint REFERENCES lectern_label (id))"} {
		if _, err := d.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := schema.Require(ctx, d); err == nil {
		t.Fatal("a newer database is worked on")
	}
	if _, err := DropOwn(ctx, d, Run{}, false); err != nil {
		t.Fatal(err)
	}
	if err := schema.Create(ctx, d); err != nil {
		t.Error(err)
	}
	if err := schema.Require(ctx, d); err != nil {
		t.Error(err)
	}
	mine := dbtest.Open(t, db.SQLite)
	if _, err := mine.Exec(ctx, "CREATE TABLE lectern_notes (id integer)"); err != nil {
		t.Fatal(err)
	}
	if _, err := DropOwn(ctx, mine, Run{}, false); !fault.Is(err, fault.Refused) {
		t.Errorf("another's table: %v", err)
	}
}

// TestDropOwnStopped stops it before every statement that drops; the next run goes on.
func TestDropOwnStopped(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	errStop := errors.New("stopped here")
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		place := dbtest.URL(t, e)
		at, seen := 0, 0
		d, err := db.Open(ctx, place, db.Options{Create: true, Fault: func(sql string) error {
			if strings.HasPrefix(sql, "DROP TABLE") {
				if seen++; seen > at {
					return errStop
				}
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}()
		fullSite(t, d)
		was := others(t, d)
		for runs := 0; ; runs++ {
			seen = 0
			_, err := DropOwn(ctx, d, Run{}, false)
			if err == nil {
				break
			}
			if !errors.Is(err, errStop) || runs > 100 {
				t.Fatal(err)
			}
			if runs%4 == 0 { // what is left can be completed, too
				if err := schema.Create(ctx, d); err != nil {
					t.Fatalf("stopped at %d: %v", at, err)
				}
			}
			at++
		}
		if diff := cmp.Diff(was, dump(t, d)); diff != "" {
			t.Errorf("everything else (-before +after):\n%s", diff)
		}
	})
}
