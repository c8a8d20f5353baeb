package cluster

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestRolesMove has programs on two nodes turn the same flag both ways at once. Of two
// that meet one is given up by the cluster and starts again from its first read; so in the end all nodes have the state of one of
// the orders: one side has all roles, the one that the flag says, and every change that was accepted has its row in the history.
func TestRolesMove(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		create(t, c)
		nodes := all(t, c)
		ctx := t.Context()
		const people, each = 20, 3
		course := func(i int) string { return []string{"course-v1:Org+A+1", "course-v1:Org+B+1", ""}[i%each] }
		err := nodes[0].Update(ctx, func(tx *db.Tx) error {
			ids, err := tx.InsertIDs(ctx, "auth_user", []string{"password", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined"},
				people, func(i int, v []any) {
					name := "user" + string(rune('a'+i))
					v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8] = "!", false, name, "", "", name+"@example.org", false, true, tx.Now()
				})
			if err != nil {
				return err
			}
			return tx.Insert(ctx, "student_courseaccessrole", []string{"user_id", "org", "course_id", "role"}, people*each, func(i int, v []any) {
				v[0], v[1], v[2], v[3] = ids[i/each], "Org", course(i), "staff"
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		org, err := flags.ForOrg("Org")
		if err != nil {
			t.Fatal(err)
		}
		const flips = 6
		var wg sync.WaitGroup
		var mu sync.Mutex // guards the next
		runs := 0
		for n, d := range nodes[:2] {
			wg.Go(func() {
				for i := range flips {
					made := false
					err := d.Update(ctx, func(tx *db.Tx) error {
						_, run, _, err := roleshift.Flip(ctx, tx, org, flags.Change{On: (i+n)%2 == 0}, roleshift.Options{Shift: true})
						made = run != nil
						return err
					})
					if err != nil {
						t.Errorf("node %d, change %d: %v", n, i, err)
					}
					mu.Lock()
					if made {
						runs++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		var first []string
		for n, d := range nodes {
			rows, err := db.All(ctx, d, "SELECT CONCAT(user_id, ' ', org, ' ', course_id, ' ', role) FROM student_courseaccessrole", nil, db.Value[string])
			if err != nil {
				t.Fatal(err)
			}
			grants, err := db.All(ctx, d, "SELECT CONCAT(v0, ' ', v1, ' ', v2) FROM casbin_rule WHERE ptype = 'g'", nil, db.Value[string])
			if err != nil {
				t.Fatal(err)
			}
			got := slices.Concat(rows, grants)
			if slices.Sort(got); first == nil {
				first = got
			}
			if diff := cmp.Diff(first, got); diff != "" {
				t.Errorf("node %d has (-node 0 +it):\n%s", n, diff)
			}
			s, err := flags.Load(ctx, d, flags.Authoring)
			if err != nil {
				t.Fatal(err)
			}
			want := [2]int{people * each, 0}
			if s.Org("Org", false) {
				want = [2]int{0, people * each}
			}
			if have := [2]int{len(rows), len(grants)}; have != want {
				t.Errorf("node %d, flag %v: %d role rows and %d assignments", n, s.Org("Org", false), have[0], have[1])
			}
			history, err := flags.History(ctx, d, flags.Authoring, org)
			if err != nil || len(history) != 2*flips {
				t.Errorf("node %d: %d changes of the flag (%v), want %d", n, len(history), err, 2*flips)
			}
			for i := 1; i < len(history); i++ {
				if !history[i].Changed.Before(history[i-1].Changed) {
					t.Errorf("node %d: change %d of %v is not before change %d of %v", n, history[i].ID, history[i].Changed, history[i-1].ID, history[i-1].Changed)
				}
			}
			list, err := roleshift.Runs(ctx, d, roleshift.Filter{})
			if err != nil || len(list) != runs {
				t.Errorf("node %d: %d runs (%v), want %d", n, len(list), err, runs)
			}
			serial(t, list, want[1] > 0)
		}
	})
}

// serial reports runs that cannot have followed one another, each the other way than the one before. Ids do not tell the order:
// each node has its own.
func serial(t *testing.T, list []roleshift.Run, on bool) {
	t.Helper()
	balance := 0
	for _, r := range list {
		switch {
		case r.Status != roleshift.Completed || r.Moved != 60:
			t.Errorf("run %d is %s with %d rows moved", r.ID, r.Status, r.Moved)
		case r.Direction == roleshift.Forward:
			balance++
		default:
			balance--
		}
	}
	if want := map[bool]int{true: 1, false: 0}[on]; balance != want {
		t.Errorf("there are %d more runs forward than back, want %d", balance, want)
	}
}
