package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/conversion"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/learnerstate"
)

// learners makes the platform's table with rows of a converted course, of one that was not, and of one of today, and saves the
// conversion.
func (s *site) learners() {
	s.exec(`CREATE TABLE courseware_studentmodule (id bigint PRIMARY KEY, module_type varchar(32) NOT NULL, module_id varchar(255) NOT NULL, student_id int NOT NULL,
		course_id varchar(255) NOT NULL, state text)`)
	s.exec(`CREATE INDEX courseware_course ON courseware_studentmodule (course_id)`)
	answers := `{"student_answers": {"i4x-A-B-problem-q_2_1": "x"}}`
	for i, r := range [][4]string{
		{"problem", "i4x://A/B/problem/q", "A/B/c", answers}, {"problem", "i4x://A/B/problem/q", "A/B/c", answers},
		{"html", "i4x://A/B/html/gone", "A/B/c", "{}"}, {"problem", "i4x://A/B/problem/q", "A/B/other", "{}"},
		{"problem", "block-v1:X+Y+z+type@problem+block@p", "course-v1:X+Y+z", "{}"}, {"problem", "nonsense", "A/B/c", "{}"},
	} {
		s.exec(`INSERT INTO courseware_studentmodule VALUES (?, ?, ?, ?, ?, ?)`, i+1, r[0], r[1], i, r[2], r[3])
	}
	s.convertedTo("A/B/c", "course-v1:A+B+c")
}

func (s *site) convertedTo(source, target string) {
	s.t.Helper()
	to := s.course(target)
	err := s.app.DB.Update(s.t.Context(), func(tx *db.Tx) error {
		pkg, err := publishing.CreatePackage(s.t.Context(), tx, publishing.NewPackage{Ref: target, Title: "T"})
		if err != nil {
			return err
		}
		k, err := to.Usage("problem", "q")
		if err != nil {
			return err
		}
		_, err = conversion.Save(s.t.Context(), tx, conversion.Conversion{Package: pkg.ID, Source: source, Store: "oldmongo", Target: target,
			Digest: strings.Repeat("a", 64), Options: strings.Repeat("b", 64)}, slices.Values([]conversion.Key{
			{Old: source, New: target, View: "both"}, {Old: "i4x://A/B/problem/q", New: k.String(), View: "both"},
		}))
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) stateRows() []string {
	s.t.Helper()
	list, err := db.All(s.t.Context(), s.app.DB, `SELECT id, module_type, module_id, student_id, course_id, state FROM courseware_studentmodule ORDER BY id`, nil, func(r *db.Row) (string, error) {
		var id, student int64
		var a, b, c, d string
		err := r.Scan(&id, &a, &b, &student, &c, &d)
		return fmt.Sprint(id, a, b, student, c, d), err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

func TestStateMap(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		s := newSite(t, e)
		s.learners()
		before := s.stateRows()
		dir := t.TempDir()
		o := StateMapOptions{CSV: filepath.Join(dir, "map.csv"), SQL: filepath.Join(dir, "map.sql"), Dialect: "postgres", Lost: filepath.Join(dir, "lost.csv"), Limit: 2, Rewrites: true}
		got, err := s.app.StateMap(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		want := learnerstate.Counts{Rows: 6, Maps: 2, NotConverted: 1, NotInMap: 1, BadKey: 1, New: 1, Reasons: map[string]int64{learnerstate.Deleted: 1}}
		if diff := cmp.Diff(want, got.Rows.All); diff != "" {
			t.Error(diff)
		}
		if len(got.Rows.Courses) != 3 || got.Rows.Courses[0].Target != "course-v1:A+B+c" || len(got.Rows.Types) != 2 || len(got.Rows.Lost) != 2 {
			t.Errorf("%+v", got.Rows)
		}
		if len(got.Rows.Rewrites) != 1 || got.Rows.Rewrites[0].Answers != 2 || got.Rows.Rewrites[0].NewHTML != "q" {
			t.Errorf("%+v", got.Rows.Rewrites)
		}
		if diff := cmp.Diff([]MappedCourse{{"A/B/c", "course-v1:A+B+c", 1}}, got.Courses); diff != "" {
			t.Error(diff)
		}
		if n := len(got.Tables); n != 2 || got.Tables[1].Rows != 4 { // the other is that of overviews
			t.Errorf("%+v", got.Tables)
		}
		for name, lines := range map[string]int{"map.csv": 2, "lost.csv": 4} {
			text, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // of this test
			if err != nil || strings.Count(string(text), "\n") != lines {
				t.Errorf("%s: %s %v", name, text, err)
			}
		}
		if diff := cmp.Diff(before, s.stateRows()); diff != "" {
			t.Errorf("learners' rows have changed: %s", diff)
		}

		// Only the rows of the courses that are named count; by either key.
		for _, key := range []string{"A/B/c", "course-v1:A+B+c"} {
			got, err := s.app.StateMap(t.Context(), StateMapOptions{Keys: []string{key}})
			if err != nil || got.Rows.All.Rows != 4 {
				t.Errorf("%s: %+v %v", key, got, err)
			}
		}
		if _, err := s.app.StateMap(t.Context(), StateMapOptions{Keys: []string{"A/B/other"}}); !fault.Is(err, fault.NotFound) {
			t.Errorf("not converted: %v", err)
		}

		// A source with two targets has to be named by one of them.
		s.convertedTo("A/B/c", "course-v1:A+B+c2")
		if _, err := s.app.StateMap(t.Context(), StateMapOptions{Keys: []string{"A/B/c"}}); !fault.Is(err, fault.Conflict) {
			t.Errorf("two targets: %v", err)
		}
		if got, err := s.app.StateMap(t.Context(), StateMapOptions{Keys: []string{"course-v1:A+B+c2"}}); err != nil || got.Courses[0].Target != "course-v1:A+B+c2" {
			t.Errorf("%+v %v", got, err)
		}
	})
}

// A file of rows says what the table does.
func TestStateMapFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, db.SQLite)
	s.convertedTo("A/B/c", "course-v1:A+B+c")
	if got, err := s.app.StateMap(t.Context(), StateMapOptions{}); err != nil || got.Rows != nil {
		t.Errorf("without rows: %+v %v", got, err)
	}
	if _, err := s.app.StateMap(t.Context(), StateMapOptions{Rewrites: true}); !fault.Is(err, fault.Refused) {
		t.Errorf("a report without rows: %v", err)
	}
	file := filepath.Join(t.TempDir(), "rows.csv")
	var text strings.Builder
	text.WriteString("id,module_type,module_id,course_id,state\n")
	for i := range 200 { // more courses than maps are kept, in no order
		fmt.Fprintf(&text, "%d,problem,i4x://A/B/problem/q,A/B/%d,{}\n%d,problem,i4x://A/B/problem/q,A/B/c,\n", 2*i, i, 2*i+1)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := s.app.StateMap(t.Context(), StateMapOptions{Rows: file, Rewrites: true})
	if err != nil || got.Rows.All.Maps != 200 || got.Rows.All.NotConverted != 200 || got.Rows.Rewrites[0].Rows != 200 {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := s.app.StateMap(t.Context(), StateMapOptions{Rows: file + "x"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("no file: %v", err)
	}
}
