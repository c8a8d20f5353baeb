package authz_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// held is the slow and obvious model: which grants there are, and in how many rows.
type held map[authz.Grant]int

// rows returns what casbin_rule must hold.
func (h held) rows() []string {
	var all []string
	for g, n := range h {
		ns, _, _ := strings.Cut(g.Scope, ":")
		for range n {
			all = append(all, "user^"+g.User+" | role^"+g.Role+" | "+ns+"^"+g.Scope)
		}
	}
	slices.Sort(all)
	return all
}

var (
	someRoles  = []string{"course_admin", "course_staff", "library_user"}
	someScopes = []string{course, course2, library, "lib:OpenedX:none", "course-v1:OpenedX+*", "lib:*"}
)

func someGrants(r *rand.Rand) []authz.Grant {
	gs := make([]authz.Grant, 1+r.IntN(12))
	for i := range gs {
		gs[i] = authz.Grant{User: people[r.IntN(len(people))], Role: someRoles[r.IntN(len(someRoles))], Scope: someScopes[r.IntN(len(someScopes))]}
	}
	return gs
}

// TestModel compares sequences of changes, some of them by Python, with the model.
func TestModel(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		r := rand.New(rand.NewPCG(6, uint64(len(d.Engine()))))
		h := held{}
		seed(t, d, false)
		index := 0 // rows that Python made by itself
		for step := range 60 {
			before := version(t, d)
			var w *authz.Written
			var err error
			want := ""
			op := r.IntN(10)
			switch gs := someGrants(r); {
			case op < 4:
				w, err = do(d, authz.Assign, authz.Options{}, gs...)
				for _, g := range gs {
					if h[g] > 0 {
						want += " present"
						continue
					}
					h[g] = 1
					want += " added"
				}
			case op < 7:
				w, err = do(d, authz.Unassign, authz.Options{}, gs...)
				for _, g := range gs {
					if h[g] == 0 {
						want += " absent"
						continue
					}
					delete(h, g)
					want += " removed"
				}
			case op < 8:
				w, err = do(d, func(ctx context.Context, tx *db.Tx, _ []authz.Grant, o authz.Options) (*authz.Written, error) {
					return authz.UnassignAll(ctx, tx, []string{gs[0].User}, o)
				}, authz.Options{})
				n := len(h)
				maps.DeleteFunc(h, func(g authz.Grant, _ int) bool { return g.User == gs[0].User })
				want = strings.Repeat(" removed", n-len(h))
			default: // Python, which raced with itself: a rule without an extended row, perhaps one that is there already
				index++
				ns, _, _ := strings.Cut(gs[0].Scope, ":")
				_, err = d.Exec(ctx, "INSERT INTO casbin_rule (ptype, v0, v1, v2, v3, v4, v5) VALUES ('g', ?, ?, ?, '', '', '')", "user^"+gs[0].User, "role^"+gs[0].Role, ns+"^"+gs[0].Scope)
				if err == nil {
					_, err = d.Exec(ctx, "UPDATE openedx_authz_policycachecontrol SET version = ? WHERE id = 1", uuid.New())
				}
				h[gs[0]]++
			}
			if err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			if w != nil {
				if got := outcomes(w); got != strings.TrimSpace(want) {
					t.Fatalf("step %d: outcomes %q, want %q", step, got, want)
				}
				changed := w.Count(authz.Added)+w.Count(authz.Removed) > 0
				if changed == w.Change.IsZero() || changed != (version(t, d) != before) || changed && (w.Change.Previous != before || w.Change.Version != version(t, d)) {
					t.Fatalf("step %d: change %+v of version %s to %s", step, w.Change, before, version(t, d))
				}
			}
			s := read(t, d)
			if diff := cmp.Diff(h.rows(), s.Rows); diff != "" {
				t.Fatalf("step %d, op %d: rows (-want +got):\n%s", step, op, diff)
			}
			for _, e := range s.Extended {
				key, rest, _ := strings.Cut(e, " | ")
				parts := strings.Split(key, ",")
				external, of, _ := strings.Cut(rest, " | ")
				_, sc, _ := strings.Cut(parts[3], "^")
				if strings.Contains(sc, "*") {
					sc = "null"
				}
				if !slices.Contains(s.Rows, strings.Join(parts[1:4], " | ")) || external != sc || "user^"+of != parts[1] {
					t.Fatalf("step %d: extended row %s", step, e)
				}
			}
		}
		if index == 0 {
			t.Error("Python did nothing")
		}
	})
}

// TestConcurrent has writers of the same grants race.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		start := version(t, d)
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for n := range errs {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(n), 1))
				for range 6 {
					write := authz.Assign
					if r.IntN(3) == 0 {
						write = authz.Unassign
					}
					if _, err := do(d, write, authz.Options{}, someGrants(r)...); err != nil {
						errs[n] = err
						return
					}
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		s := read(t, d)
		if rows := slices.Compact(slices.Clone(s.Rows)); len(rows) != len(s.Rows) || len(s.Extended) != len(s.Rows) {
			t.Errorf("%d rules, %d different ones, %d extended rows", len(s.Rows), len(rows), len(s.Extended))
		}
		if scopes := slices.Compact(slices.Clone(s.Scopes)); len(scopes) != len(s.Scopes) || len(slices.Compact(slices.Clone(s.Subjects))) != len(s.Subjects) {
			t.Errorf("scopes %q, subjects %q", s.Scopes, s.Subjects)
		}
		// The chain of changes leads from the first version to the last, and makes the rows.
		type step struct {
			version uuid.UUID
			delta   struct{ Added, Removed [][]string }
		}
		steps := map[uuid.UUID]step{}
		err := d.Query(ctx, "SELECT previous, version, delta FROM lectern_authzchange", nil, func(q *db.Row) error {
			var previous uuid.UUID
			var c step
			var text string
			if err := q.Scan(&previous, &c.version, &text); err != nil {
				return err
			}
			if _, twice := steps[previous]; twice {
				return fmt.Errorf("two changes of %s", previous)
			}
			steps[previous] = c
			return json.Unmarshal([]byte(text), &c.delta)
		})
		if err != nil {
			t.Fatal(err)
		}
		var first uuid.UUID
		for previous := range steps {
			if !slices.ContainsFunc(slices.Collect(maps.Values(steps)), func(s step) bool { return s.version == previous }) {
				if first != uuid.Nil {
					t.Fatal("the chain is broken")
				}
				first = previous
			}
		}
		if start != uuid.Nil && first != start {
			t.Errorf("the chain begins at %s, not %s", first, start)
		}
		n := 0
		for at := first; ; n++ {
			c, ok := steps[at]
			if !ok {
				if at != version(t, d) || n != len(steps) {
					t.Errorf("the chain ends at %s after %d of %d changes, the database is at %s", at, n, len(steps), version(t, d))
				}
				break
			}
			at = c.version
		}
	})
}

// TestChangesMakeTheRows replays the lists of changes.
func TestChangesMakeTheRows(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		r := rand.New(rand.NewPCG(3, 3))
		rows := map[string]bool{}
		for range 20 {
			write := authz.Assign
			if r.IntN(2) == 0 {
				write = authz.Unassign
			}
			w, err := do(d, write, authz.Options{}, someGrants(r)...)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range w.Change.Added {
				rows[strings.Join(x[1:], " | ")] = true
			}
			for _, x := range w.Change.Removed {
				delete(rows, strings.Join(x[1:], " | "))
			}
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(rows)), read(t, d).Rows); diff != "" {
			t.Errorf("rows by the changes (-want +got):\n%s", diff)
		}
	})
}
