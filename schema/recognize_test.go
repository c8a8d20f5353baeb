package schema

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/internal/goldendb"
)

// stateOf returns the state that the name of a golden start tells (its README, content-migrations.md §3.3).
func stateOf(name string) string {
	known := map[string]string{
		"B-ahead": "X2", "B-gap": "X5", "B-future": "X1", "B-case-stopped": "M10", "B-unicode-stopped": "M9",
		"O18": "O", "O26": "O", "T1": "T", "T4": "T", "T7": "T", "N48": "C14", "N115": "C14", "U-at-1.15.2": "C14",
		"M0004-00": "C3", "S12a": "C12a",
	}
	if s, ok := known[name]; ok {
		return s
	}
	number, _, _ := strings.Cut(name[1:], "-")
	n, err := strconv.Atoi(number)
	switch {
	case strings.HasPrefix(name, "B-"):
		return "U"
	case name[0] == 'M' && n == 2:
		return "M"
	case err == nil && name[0] == 'M':
		return "M" + strconv.Itoa(n)
	case err == nil && name[0] == 'S':
		return "C" + strconv.Itoa(n)
	}
	return name
}

// TestGoldenStates recognises every golden database and shows that it is not worked on unless it is current.
func TestGoldenStates(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		for _, name := range starts(t, e, "", "*") {
			if !worthwhile(e, name) {
				continue
			}
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				d := dbtest.Open(t, e)
				load(t, d, "", name, false)
				st, err := Recognize(context.Background(), d)
				if err != nil {
					t.Fatal(err)
				}
				want := stateOf(name)
				if st.Content != want {
					t.Fatalf("state %s (%s), want %s", st.Content, st.Reason, want)
				}
				if minor := strings.TrimPrefix(name, "O"); minor != name && !covers(st.Package, minor) {
					t.Errorf("package %q, want one with openedx-learning 0.%s", st.Package, minor)
				}
				err = Create(context.Background(), d)
				var f *fault.Error
				if current := st.Status == Current; !current && (!errors.As(err, &f) || f.Kind != fault.Refused || f.Next == "") {
					t.Errorf("Create: %v, want refused with a next step", err)
				}
			})
		}
	}
}

// covers reports whether a release such as "openedx-learning 0.25 to 0.28" is one of the minor version.
func covers(release, minor string) bool {
	var from, to, n int
	if k, _ := fmt.Sscanf(release, "openedx-learning 0.%d to 0.%d", &from, &to); k == 1 {
		to = from
	}
	_, err := fmt.Sscan(minor, &n)
	return err == nil && from <= n && n <= to
}

// worthwhile leaves out what would only take time: a server needs a second or two for a dump, and most differ from
// SQLite's in nothing that recognition looks at. Interrupted states exist on the MySQL family alone.
func worthwhile(e db.Engine, name string) bool {
	switch e {
	case db.MariaDB:
		return name == "S12" || strings.HasPrefix(name, "M") || strings.HasSuffix(name, "-stopped")
	case db.MySQL:
		return slices.Contains([]string{"M0003-06", "M0010-07", "M0013-01", "S12"}, name)
	case db.PostgreSQL:
		return slices.Contains([]string{"S12", "T4", "U"}, name)
	}
	return true
}

// needless are the statements for what recognition does not look at, where making a table takes its time.
var needless = regexp.MustCompile("^(DROP TABLE|LOCK TABLES|UNLOCK|ALTER TABLE|CREATE TABLE `(auth|organizations|content_|contentstore|modulestore)" +
	"|INSERT INTO `([a-ce-z]|django_content))")

// starts returns the golden databases of an engine, of content (of is "") or of permissions ("authz/").
func starts(t *testing.T, e db.Engine, of, pattern string) []string {
	t.Helper()
	if of != "" {
		return goldendb.AuthzStarts(t, e, pattern)
	}
	return goldendb.Starts(t, e, pattern)
}

// load loads a golden database, on the MySQL family only what recognition looks at unless the whole is asked for.
func load(t *testing.T, d *db.DB, of, name string, whole bool) {
	t.Helper()
	folder := goldendb.Folder(d.Engine())
	if of != "" {
		folder = goldendb.AuthzFolder(d.Engine())
	}
	goldendb.LoadPart(t, d, string(golden.ReadGz(t, folder+name+".sql.gz")), func(stmt string) bool {
		return d.Engine().MySQLFamily() && !whole && needless.MatchString(stmt)
	})
}

// TestRecognizeLooksAgain has somebody change tables while they are looked at, as the MySQL family tells of it.
func TestRecognizeLooksAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := dbtest.ReadyURL(t, db.SQLite, setup)
	disturbed := 0
	d, err := db.Open(ctx, url, db.Options{Fault: func(sql string) error {
		if strings.Contains(sql, "django_migrations") && disturbed < 3 {
			disturbed++
			return fmt.Errorf("table definition has changed: %w", db.ErrRetry)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	if st, err := Recognize(ctx, d); err != nil || st.Status != Current || disturbed != 3 {
		t.Errorf("%+v, %v, disturbed %d times", st, err, disturbed)
	}
	disturbed = 0
	if err := Require(ctx, d); err != nil || disturbed != 3 {
		t.Errorf("%v, disturbed %d times", err, disturbed)
	}
}
