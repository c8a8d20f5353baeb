package cluster

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/user"
)

// TestAssignments gives roles on all nodes at once, some of them the same on each: each is given once, and permissions on
// all nodes follow by themselves; so they do when they are taken back on yet another node.
func TestAssignments(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		s := newSite(t, c)
		const people, rounds = 8, 5
		s.must(s.apps[0].Update(t.Context(), func(tx *db.Tx) error {
			for i := range people {
				name := fmt.Sprintf("p%d", i)
				if _, err := user.Create(t.Context(), tx, user.New{Username: name, Email: name + "@example.org"}); err != nil {
					return err
				}
			}
			return nil
		}))
		watching, stop := context.WithCancel(t.Context())
		var background sync.WaitGroup
		defer background.Wait()
		defer stop()
		for i, a := range s.apps {
			background.Go(func() {
				if err := a.Watch(watching, 0); err != nil && watching.Err() == nil {
					t.Errorf("node %d: %v", i, err)
				}
			})
		}
		var mu sync.Mutex // guards added
		added := map[authz.Grant]int{}
		var giving sync.WaitGroup
		for i, a := range s.apps {
			giving.Go(func() {
				for round := range rounds {
					var grants []authz.Grant
					for n := range people {
						who := fmt.Sprintf("p%d", n)
						grants = append(grants, authz.Grant{User: who, Role: "library_user", Scope: fmt.Sprintf("lib:Shared:L%d", round)},
							authz.Grant{User: who, Role: "library_admin", Scope: fmt.Sprintf("lib:Node%d:L%d", i, round)})
					}
					w, err := a.Assign(t.Context(), grants, app.TeamChange{})
					if err != nil {
						t.Errorf("node %d: %v", i, err)
						continue
					}
					mu.Lock()
					for _, r := range w.Results {
						if r.Outcome == authz.Added {
							added[r.Grant]++
						}
					}
					mu.Unlock()
				}
			})
		}
		giving.Wait()
		want := people * rounds * (1 + len(s.apps))
		if len(added) != want {
			t.Errorf("%d different roles were given, want %d", len(added), want)
		}
		for g, n := range added {
			if n != 1 {
				t.Errorf("%v was given %d times", g, n)
			}
		}
		everywhere := func(what string, count int) {
			t.Helper()
			for i, a := range s.apps {
				for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
					list, err := a.Engine().Index().Assigned(authz.Exact{})
					s.must(err)
					if len(list) == count {
						break
					}
					if time.Now().After(end) {
						t.Fatalf("node %d knows %d roles after %s, want %d", i, len(list), what, count)
					}
				}
			}
		}
		everywhere("giving", want)
		for _, a := range s.apps {
			for i := range s.apps {
				if yes, err := a.Engine().Index().Allowed("p3", "content_libraries.manage_library_team", fmt.Sprintf("lib:Node%d:L2", i)); !yes || err != nil {
					t.Errorf("p3 may not manage the team of node %d: %v", i, err)
				}
			}
		}
		var taken []authz.Grant
		for g := range added {
			if g.Role == "library_user" {
				taken = append(taken, g)
			}
		}
		_, err := s.apps[1].Unassign(t.Context(), taken, app.TeamChange{})
		s.must(err)
		everywhere("taking", want-len(taken))
		rows := s.c.Open(t, 2, db.Options{})
		n, _, err := db.One(t.Context(), rows, "SELECT COUNT(*) FROM casbin_rule WHERE ptype = 'g'", nil, db.Value[int])
		if err != nil || n != want-len(taken) {
			t.Errorf("there are %d rows, %v; want %d", n, err, want-len(taken))
		}
	})
}
