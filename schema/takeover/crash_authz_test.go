package takeover

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/schema"
)

// TestGoldenAuthzCrash is TestGoldenCrash for the tables of permissions: on SQLite from every start from before step 0006, on
// servers from the oldest, and from all of any age with LECTERN_TEST_ALL.
func TestGoldenAuthzCrash(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		names, proven := earliest(t, e), &sync.Map{}
		switch {
		case thorough():
			names = goldendb.AuthzStarts(t, e, "*")
		case e != db.SQLite && len(names) > 0:
			names, proven = names[:1], nil
		}
		for _, name := range names {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				joins := thorough() && e != db.SQLite && name != names[0]
				if !thorough() || e == db.SQLite || joins {
					t.Parallel() // else it goes before those that join it
				}
				end := goldendb.AuthzEndOf(t, e, name)
				c := crash{engine: e, url: dbtest.URL(t, e), migrate: migrating(Options{}), proven: proven, join: joins, sparing: joins || e == db.MySQL, leap: leap(e)}
				if e == db.PostgreSQL && !thorough() {
					c.stride = 11 // what a transaction undoes is undone alike
				}
				before := loadAuthz(t, c.url, name)
				c.sane = func(st schema.State) bool { return st.Authz != "A0" && !strings.HasPrefix(st.Authz, "X") }
				c.ended = func(t *testing.T, d *db.DB) {
					t.Helper()
					before.compare(t, d, end)
				}
				c.run(t)
				c.ended(t, open(t, c.url, db.Options{}))
				least := 8
				if c.stride > 1 || c.leap > 1 {
					least = 4 // it runs past some
				}
				if age, _, _ := strings.Cut(name, "-"); !joins && c.states < least && slices.Contains(earliest(t, e), name) {
					t.Errorf("from %s on there were %d states only", age, c.states)
				}
			})
		}
	}
}

// earliest returns the starts in which legacy permissions are still to be moved, oldest first.
func earliest(t *testing.T, e db.Engine) []string {
	t.Helper()
	return slices.DeleteFunc(goldendb.AuthzStarts(t, e, "A[1-5]*"), func(name string) bool {
		age, _, _ := strings.Cut(name, "-")
		return len(age) > len("A5")
	})
}

// loadAuthz loads a golden database of permissions and returns what it holds.
func loadAuthz(t *testing.T, url, name string) goldenSite {
	t.Helper()
	d, err := db.Open(t.Context(), url, db.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	goldendb.LoadAuthz(t, d, name)
	before := readSite(t, d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return before
}
