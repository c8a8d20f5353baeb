package schema

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
)

// authzStateOf returns the state that the name of a golden start tells: MA6-0007-01 is A6 with one statement of step 0007.
func authzStateOf(t *testing.T, name string) string {
	t.Helper()
	parts := strings.Split(name, "-")
	if !strings.HasPrefix(name, "M") {
		return parts[0]
	}
	step, err := strconv.Atoi(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if done, err := strconv.Atoi(parts[2]); err == nil && done == 0 {
		return strings.TrimPrefix(parts[0], "M")
	}
	return "MA" + strconv.Itoa(step)
}

// TestGoldenAuthzStates recognises every golden database of permissions. There is no content in them, so none is worked on.
func TestGoldenAuthzStates(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		for _, name := range starts(t, e, "authz/", "*") {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				d := dbtest.Open(t, e)
				load(t, d, "authz/", name, true)
				st := state(t, d)
				if want := authzStateOf(t, name); st.Authz != want {
					t.Errorf("state %s (%+v), want %s", st.Authz, st.Notes, want)
				}
				if st.Status != Foreign {
					t.Errorf("status %s, want foreign: there is no content", st.Status)
				}
				var notes []string
				for _, n := range st.Notes {
					notes = append(notes, n.Code+" "+n.Table+" "+n.Key)
				}
				want := []string{"authz_older openedx_authz_* "}
				if st.Authz == currentAuthz {
					want = nil
				}
				if diff := cmp.Diff(want, notes); diff != "" {
					t.Errorf("notes (-want +got):\n%s", diff)
				}
				refuses(t, d, Create, AddLectern, Prepare, Require)
			})
		}
	}
}

// TestGoldenFreshAuthz compares the tables of permissions of a new site with those that openedx-authz 1.35.0 and Django 5.2
// made, and the platform's tables whose packages made them in a golden database.
func TestGoldenFreshAuthz(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, setup, func(t *testing.T, d *db.DB) {
		t.Parallel()
		var want struct {
			Ledger [][2]string
			Schema map[string]object
		}
		if err := json.Unmarshal(golden.Read(t, "db/authz/fresh-"+string(d.Engine())+".json"), &want); err != nil {
			t.Fatal(err)
		}
		var got map[string]object
		normal(t, describe(t, d), &got)
		for table, w := range want.Schema {
			if d.Engine() == db.SQLite {
				delete(w, "autoincrement_row")
				delete(w, "checks")
			}
			sortNames(w)
			sortNames(got[table])
			if diff := cmp.Diff(w, got[table]); diff != "" {
				t.Errorf("%s (-Django +Lectern):\n%s", table, diff)
			}
		}
		if len(want.Schema) != len(authz) {
			t.Errorf("%d tables of permissions, Django has %d", len(authz), len(want.Schema))
		}
		ledger, err := db.All(context.Background(), d, "SELECT app, name FROM django_migrations WHERE app IN ('casbin_adapter', 'openedx_authz') ORDER BY id",
			nil, func(r *db.Row) (m [2]string, err error) {
				err = r.Scan(&m[0], &m[1])
				return m, err
			})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Ledger, ledger); diff != "" {
			t.Errorf("ledger (-Django +Lectern):\n%s", diff)
		}
		for _, x := range slices.Concat(Authz(), Platform()) {
			if len(rows(t, d, x.Name)) > 0 {
				t.Errorf("%s has rows, a new site has none", x.Name)
			}
		}
	})
}

// TestGoldenFreshPlatform compares those of the platform's tables that a package of its own makes, and so stand in a golden
// database as on every site, with Lectern's.
func TestGoldenFreshPlatform(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		for _, name := range starts(t, e, "authz/", "*") {
			if name != "A11" {
				continue
			}
			t.Run(string(e), func(t *testing.T) {
				t.Parallel()
				d, site := dbtest.Ready(t, e, setup), dbtest.Open(t, e)
				load(t, site, "authz/", name, true)
				want, got := describe(t, site), describe(t, d)
				n := 0
				for table := range ofPlatform {
					if !strings.HasPrefix(table, "waffle_") || strings.HasPrefix(table, "waffle_utils_") {
						if table != "django_session" {
							continue
						}
					}
					n++
					if diff := cmp.Diff(want[table], got[table]); diff != "" {
						t.Errorf("%s (-Django +Lectern):\n%s", table, diff)
					}
				}
				if n != 6 {
					t.Errorf("%d tables compared", n)
				}
				query := "SELECT DISTINCT app, name FROM django_migrations WHERE app IN ('sessions', 'waffle') ORDER BY app, name"
				var rows [2][]Migration
				for i, d := range []*db.DB{site, d} {
					var err error
					if rows[i], err = db.All(context.Background(), d, query, nil, func(r *db.Row) (m Migration, err error) {
						err = r.Scan(&m.App, &m.Name)
						return m, err
					}); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(rows[0], rows[1]); diff != "" {
					t.Errorf("ledger (-Django +Lectern):\n%s", diff)
				}
			})
		}
	}
}

// TestGoldenVerifyAuthz compares tables of permissions that Django made with their definitions.
func TestGoldenVerifyAuthz(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		for _, name := range starts(t, e, "authz/", "A11*") {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				d := dbtest.Open(t, e)
				load(t, d, "authz/", name, true)
				v := &verifier{Dialect: DialectOf(d), authz: currentAuthz}
				err := d.View(context.Background(), func(tx *db.Tx) error { return v.look(context.Background(), tx) })
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range Authz() {
					v.table(x)
				}
				if len(v.findings) > 0 {
					t.Errorf("findings %+v, want none", v.findings)
				}
			})
		}
	}
}
