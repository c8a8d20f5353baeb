package cli_test

import (
	gocmp "cmp"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
)

// manyRoles is a site whose organization has so many role rows that they move in three batches.
type manyRoles struct {
	*pair
	d    *db.DB
	rows []legacy.Row
}

func newManyRoles(t *testing.T, e db.Engine) *manyRoles {
	const rows, people = 9000, 30
	m := &manyRoles{pair: &pair{T: t, db: dbtest.ReadyURL(t, e, newSite), data: t.TempDir()}}
	var err error
	if m.d, err = db.Open(t.Context(), m.db, db.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.d.Close() })
	err = m.d.Update(t.Context(), func(tx *db.Tx) error {
		ids, err := tx.InsertIDs(t.Context(), "auth_user", []string{"password", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined"},
			people, func(i int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8] = "!", false, fmt.Sprintf("user%d", i), "", "", fmt.Sprintf("user%d@example.org", i), false, true, tx.Now()
			})
		if err != nil {
			return err
		}
		return tx.Insert(t.Context(), "student_courseaccessrole", []string{"user_id", "org", "course_id", "role"}, rows, func(i int, v []any) {
			v[0], v[1], v[2], v[3] = ids[i%people], "Org", fmt.Sprintf("course-v1:Org+C%d+2026", i/people), "staff"
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	m.rows = m.legacy()
	return m
}

// legacy are the role rows, without their ids.
func (m *manyRoles) legacy() []legacy.Row {
	m.Helper()
	rows, err := legacy.Select(m.Context(), m.d, legacy.Selection{})
	if err != nil {
		m.Fatal(err)
	}
	for i := range rows {
		rows[i].ID = 0
	}
	slices.SortFunc(rows, func(a, b legacy.Row) int {
		return gocmp.Or(gocmp.Compare(a.User, b.User), strings.Compare(a.Course, b.Course))
	})
	return rows
}

// sides returns what the flag comes to, and how many roles are on each side.
func (m *manyRoles) sides() (on bool, rows, grants int) {
	m.Helper()
	err := m.d.View(m.Context(), func(tx *db.Tx) error {
		s, err := flags.Load(m.Context(), tx, flags.Authoring)
		if err != nil {
			return err
		}
		on = s.Org("Org", s.Everyone())
		if err := legacy.EachRow(m.Context(), tx, func(legacy.Row) { rows++ }); err != nil {
			return err
		}
		return authz.EachCourseGrant(m.Context(), tx, func(authz.Grant) { grants++ })
	})
	if err != nil {
		m.Fatal(err)
	}
	return on, rows, grants
}

// left returns the run that is said to be at work, 0 for none.
func (m *manyRoles) left() int64 {
	m.Helper()
	list, err := roleshift.Runs(m.Context(), m.d, roleshift.Filter{Status: roleshift.Running})
	if err != nil || len(list) > 1 {
		m.Fatalf("%+v, %v", list, err)
	}
	if len(list) == 0 {
		return 0
	}
	return list[0].ID
}

// lectern is a process that does a command, with few rows being many.
func (m *manyRoles) lectern(args ...string) *exec.Cmd {
	cmd := exec.Command("lectern", append(args, "--db", m.db, "--data", m.data)...) //nolint:gosec,noctx // the program under test
	cmd.Env = append(os.Environ(), "LECTERN_DB=", "LECTERN_DATA=", "LECTERN_AUTHZ_ONE_STEP=1000")
	return cmd
}

// killed has a process turn the flag, and kills it when its run is in the middle of a step; false where it was done before.
func (m *manyRoles) killed(value, step string) bool {
	m.Helper()
	cmd := m.lectern("flag", "set", flags.Authoring, value, "--org", "Org", "--shift")
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	for {
		at, found, err := db.One(m.Context(), m.d, "SELECT step FROM lectern_authzshift WHERE done > 0 OR step <> 'copy'", nil, db.Value[string])
		if err != nil {
			m.Fatal(err)
		}
		if found && at == step {
			break
		}
		select {
		case <-ended:
			return false
		case <-time.After(time.Millisecond):
		}
	}
	_ = cmd.Process.Kill() // it may have ended
	<-ended
	return m.left() != 0
}

// TestShiftKilled kills the process that turns the flag for very many roles: while it copies, and while it cleans up after the
// turn. Everybody has all roles on the side of the flag right then, and the next process goes on.
func TestShiftKilled(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		if e != db.SQLite && e != db.MariaDB {
			continue
		}
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			m := newManyRoles(t, e)
			steps, value := []string{"copy", "clean"}, map[bool]string{true: "on", false: "off"}
			to := true
			for tries := 0; len(steps) > 0; tries++ {
				if tries == 20 {
					t.Fatalf("in %d tries it was never killed at %v", tries, steps)
				}
				if m.killed(value[to], steps[0]) {
					on, rows, grants := m.sides()
					if on && grants != len(m.rows) || !on && rows != len(m.rows) {
						t.Fatalf("killed at %s: the flag is on: %v, %d rows, %d assignments", steps[0], on, rows, grants)
					}
					again := []string{"flag", "set", flags.Authoring, value[to], "--org", "Org", "--shift"}
					if on == to { // which would find nothing to do
						again = []string{"authz", "runs", itoa(m.left()), "--resume"}
					}
					if out, err := m.lectern(again...).CombinedOutput(); err != nil {
						t.Fatalf("killed at %s, %v: %v\n%s", steps[0], again, err, out)
					}
					steps = steps[1:]
				}
				on, rows, grants := m.sides()
				if on != to || m.left() != 0 || on && (rows != 0 || grants != len(m.rows)) || !on && (rows != len(m.rows) || grants != 0) {
					t.Fatalf("in the end the flag is on: %v, %d rows, %d assignments, run %d is at work", on, rows, grants, m.left())
				}
				to = !to
			}
			if on, _, _ := m.sides(); on {
				if out, err := m.lectern("flag", "set", flags.Authoring, "off", "--org", "Org", "--shift").CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			if diff := cmp.Diff(m.rows, m.legacy()); diff != "" {
				t.Errorf("rows at first, and in the end:\n%s", diff)
			}
		})
	}
}
