package learnerstate_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/learnerstate"
)

// of is a converted course with these blocks, by type/name, which keep their names.
func of(source, target string, pairs ...string) learnerstate.Course {
	return learnerstate.Course{Source: source, Target: target, Keys: func(fn func(learnerstate.Mapping) error) error {
		for i := 0; i < len(pairs); i += 2 {
			if err := fn(learnerstate.Mapping{Old: pairs[i], New: pairs[i+1]}); err != nil {
				return err
			}
		}
		return nil
	}}
}

const (
	oldKey = "i4x://A/B/problem/q.1"
	newKey = "block-v1:A+B+c+type@problem+block@q.1"
)

func courses() (c learnerstate.Course, all []learnerstate.Course) {
	long := strings.Repeat("n", 230)
	c = of("A/B/c", "course-v1:A+B+c", "A/B/c", "course-v1:A+B+c", oldKey, newKey, "i4x://A/B/course/c", "block-v1:A+B+c+type@course+block@course",
		"i4x://A/B/html/"+long, "block-v1:A+B+c+type@html+block@"+long, "/c4x/A/B/asset/a.png", "asset-v1:A+B+c+type@asset+block@a.png")
	return c, []learnerstate.Course{c, of("A/B/d", "course-v1:A+B+d", "i4x://A/B/html/later", "block-v1:A+B+d+type@html+block@later")}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	c, all := courses()
	m, err := learnerstate.NewMap(c, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		m              *learnerstate.Map
		course, module string
		want           learnerstate.Outcome
		reason, key    string
	}{
		{m, "A/B/c", oldKey, learnerstate.Maps, "", newKey},
		{m, "A/B/c", oldKey + "@draft", learnerstate.Maps, "", newKey},
		{m, "A/B/c", "i4x://A/B/course/c", learnerstate.Maps, "", "block-v1:A+B+c+type@course+block@course"},
		{m, "A/B/c", "i4x://A/B/course/d", learnerstate.NotInMap, learnerstate.OtherRun, ""},
		{m, "A/B/c", "i4x://A/B/html/later", learnerstate.NotInMap, learnerstate.OtherRun, ""},
		{m, "A/B/c", "i4x://A/B/html/gone", learnerstate.NotInMap, learnerstate.Deleted, ""},
		{m, "A/B/c", "i4x://A/C/problem/q.1", learnerstate.NotInMap, learnerstate.OtherCourse, ""},
		{m, "A/B/c", newKey, learnerstate.NotInMap, learnerstate.Unknown, ""},
		{m, "A/B/c", "i4x://A/B/html/" + strings.Repeat("n", 230), learnerstate.TooLong, "", ""},
		{m, "A/B/c", "i4x://A/B", learnerstate.BadKey, "", ""},
		{nil, "A", oldKey, learnerstate.BadKey, "", ""},
		{nil, "A/B/e", oldKey, learnerstate.NotConverted, "", ""},
		{nil, "course-v1:A+B+c", newKey, learnerstate.New, "", ""},
	} {
		got := x.m.Judge(x.course, x.module)
		if got.Outcome != x.want || got.Reason != x.reason || got.Key != x.key {
			t.Errorf("Judge(%s, %s) = %+v, want %s %s %s", x.course, x.module, got, x.want, x.reason, x.key)
		}
	}
}

// A course of the versioned store that keeps its key has nothing to be moved.
func TestJudgeSameKey(t *testing.T) {
	t.Parallel()
	m, err := learnerstate.NewMap(of("course-v1:A+B+c", "course-v1:A+B+c", newKey, newKey), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Judge("course-v1:A+B+c", newKey); got.Outcome != learnerstate.New {
		t.Errorf("%+v", got)
	}
}

func TestRewrites(t *testing.T) {
	t.Parallel()
	c, all := courses()
	m, err := learnerstate.NewMap(c, all)
	if err != nil {
		t.Fatal(err)
	}
	tally := learnerstate.Tally{Rewrites: true}
	for i, state := range []string{
		`{"student_answers": {"i4x-A-B-problem-q_1_2_1": "x", "i4x-A-B-problem-q_1_3_1": "y"}, "correct_map": {"i4x-A-B-problem-q_1_2_1": {"npoints": NaN}}, "input_state": {"i4x-A-B-problem-q_1_2_1": {}}}`,
		`{"student_answers": {"i4x-A-B-problem-q_10_2_1": "x", "q.1_2_1": "y"}, "correct_map": null}`,
		`{"student_answers": [1]}`, `{broken`, ``, `null`,
	} {
		if err := tally.Add(m, learnerstate.Row{ID: int64(i), Type: "problem", Module: oldKey, Course: "A/B/c", State: state}); err != nil {
			t.Fatal(err)
		}
	}
	want := []learnerstate.Rewrite{{Course: "A/B/c", Old: oldKey, New: newKey, OldHTML: "i4x-A-B-problem-q_1", NewHTML: "q.1", Rows: 6,
		Answers: 2, Correct: 1, Inputs: 1, Other: 2, Unreadable: 2}}
	if diff := cmp.Diff(want, tally.Report().Rewrites); diff != "" {
		t.Error(diff)
	}
}

func TestReadCSV(t *testing.T) {
	t.Parallel()
	var got []learnerstate.Row
	err := learnerstate.ReadCSV(strings.NewReader("\ufeffcourse_id,id,module_id,state,module_type\nA/B/c,7,"+oldKey+",\"{\"\"a\"\":\n1}\",problem\n"), "f.csv",
		func(r learnerstate.Row) error { got = append(got, r); return nil })
	if diff := cmp.Diff([]learnerstate.Row{{ID: 7, Type: "problem", Module: oldKey, Course: "A/B/c", State: "{\"a\":\n1}"}}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, bad := range []string{"", "id,module_type\n", "id,module_type,module_id,course_id\nx,a,b,c\n", "id,module_type,module_id,course_id\n1,a\n"} {
		err := learnerstate.ReadCSV(strings.NewReader(bad), "f.csv", func(learnerstate.Row) error { return nil })
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	stop := errors.New("stop")
	if err := learnerstate.ReadCSV(strings.NewReader("id,module_type,module_id,course_id\n1,a,b,c\n"), "f.csv", func(learnerstate.Row) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := learnerstate.NewCSV(&b)
	c, _ := courses()
	if err := w.Write(c, learnerstate.Mapping{Old: oldKey, New: newKey}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := csv.NewReader(&b).ReadAll()
	want := [][]string{{"old_course", "new_course", "old_key", "new_key"}, {"A/B/c", "course-v1:A+B+c", oldKey, newKey}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// The platform's tables as far as they matter here.
func platform(d *db.DB) error {
	text := "varchar(255)"
	if d.Engine() == db.MySQL || d.Engine() == db.MariaDB {
		text += " CHARACTER SET utf8 COLLATE utf8_general_ci"
	}
	for _, sql := range []string{
		`CREATE TABLE courseware_studentmodule (id bigint PRIMARY KEY, module_type varchar(32) NOT NULL, module_id ` + text + ` NOT NULL, student_id int NOT NULL,
			course_id ` + text + ` NOT NULL, state text, UNIQUE (student_id, module_id, course_id))`,
		`CREATE INDEX courseware_course ON courseware_studentmodule (course_id)`,
		`CREATE TABLE student_courseenrollment (id int PRIMARY KEY, course_id ` + text + ` NOT NULL)`,
		`INSERT INTO student_courseenrollment VALUES (1, 'A/B/c'), (2, 'A/B/c'), (3, 'A/B/x')`,
		`INSERT INTO courseware_studentmodule VALUES (1, 'problem', '` + oldKey + `', 1, 'A/B/c', '{}'), (2, 'problem', '` + oldKey + `', 2, 'A/B/c', NULL),
			(3, 'problem', '` + oldKey + `', 3, 'a/b/C', '{}'), (4, 'html', 'i4x://A/B/html/gone', 1, 'A/B/c', '{}')`,
	} {
		err := d.Update(context.Background(), func(tx *db.Tx) error { _, err := tx.Exec(context.Background(), sql); return err })
		if err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

func TestTable(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, platform, func(t *testing.T, d *db.DB) {
		list, err := learnerstate.Courses(t.Context(), d)
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		var ids []int64
		states := ""
		err = learnerstate.Rows(t.Context(), d, "A/B/c", true, func(r learnerstate.Row) error {
			if r.Course == "A/B/c" {
				ids = append(ids, r.ID)
				states += r.State + ";"
			}
			return nil
		})
		if diff := cmp.Diff([]int64{1, 2, 4}, ids); err != nil || diff != "" || states != "{};;{};" {
			t.Error(err, diff, states)
		}
		keyed, err := learnerstate.KeyedBy(t.Context(), d, []string{"A/B/c"})
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]int64{}
		for _, k := range keyed {
			names[k.Table] = k.Rows
		}
		if len(keyed) != 2 || names["student_courseenrollment"] != 2 || names["courseware_studentmodule"] < 3 {
			t.Errorf("%+v", keyed)
		}
	})
}

// What is written as SQL runs on its engine, twice the size of a batch, and what stands in its comment moves the rows that map
// and no others.
func TestSQL(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if err := platform(d); err != nil {
			t.Fatal(err)
		}
		dialect := string(d.Engine())
		if d.Engine() == db.MariaDB {
			dialect = "mysql"
		}
		var b bytes.Buffer
		w, err := learnerstate.NewSQL(&b, dialect)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := courses()
		odd := `i4x://A/B/it's \ odd/x`
		lines := []learnerstate.Mapping{{Old: oldKey, New: newKey}, {Old: odd, New: newKey + "2"}}
		for i := range 1000 {
			lines = append(lines, learnerstate.Mapping{Old: fmt.Sprintf("i4x://A/B/html/%d", i), New: fmt.Sprintf("block-v1:A+B+c+type@html+block@%d", i)})
		}
		for _, m := range lines {
			if err := w.Write(c, m); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var update string
		var plain []string
		for line := range strings.Lines(b.String()) {
			if comment, ok := strings.CutPrefix(line, "--   "); ok {
				update += comment
			} else if !strings.HasPrefix(line, "--") {
				plain = append(plain, line)
			}
		}
		err = d.Update(t.Context(), func(tx *db.Tx) error {
			for _, sql := range strings.Split(strings.Join(plain, ""), ";\n") {
				if sql = strings.TrimSpace(sql); sql == "" || sql == "COMMIT" || sql == "BEGIN" || sql == "START TRANSACTION" {
					continue
				}
				if strings.Contains(sql, "?") {
					t.Fatal("a placeholder")
				}
				if _, err := tx.Exec(t.Context(), sql); err != nil {
					return fmt.Errorf("%.300s: %w", sql, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		n, _, err := db.One(t.Context(), d, `SELECT COUNT(*) FROM lectern_state_map WHERE old_course = 'A/B/c'`, nil, db.Value[int])
		if err != nil || n != len(lines) {
			t.Errorf("%d lines, %v", n, err)
		}
		got, _, err := db.One(t.Context(), d, `SELECT old_key FROM lectern_state_map WHERE new_key = ?`, []any{newKey + "2"}, db.Value[string])
		if err != nil || got != odd {
			t.Errorf("%q, %v", got, err)
		}
		if err := d.Update(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(t.Context(), strings.TrimRight(update, ";\n")); return err }); err != nil {
			t.Fatal(err)
		}
		moved, err := db.All(t.Context(), d, `SELECT id FROM courseware_studentmodule WHERE course_id = 'course-v1:A+B+c' AND module_id = '`+newKey+`' ORDER BY id`, nil, db.Value[int64])
		if diff := cmp.Diff([]int64{1, 2}, moved); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
	if _, err := learnerstate.NewSQL(&bytes.Buffer{}, "oracle"); !fault.Is(err, fault.Usage) {
		t.Error(err)
	}
}
