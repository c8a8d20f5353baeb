package schema

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// withoutAuthz makes a site that has content and no tables of permissions, and none of the platform's that go with them.
func withoutAuthz(t *testing.T, d *db.DB) {
	t.Helper()
	if err := Create(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	authzBack(t, d, len(authzMigrations), 0)
	for i := len(platform) - 1; i >= 0; i-- {
		run(t, d, "DROP TABLE "+platform[i].Name)
	}
	run(t, d, "DELETE FROM django_migrations WHERE app IN ('casbin_adapter', 'sessions', 'waffle')", "DROP TABLE casbin_rule")
}

// TestAddAuthz gives a site that has none the tables of permissions, stopped at every statement on the way: a site is then
// one without permissions, and the next run goes on. What comes out is a new site.
func TestAddAuthz(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			k := &killer{at: 1 << 30}
			d := k.open(t, dbtest.URL(t, e))
			withoutAuthz(t, d)
			want := describe(t, dbtest.Ready(t, e, setup))
			if e == db.SQLite { // their order tells what came when
				for _, x := range Authz() {
					delete(want[x.Name], "autoincrement_row")
				}
			}
			step := 1
			if !e.MySQLFamily() {
				step = 7 // every statement of one transaction is undone alike
			}
			stops, last := 0, false
			for k.at = 0; ; stops++ {
				k.seen = 0
				err := AddLectern(ctx, d)
				if err == nil {
					break
				}
				if !errors.Is(err, errKilled) || stops > 200 {
					t.Fatalf("killed at statement %d: %v", k.at, err)
				}
				st := state(t, d)
				if st.Status != Current || st.Authz != "A0" || !st.Lectern {
					t.Fatalf("killed at statement %d: %+v", k.at, st)
				}
				if err := Require(ctx, d); err != nil {
					t.Fatalf("killed at statement %d: %v", k.at, err)
				}
				var codes []string
				for _, n := range st.Notes {
					codes = append(codes, n.Code)
				}
				if strings.Join(codes, " ") != "authz_missing" {
					t.Errorf("killed at statement %d: notes %v", k.at, codes)
				}
				switch {
				case e.MySQLFamily() && !allThere(t, d):
					k.at = 2 // past our own ledger's row and its commit, later two tables further
				case e.MySQLFamily() && !last:
					last, k.at = true, 0
				default:
					k.at += step
				}
			}
			if stops < 4 {
				t.Errorf("stopped %d times only", stops)
			}
			k.at = 1 << 30
			if diff := cmp.Diff([]string{}, found(t, d)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			got := describe(t, d)
			for _, x := range append(Platform(), Authz()...) {
				if diff := cmp.Diff(want[x.Name], got[x.Name]); diff != "" {
					t.Errorf("%s (-new site +added):\n%s", x.Name, diff)
				}
			}
			if n := len(rows(t, d, "django_migrations")); n != len(Migrations()) {
				t.Errorf("%d rows in the ledger, want %d", n, len(Migrations()))
			}
			if n := len(rows(t, d, ownLedger)); n != 1 {
				t.Errorf("%d rows in our own ledger", n)
			}
			if ok, err := ready(ctx, d); !ok || err != nil {
				t.Errorf("ready: %t, %v", ok, err)
			}
			if err := AddLectern(ctx, d); err != nil {
				t.Error(err)
			}
		})
	}
}

func allThere(t *testing.T, d *db.DB) bool {
	t.Helper()
	live := describe(t, d)
	for _, x := range append(Platform(), Authz()...) {
		if live[x.Name] == nil {
			return false
		}
	}
	return true
}

// TestAddAuthzNot: tables of permissions of any age are left alone, and only db init adds them.
func TestAddAuthzNot(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	if err := Create(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	authzBack(t, d, len(authzMigrations), 4)
	if err := AddLectern(context.Background(), d); err != nil {
		t.Error(err)
	}
	if st := state(t, d); st.Authz != "A4" {
		t.Errorf("permissions are at %s", st.Authz)
	}
	authzBack(t, d, 4, 0)
	run(t, d, "DROP TABLE lectern_label")
	if err := Prepare(context.Background(), d); err != nil {
		t.Error(err)
	}
	if st := state(t, d); st.Authz != "A0" || !st.Lectern {
		t.Errorf("a command that writes made of it %+v", st)
	}
}
