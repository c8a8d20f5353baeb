package oldcourse

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func site(d *db.DB) error { return schema.Create(context.Background(), d) }

// platform gives a database the platform's tables as a release of it has them, with two old courses, one of them broken, and a
// new one.
func platform(t *testing.T, e db.Engine) *db.DB {
	t.Helper()
	d := fresh(t, e)
	truth, moment, number := map[bool]string{true: "boolean", false: "tinyint(1)"}[e == db.PostgreSQL], "datetime(6)", "decimal(5,2)"
	switch e {
	case db.PostgreSQL:
		moment = "timestamp with time zone"
	case db.SQLite:
		truth, moment = "bool", "datetime"
	}
	columns := []string{"_location varchar(255)", "version integer", "created " + moment, "modified " + moment, d.Engine().Quote("start") + " " + moment, d.Engine().Quote("end") + " " + moment,
		"enrollment_start " + moment, "self_paced " + truth, "visible_to_staff_only " + truth, "lowest_passing_grade " + number, "catalog_visibility varchar(100)",
		"language varchar(40)", "course_image_url text", "short_description text", "effort text", "_pre_requisite_courses_json text", "advertised_start text", "later_release integer"}
	for _, c := range columns {
		exec(t, d, "ALTER TABLE course_overviews_courseoverview ADD COLUMN "+c)
	}
	exec(t, d, "CREATE TABLE course_overviews_courseoverviewtab (id integer, tab_id varchar(50), course_overview_id varchar(255))")
	insert := `INSERT INTO course_overviews_courseoverview (id, org, display_name, _location, version, created, modified, ` + d.Engine().Quote("start") + `, self_paced, visible_to_staff_only,
		lowest_passing_grade, catalog_visibility, language, course_image_url, short_description, effort, _pre_requisite_courses_json, later_release) VALUES (?, 'AcmeU', ?, ?, 17, ?, ?, ?, ?, ?, 0.50, 'both', 'en',
		'/c4x/AcmeU/BIO1/asset/images_course_image.jpg', 'All of <it>', '4 h', ?, 7)`
	at := time.Date(2013, 2, 20, 10, 0, 0, 123456000, time.UTC)
	exec(t, d, insert, old, "Biology ✓", "i4x://AcmeU/BIO1/course/2013", at, at, at, false, true, `["AcmeU/BIO0/2012"]`)
	exec(t, d, insert, "AcmeU/BAD/2013", "Bad", "", at, at, at, false, false, `[`)
	exec(t, d, insert, "course-v1:AcmeU+NEW+2020", "New", "block-v1:AcmeU+NEW+2020+type@course+block@course", at, at, at, false, false, `[]`)
	for i, tab := range []string{"courseware", "wiki"} {
		exec(t, d, "INSERT INTO course_overviews_courseoverviewtab (id, tab_id, course_overview_id) VALUES (?, ?, ?)", i+1, tab, old)
	}
	return d
}

const old = "AcmeU/BIO1/2013"

func exec(t *testing.T, d *db.DB, sql string, args ...any) {
	t.Helper()
	if _, err := d.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func fill(t *testing.T, d *db.DB) (f Filled) {
	t.Helper()
	update(t, d, func(tx *db.Tx) (err error) {
		f, err = FromDB(t.Context(), tx)
		return err
	})
	return f
}

// TestDEP20DEP21DEP22DEP24DEP27 goes through what is kept of courses and enrolments on every engine, on one database each.
func TestDEP20DEP21DEP22DEP24DEP27(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		d := platform(t, e)
		tookOver(t, d)
		noted(t, d)
		enrolled(t, d)
		bumped(t, d)
	})
}

// tookOver (DEP-20, DEP-22, DEP-27) takes overviews over on every engine: every column is there, typed alike, with the tabs; what is not, is said
// to be unavailable; a broken row is told of and leaves the others as they are.
func tookOver(t *testing.T, d *db.DB) {
	t.Helper()
	ctx := t.Context()
	if f := fill(t, d); f.Read != 2 || f.Written != 2 || len(f.Problems) != 1 || f.Problems[0].Key != "AcmeU/BAD/2013" {
		t.Fatalf("%+v", f)
	}
	got, err := Overviews(ctx, d, []string{old, "AcmeU/BAD/2013", "course-v1:AcmeU+NEW+2020", "AcmeU/GONE/2013"})
	if err != nil || len(got) != 2 || !strings.Contains(got["AcmeU/BAD/2013"].Problem, "_pre_requisite_courses_json") || got["AcmeU/BAD/2013"].Title != "Bad" {
		t.Fatalf("%+v, %v", got, err)
	}
	o := got[old]
	const at = "2013-02-20T10:00:00.123456Z"
	want := map[string]any{
		"id": old, "org": "AcmeU", "display_name": "Biology ✓", "_location": "i4x://AcmeU/BIO1/course/2013", "version": 17.0, "created": at, "modified": at,
		"start": at, "end": nil, "enrollment_start": nil, "self_paced": false, "visible_to_staff_only": true, "lowest_passing_grade": 0.5, "catalog_visibility": "both",
		"language": "en", "course_image_url": "/c4x/AcmeU/BIO1/asset/images_course_image.jpg", "short_description": "All of <it>", "effort": "4 h",
		"_pre_requisite_courses_json": `["AcmeU/BIO0/2012"]`, "advertised_start": nil, "later_release": 7.0, "tabs": []any{"courseware", "wiki"},
	}
	var data map[string]any
	if err := json.Unmarshal(o.Data, &data); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if o.Title != "Biology ✓" || o.Start == nil || o.Start.Format(moment) != at || o.End != nil || *o.SelfPaced || !*o.StaffOnly || o.Invited != nil || *o.Version != 17 ||
		!strings.HasPrefix(o.PassingGrade, "0.5") || o.Problem != "" {
		t.Errorf("%+v", o)
	}
	if diff := cmp.Diff(Unavailable, o.Lazy()); diff != "" {
		t.Errorf("unavailable (-want +got):\n%s", diff)
	}
	// A row of ours that somebody has broken is one broken item.
	exec(t, d, "UPDATE lectern_legacy_overview SET data = 'x' WHERE course_key = ?", "AcmeU/BAD/2013")
	if got, err := Overviews(ctx, d, []string{old, "AcmeU/BAD/2013"}); err != nil || len(got) != 2 || got["AcmeU/BAD/2013"].Problem == "" || string(got["AcmeU/BAD/2013"].Data) != "null" {
		t.Errorf("%+v, %v", got, err)
	}
}

// bumped (DEP-21) lets the platform bump the version of its overviews and drop its rows, as it does to load them anew: ours stay, and
// follow what can be read.
func bumped(t *testing.T, d *db.DB) {
	t.Helper()
	ctx := t.Context()
	fill(t, d)
	exec(t, d, "UPDATE course_overviews_courseoverview SET version = version + 1, display_name = 'Renamed' WHERE id = ?", old)
	fill(t, d)
	got, err := Overviews(ctx, d, []string{old})
	if err != nil || *got[old].Version != 18 || got[old].Title != "Renamed" {
		t.Fatalf("%+v, %v", got, err)
	}
	exec(t, d, "UPDATE course_overviews_courseoverview SET _pre_requisite_courses_json = '{', display_name = 'Broken' WHERE id = ?", old)
	if f := fill(t, d); f.Kept != 1 || f.Written != 1 {
		t.Errorf("%+v", f)
	}
	exec(t, d, "DELETE FROM course_overviews_courseoverview WHERE id NOT LIKE 'course-v1:%'")
	if f := fill(t, d); f.Read != 0 {
		t.Errorf("%+v", f)
	}
	keys, err := Keys(ctx, d)
	if err != nil || cmp.Diff([]string{"AcmeU/BAD/2013", old, "AcmeU/HID/2013"}, keys) != "" {
		t.Fatal(keys, err)
	}
	if got, err := Overviews(ctx, d, keys); err != nil || got[old].Title != "Renamed" || got[old].Problem != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestManyOverviews takes more over than go into one batch, in a number of statements that grows with the batches.
func TestManyOverviews(t *testing.T) {
	t.Parallel()
	var statements int
	d, err := db.Open(t.Context(), dbtest.ReadyURL(t, db.SQLite, site), db.Options{OnStatement: func(string) { statements++ }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	const n = 1000
	update(t, d, func(tx *db.Tx) error {
		return tx.Insert(t.Context(), "course_overviews_courseoverview", []string{"id", "org", "display_name"}, n, func(i int, v []any) {
			v[0], v[1], v[2] = fmt.Sprintf("Org/C%04d/R", i), "Org", "T"
		})
	})
	statements = 0
	if f := fill(t, d); f.Written != n {
		t.Errorf("%+v", f)
	}
	if statements > 5*(n/batch+1) {
		t.Errorf("%d statements for %d courses", statements, n)
	}
}

// noted keeps what scans find, for courses with and without an overview.
func noted(t *testing.T, d *db.DB) {
	t.Helper()
	ctx := t.Context()
	fill(t, d)
	at := time.Date(2014, 1, 2, 3, 4, 5, 0, time.UTC)
	content := json.RawMessage(`{"edxnotes":true,"hide_progress_tab":null,"textbooks":[["Book","https://example.org/b/"]]}`)
	for range 2 {
		update(t, d, func(tx *db.Tx) error {
			return Note(ctx, tx, []Seen{{Key: old, Bytes: 5, LastEdit: at, Content: content}, {Key: "AcmeU/HID/2013", Bytes: 7}})
		})
	}
	got, err := Overviews(ctx, d, []string{old, "AcmeU/HID/2013"})
	if err != nil || *got[old].ScanBytes != 5 || !got[old].ScanEdit.Equal(at) || got[old].Title != "Biology ✓" || *got["AcmeU/HID/2013"].ScanBytes != 7 ||
		got["AcmeU/HID/2013"].Problem != "" || got["AcmeU/HID/2013"].Filled != nil {
		t.Errorf("%+v, %v", got, err)
	}
	fill(t, d)
	got, err = Overviews(ctx, d, []string{old, "AcmeU/HID/2013"})
	if err != nil || *got[old].ScanBytes != 5 || string(got[old].ScanContent) != string(content) || string(got["AcmeU/HID/2013"].ScanContent) != "null" {
		t.Errorf("%+v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"pdf_textbooks", "html_textbooks", "allow_public_wiki_access"}, got[old].Lazy()); diff != "" {
		t.Errorf("unavailable (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Unavailable, got["AcmeU/HID/2013"].Lazy()); diff != "" {
		t.Errorf("unavailable where nothing was found (-want +got):\n%s", diff)
	}
}

// enrolled (DEP-24) reads the enrolments of one person in old courses, with the status of certificates where there are some.
func enrolled(t *testing.T, d *db.DB) {
	t.Helper()
	ctx := t.Context()
	all := map[string]bool{enrollments: true}
	if list, err := EnrolmentsOf(ctx, d, nil, 1); err != nil || list != nil {
		t.Fatal(list, err)
	}
	moment := map[bool]string{true: "timestamp with time zone", false: "datetime"}[d.Engine() == db.PostgreSQL]
	exec(t, d, "CREATE TABLE student_courseenrollment (id integer, course_id varchar(255), created "+moment+", is_active boolean, mode varchar(100), user_id integer)")
	at := time.Date(2014, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, c := range []string{old, "course-v1:A+B+C", "AcmeU/BIO2/2013"} {
		for person := 1; person <= 3; person++ {
			exec(t, d, "INSERT INTO student_courseenrollment VALUES (?, ?, ?, ?, 'honor', ?)", i*10+person, c, at, person != 2, person)
		}
	}
	list, err := EnrolmentsOf(ctx, d, all, 1)
	if err != nil || len(list) != 2 || list[0].Course != old || !list[0].At.Equal(at) || list[0].Certificate != "" || !list[1].Active {
		t.Fatalf("%+v, %v", list, err)
	}
	exec(t, d, "CREATE TABLE certificates_generatedcertificate (id integer, user_id integer, course_id varchar(255), status varchar(32))")
	exec(t, d, "INSERT INTO certificates_generatedcertificate VALUES (1, 1, ?, 'downloadable')", old)
	all[certificates] = true
	if list, err := EnrolmentsOf(ctx, d, all, 1); err != nil || list[0].Certificate != "downloadable" || list[1].Certificate != "" {
		t.Errorf("%+v, %v", list, err)
	}
	counts, known, err := Enrolled(ctx, d, all, []string{old, "AcmeU/GONE/2013"})
	if err != nil || !known || counts[old] != (Count{2, 3}) || len(counts) != 1 {
		t.Errorf("%v %v %v", counts, known, err)
	}
}

// FuzzOverview gives rows of any text: none is an error that stops the others, and what is kept can be stored and read as JSON.
func FuzzOverview(f *testing.F) {
	f.Add("AcmeU/BIO1/2013", "i4x://AcmeU/BIO1/course/2013", "2013-02-20 10:00:00", "1", "0.5", "[]")
	f.Add("x", "\x00", "\xff", "", "NaN", "{")
	f.Fuzz(func(t *testing.T, id, location, start, paced, grade, before string) {
		o, err := overviewOf([]string{"id", "_location", "start", "self_paced", "lowest_passing_grade", "_pre_requisite_courses_json", "other"},
			[]any{id, location, start, paced, grade, before, []byte(start)}, nil)
		if err != nil {
			return
		}
		if !json.Valid(o.Data) || strings.ContainsRune(o.Location, 0) || plainText("", o.Location+o.Key+o.PassingGrade+o.Problem) != nil {
			t.Errorf("%+v", o)
		}
	})
}
