package authz_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
)

func TestGoldenShipped(t *testing.T) {
	t.Parallel()
	var want [][]string
	if err := json.Unmarshal(golden.Read(t, "authz/policy.json"), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, authz.Shipped()); diff != "" {
		t.Errorf("shipped rows (-want +got):\n%s", diff)
	}
}

// policy returns the rows that are no assignments, without their empty values.
func policy(t testing.TB, d *db.DB) [][]string {
	t.Helper()
	rows, err := db.All(context.Background(), d, "SELECT ptype, v0, v1, v2, v3 FROM casbin_rule WHERE ptype <> 'g' ORDER BY id", nil, func(r *db.Row) ([]string, error) {
		v := make([]string, 5)
		err := r.Scan(&v[0], &v[1], &v[2], &v[3], &v[4])
		for v[len(v)-1] == "" {
			v = v[:len(v)-1]
		}
		return v, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func seed(t testing.TB, d *db.DB, clear bool) (s *authz.Seeded) {
	t.Helper()
	ctx := context.Background()
	err := d.Update(ctx, func(tx *db.Tx) (err error) {
		s, err = authz.Seed(ctx, tx, clear, authz.Options{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSeed(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		if s := seed(t, d, false); len(s.Added) != 142 || len(s.Changes) != 1 || s.Changes[0].Version != version(t, d) {
			t.Errorf("an empty database: %d rows, changes %v", len(s.Added), s.Changes)
		}
		if diff := cmp.Diff(authz.Shipped(), policy(t, d)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		before := version(t, d)
		if s := seed(t, d, false); len(s.Added) != 0 || len(s.Changes) != 0 || version(t, d) != before {
			t.Errorf("again: %+v", s)
		}
		// What is missing comes back, at the end; what others added stays.
		if _, err := d.Exec(ctx, "DELETE FROM casbin_rule WHERE v0 = 'role^library_user'"); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Exec(ctx, "INSERT INTO casbin_rule (ptype, v0, v1, v2, v3, v4, v5) VALUES ('p', 'role^mine', 'act^x.y', 'lib^*', 'allow', '', '')"); err != nil {
			t.Fatal(err)
		}
		if _, err := do(d, authz.Assign, authz.Options{}, authz.Grant{"alice", "mine", library}, authz.Grant{"alice", "ccx_coach", course}); err != nil {
			t.Fatal(err)
		}
		if s := seed(t, d, false); len(s.Added) != 3 || len(policy(t, d)) != 143 {
			t.Errorf("after losing three: added %v", s.Added)
		}
		s := seed(t, d, true)
		if diff := cmp.Diff([]authz.Grant{{"alice", "mine", library}}, s.Unassigned); diff != "" {
			t.Errorf("assignments cleared (-want +got):\n%s", diff)
		}
		if len(s.Changes) != 3 || s.Changes[2].Version != version(t, d) || s.Changes[1].Previous != s.Changes[0].Version {
			t.Errorf("changes %v", s.Changes)
		}
		if diff := cmp.Diff(authz.Shipped(), policy(t, d)); diff != "" {
			t.Errorf("rows after clearing (-want +got):\n%s", diff)
		}
		if got := read(t, d); len(got.Rows) != 1 || len(got.Extended) != 1 || len(got.Audit) != 3 {
			t.Errorf("after clearing: %+v", got)
		}
	})
}

func TestSeedUnused(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		seedUnused := func() (s *authz.Seeded) {
			if err := d.Update(ctx, func(tx *db.Tx) (err error) {
				s, err = authz.SeedUnused(ctx, tx)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return s
		}
		if s := seedUnused(); len(s.Added) != 142 {
			t.Errorf("an empty database got %d rows", len(s.Added))
		}
		if _, err := d.Exec(ctx, "DELETE FROM casbin_rule"); err != nil {
			t.Fatal(err)
		}
		if s := seedUnused(); len(s.Added) != 0 {
			t.Errorf("a database emptied by hand got %d rows", len(s.Added))
		}
	})
}
