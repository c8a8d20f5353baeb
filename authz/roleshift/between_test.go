package roleshift_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
)

// TestCrash stops changes of a flag at every statement on SQLite, at some on servers, on the way there and on the way back, with
// one course that stays on its side: everything is as it was, and the same change then succeeds (M-37).
func TestCrash(t *testing.T) {
	t.Parallel()
	stop := errors.New("the machine stopped")
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			url := dbtest.ReadyURL(t, e, tables)
			open := func(f func(string) error) *db.DB {
				d, err := db.Open(t.Context(), url, db.Options{Fault: f})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = d.Close() })
				return d
			}
			d := open(nil)
			w := site(t, d, "ann Org "+one+" staff", "ben Org - instructor", "cleo Org "+two+" staff")
			w.set(two, "off")
			left := 0
			faulty := open(func(string) error {
				if left--; left == 0 {
					return stop
				}
				return nil
			})
			org, err := flags.ForOrg("Org")
			if err != nil {
				t.Fatal(err)
			}
			every := 1
			if e != db.SQLite {
				every = 6
			}
			for _, on := range []bool{true, false} {
				before, stopped := read(t, d), 0
				for n := 1; ; n += every {
					left = n
					err := faulty.Update(t.Context(), func(tx *db.Tx) error {
						_, _, _, err := roleshift.Flip(t.Context(), tx, org, flags.Change{On: on}, roleshift.Options{Shift: true})
						return err
					})
					if err == nil {
						break
					}
					stopped++
					if diff := cmp.Diff(before, read(t, d)); diff != "" {
						t.Fatalf("flip to %v stopped at statement %d (%v), something stayed:\n%s", on, n, err, diff)
					}
				}
				if stopped < 20/every {
					t.Errorf("flip to %v: stopped at %d statements only", on, stopped)
				}
			}
			same(t, "legacy rows in the end", legacyOf(read(t, d)), "ann Org "+one+" staff", "ben Org - instructor", "cleo Org "+two+" staff")
		})
	}
}

// TestBetween is a property: whatever flags of two courses and their organization operators turn at the same time, a reader finds
// for each course the roles of one side, all of them: never neither side, and never some of each (W-01, M-37, M-43).
func TestBetween(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		seed := uint64(time.Now().UnixNano())
		rng := rand.New(rand.NewPCG(seed, 1))
		var rows []string
		met := map[string]bool{}
		for len(rows) < 12 {
			r := fmt.Sprintf("%s Org %s %s", []string{"ann", "ben", "cleo"}[rng.IntN(3)], []string{one, two, "-"}[rng.IntN(3)],
				[]string{"staff", "instructor", "limited_staff", "data_researcher", "beta_testers"}[rng.IntN(5)])
			if !met[r] {
				met[r] = true
				rows = append(rows, r)
			}
		}
		w := site(t, d, rows...)
		want := w.rights()
		courses := []string{one, two}
		var scopes []flags.Scope
		for _, key := range []string{one, two, "Org"} {
			scopes = append(scopes, scopeOf(t, key))
		}
		var operators, readers sync.WaitGroup
		done := make(chan struct{})
		for i := range uint64(2) {
			operators.Go(func() {
				rng := rand.New(rand.NewPCG(seed, 2+i))
				for range 8 {
					sc, c := scopes[rng.IntN(3)], flags.Change{On: rng.IntN(2) == 0, Drop: rng.IntN(4) == 0}
					err := d.Update(t.Context(), func(tx *db.Tx) error {
						_, _, _, err := roleshift.Flip(t.Context(), tx, sc, c, roleshift.Options{Shift: true})
						return err
					})
					if err != nil {
						t.Errorf("%v to %+v: %v", sc, c, err)
					}
				}
			})
		}
		look := func() error {
			var s state
			var f *flags.State
			err := d.View(t.Context(), func(tx *db.Tx) (err error) {
				if f, err = flags.Load(t.Context(), tx, flags.Authoring); err != nil {
					return err
				}
				s, err = sides(t.Context(), tx)
				return err
			})
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, rightsOf(s, f, courses)); diff != "" {
				return fmt.Errorf("roles that count (-want +got):\n%s", diff)
			}
			return wrongSide(s, f, courses)
		}
		for range 2 {
			readers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					if err := look(); err != nil {
						t.Errorf("seed %d: a reader in between: %v", seed, err)
						return
					}
				}
			})
		}
		operators.Wait()
		close(done)
		readers.Wait()
		if err := look(); err != nil {
			t.Errorf("seed %d: in the end: %v", seed, err)
		}
	})
}

func scopeOf(t *testing.T, key string) flags.Scope {
	t.Helper()
	var sc flags.Scope
	var err error
	if k, perr := keys.ParseCourse(key); perr == nil {
		sc, err = flags.ForCourse(k)
	} else {
		sc, err = flags.ForOrg(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

// wrongSide finds roles of a course on the side that does not count there.
func wrongSide(s state, f *flags.State, courses []string) error {
	for _, c := range courses {
		on := f.Course(c, legacy.OrgOf(c), f.Everyone())
		for _, r := range s.Legacy {
			if _, mapped := legacy.Role(r[3]).Counterpart(); on && mapped && r[2] == c {
				return fmt.Errorf("the flag is on for %s, and it has the row %v", c, r)
			}
		}
		for _, r := range s.Rows {
			if !on && strings.TrimPrefix(r[2], "course-v1^") == c {
				return fmt.Errorf("the flag is off for %s, and it has the assignment %v", c, r)
			}
		}
	}
	return nil
}
