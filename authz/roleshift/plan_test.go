package roleshift_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/user"
)

// TestPlanIsRecord turns flags on sites at random, as a plan that is undone first: what the plan tells of each row is what the
// run then keeps of it, in its order, in one transaction and in batches (M-57).
func TestPlanIsRecord(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		seed := uint64(time.Now().UnixNano())
		r := rand.New(rand.NewPCG(seed, 7))
		w := site(t, d)
		rounds := 40
		if d.Engine() != db.SQLite {
			rounds = 8
		}
		for range rounds {
			w.must(func(tx *db.Tx) error { return scatter(t, tx, r) })
			key := []string{"Org", "Org", one, two}[r.IntN(4)]
			c, o := flags.Change{On: r.IntN(2) == 0, Drop: r.IntN(5) == 0}, roleshift.Options{Shift: true, KeepGoing: r.IntN(2) == 0}
			scope := flagScope(t, key)
			what := fmt.Sprintf("seed %d: %s to %+v", seed, key, c)
			if r.IntN(2) == 0 {
				inOneStep(t, d, scope, c, o, what)
			} else {
				inBatches(t, d, scope, c, o, what)
			}
		}
	})
}

var errUndone = errors.New("undone")

func undone(d *db.DB, t *testing.T, fn func(tx *db.Tx) error) error {
	t.Helper()
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return errUndone
	})
	if errors.Is(err, errUndone) {
		return nil
	}
	return err
}

func inOneStep(t *testing.T, d *db.DB, scope flags.Scope, c flags.Change, o roleshift.Options, what string) {
	t.Helper()
	var plan, run *roleshift.Run
	flip := func(to **roleshift.Run) func(tx *db.Tx) error {
		return func(tx *db.Tx) (err error) {
			_, *to, _, err = roleshift.Flip(t.Context(), tx, scope, c, o)
			return err
		}
	}
	if err := undone(d, t, flip(&plan)); err != nil {
		t.Fatalf("%s: plan: %v", what, err)
	}
	if err := d.Update(t.Context(), flip(&run)); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if plan == nil || run == nil {
		if plan != run {
			t.Errorf("%s: plan %v, run %v", what, plan, run)
		}
		return
	}
	sameRows(t, d, what, plan.Moves.Records, run.ID, func(list []roleshift.Record) (out []string) {
		for _, r := range list {
			out = append(out, fmt.Sprintf("%d %s %s %s: %s %s %s", r.Row, r.User, r.Role, r.Scope, r.Outcome, r.Reason, r.Note))
		}
		return out
	})
}

func inBatches(t *testing.T, d *db.DB, scope flags.Scope, c flags.Change, o roleshift.Options, what string) {
	t.Helper()
	var ask roleshift.Ask
	err := undone(d, t, func(tx *db.Tx) (err error) {
		ask, _, err = roleshift.Intend(t.Context(), tx, scope, c, o)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if ask.Direction == "" {
		return
	}
	plan, err := roleshift.Preview(t.Context(), func(_ context.Context, fn func(*db.Tx) error) error { return undone(d, t, fn) }, ask, roleshift.Batches{})
	if err != nil {
		t.Fatalf("%s: plan: %v", what, err)
	}
	run, err := batches(t.Context(), d, scope, c, o)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if plan.Moved != run.Moved || plan.Merged != run.Merged || plan.Left != run.Left || plan.Derived != run.Derived || plan.NotEligible != run.NotEligible {
		t.Errorf("%s: plan %+v, run %+v", what, plan, run)
	}
	sameRows(t, d, what, plan.Moves.Records, run.ID, linesOf) // roles in the whole organization are made at the turn
}

func sameRows(t *testing.T, d *db.DB, what string, plan []roleshift.Record, run int64, lines func([]roleshift.Record) []string) {
	t.Helper()
	list, _, err := roleshift.Details(t.Context(), d, run, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines(plan), lines(list)); diff != "" {
		t.Errorf("%s (-plan +run):\n%s", what, diff)
	}
}

// scatter adds some rows and assignments, and turns the flags of some courses without moving roles.
func scatter(t *testing.T, tx *db.Tx, r *rand.Rand) error {
	t.Helper()
	people := []string{"ann", "ben", "cleo"}
	ids, err := user.IDs(t.Context(), tx, people)
	if err != nil {
		return err
	}
	courses := []string{one, two, off, on, "", "library-v1:Org+L", "course-v1:Other+X+2026"}
	var rows []legacy.Row
	var grants []authz.Grant
	for range r.IntN(5) {
		role := []legacy.Role{legacy.Instructor, legacy.Staff, legacy.BetaTesters, "finance_admin"}[r.IntN(4)]
		rows = append(rows, legacy.Row{User: ids[people[r.IntN(3)]], Org: []string{"Org", "Org", "Other"}[r.IntN(3)], Course: courses[r.IntN(len(courses))], Role: role})
	}
	for range r.IntN(4) {
		grants = append(grants, authz.Grant{User: people[r.IntN(3)], Role: []string{"course_admin", "course_staff", "course_editor"}[r.IntN(3)],
			Scope: []string{one, two, off, on, "course-v1:Org+*"}[r.IntN(5)]})
	}
	if _, err := legacy.Add(t.Context(), tx, rows); err != nil {
		return err
	}
	if _, err := authz.Assign(t.Context(), tx, grants, authz.Options{}); err != nil {
		return err
	}
	if r.IntN(3) == 0 {
		_, err = flags.Set(t.Context(), tx, flags.Authoring, flagScope(t, []string{off, on}[r.IntN(2)]), flags.Change{On: r.IntN(2) == 0, Drop: r.IntN(3) == 0})
	}
	return err
}
