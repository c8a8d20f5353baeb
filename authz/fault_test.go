package authz_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

var errInjected = errors.New("injected")

// TestFaults has every statement of a change fail: everything is as before then, and the same change succeeds afterwards.
func TestFaults(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		url := dbtest.ReadyURL(t, e, site)
		ctx := context.Background()
		plain, err := db.Open(ctx, url, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		at, n, cause := 0, 0, errInjected
		faulty, err := db.Open(ctx, url, db.Options{Fault: func(string) error {
			if n++; n == at {
				return cause
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer faulty.Close()
		grants := []authz.Grant{{"alice", "course_admin", course}, {"bob", "course_staff", course2}, {"carol", "library_user", library}, {"dan", "library_user", "lib:*"}}
		work := []struct {
			name string
			fn   func(ctx context.Context, tx *db.Tx) error
		}{
			{"assign", func(ctx context.Context, tx *db.Tx) error {
				_, err := authz.Assign(ctx, tx, grants, authz.Options{})
				return err
			}},
			{"rename", func(ctx context.Context, tx *db.Tx) error {
				_, err := authz.RenameUser(ctx, tx, "alice", "eve", authz.Options{})
				return err
			}},
			{"unassign", func(ctx context.Context, tx *db.Tx) error {
				_, err := authz.Unassign(ctx, tx, grants[1:], authz.Options{})
				return err
			}},
			{"seed", func(ctx context.Context, tx *db.Tx) error {
				_, err := authz.Seed(ctx, tx, true, authz.Options{})
				return err
			}},
		}
		for _, c := range work {
			before := read(t, plain)
			v := version(t, plain)
			for at = 1; ; at++ {
				n, cause = 0, errInjected
				err := faulty.Update(ctx, func(tx *db.Tx) error { return c.fn(ctx, tx) })
				if err == nil {
					break // all of its statements were reached
				}
				if !errors.Is(err, errInjected) {
					t.Fatalf("%s, statement %d: %v", c.name, at, err)
				}
				if diff := cmp.Diff(before, read(t, plain)); diff != "" || version(t, plain) != v {
					t.Fatalf("%s, statement %d left something (-before +after):\n%s", c.name, at, diff)
				}
			}
			if at < 8 {
				t.Errorf("%s had %d statements", c.name, at-1)
			}
		}
		// Losing a race at any statement runs all of it again.
		if _, err := plain.Exec(ctx, "DELETE FROM openedx_authz_roleassignmentaudit"); err != nil {
			t.Fatal(err)
		}
		for at = 1; ; at++ {
			n, cause = 0, fmt.Errorf("lost: %w", db.ErrRetry)
			if err := faulty.Update(ctx, func(tx *db.Tx) error { return work[0].fn(ctx, tx) }); err != nil {
				t.Fatalf("statement %d: %v", at, err)
			}
			last := n < at
			if s := read(t, plain); len(s.Rows) != len(grants)+1 || len(s.Audit) != len(grants) {
				t.Fatalf("statement %d: %+v", at, s)
			}
			if last {
				break
			}
			if _, err := do(plain, authz.Unassign, authz.Options{}, grants...); err != nil {
				t.Fatal(err)
			}
			if _, err := plain.Exec(ctx, "DELETE FROM openedx_authz_roleassignmentaudit"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestStatements counts what is sent for a few grants and for many.
func TestStatements(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		n := 0
		d, err := db.Open(context.Background(), dbtest.ReadyURL(t, e, site), db.Options{OnStatement: func(string) { n++ }})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		count := func(write writer, grants []authz.Grant) int {
			n = 0
			w, err := do(d, write, authz.Options{}, grants...)
			if err != nil || w.Change.IsZero() {
				t.Fatalf("%v, %v", w, err)
			}
			return n
		}
		few, many := grantsOf(10), grantsOf(5000)
		small, large := count(authz.Assign, few), count(authz.Assign, many)
		// Per list of 512: look up keys and scopes by link and by key, overviews, and twelve tables written in batches.
		if small > 40 || large > small+10*5000/512+60 {
			t.Errorf("assigning took %d statements for 10 grants, %d for 5,000", small, large)
		}
		small, large = count(authz.Unassign, few), count(authz.Unassign, many[10:])
		if small > 25 || large > small+4*5000/512+40 {
			t.Errorf("unassigning took %d statements for 10 grants, %d for 5,000", small, large)
		}
	})
}

// grantsOf makes different grants, each on a course of its own every fifth.
func grantsOf(n int) []authz.Grant {
	gs := make([]authz.Grant, n)
	for i := range gs {
		gs[i] = authz.Grant{User: people[i%len(people)], Role: "course_staff", Scope: fmt.Sprintf("course-v1:OpenedX+C%d+R", i/len(people))}
	}
	return gs
}

// BenchmarkAssign makes 25,000 grants in 5,000 courses, an organization as a move of roles meets it.
func BenchmarkAssign(b *testing.B) {
	grants := grantsOf(25_000)
	for b.Loop() {
		b.StopTimer()
		d := dbtest.Ready(b, db.SQLite, site)
		b.StartTimer()
		if _, err := do(d, authz.Assign, authz.Options{}, grants...); err != nil {
			b.Fatal(err)
		}
	}
}
