package cli_test

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/sample"
	"github.com/openlectern/lectern/schema/inspect"
)

// retiring is a site with an old store, courses of both ages, people and what they have done, and a server.
type retiring struct {
	*pair
	s      *serving
	dump   string
	old    string            // key of the course in the old store
	tokens map[string]string // by name; "" is nobody's
}

// newRetiring makes the site: the golden dump of an old store, the platform's rows about its course, learners' rows of it, and the
// sample course.
func newRetiring(t *testing.T, e db.Engine) *retiring {
	t.Helper()
	store := filepath.Join(t.TempDir(), "store.db")
	if e != db.SQLite {
		store = dbtest.URL(t, e)
	}
	r := &retiring{pair: &pair{T: t, db: store, data: filepath.Join(t.TempDir(), "data")}, dump: filepath.Join(t.TempDir(), "dump"),
		old: "AcmeU/BIO1/2013_Spring", tokens: map[string]string{}}
	if err := os.CopyFS(r.dump, os.DirFS(golden.Path(t, "modulestore/oldmongo-small/dump"))); err != nil {
		t.Fatal(err)
	}
	if e != db.SQLite {
		r.command(nil, "db", "init")
	}
	r.command(nil, "course", "import", sampleFolder(t))
	for _, name := range []string{"root", "ann", "jo"} {
		args := []string{"user", "add", name, "--email", name + "@example.org"}
		if name == "root" {
			args = append(args, "--superuser")
		}
		r.command(nil, args...)
		r.tokens[name] = r.newToken(name)
	}
	r.learners()
	r.command(nil, "legacy", "overviews", "--from-db")
	r.s = serve(t, "--db", r.db, "--data", r.data)
	r.s.eventually("/readyz", 200)
	return r
}

func (r *retiring) sql(fn func(d *db.DB, exec func(sql string, args ...any))) {
	r.Helper()
	d, err := db.Open(r.Context(), r.db, db.Options{})
	if err != nil {
		r.Fatal(err)
	}
	fn(d, func(sql string, args ...any) {
		r.Helper()
		if _, err := d.Exec(r.Context(), sql, args...); err != nil {
			r.Fatalf("%s: %v", sql, err)
		}
	})
	if err := d.Close(); err != nil {
		r.Fatal(err)
	}
}

// learners fills the tables of an LMS.
func (r *retiring) learners() {
	r.Helper()
	f, err := os.Open(golden.Path(r.T, "modulestore/oldmongo-small/courseware_studentmodule.csv"))
	if err != nil {
		r.Fatal(err)
	}
	rows, err := csv.NewReader(f).ReadAll()
	if cerr := f.Close(); err != nil || cerr != nil {
		r.Fatal(err, cerr)
	}
	r.sql(func(_ *db.DB, exec func(sql string, args ...any)) {
		exec("CREATE TABLE courseware_studentmodule (" + strings.Join(rows[0], " text, ") + " text)")
		for _, row := range rows[1:] {
			args := make([]any, len(row))
			for i, v := range row {
				args[i] = v
			}
			exec("INSERT INTO courseware_studentmodule VALUES (?"+strings.Repeat(", ?", len(row)-1)+")", args...)
		}
		exec("CREATE TABLE student_courseenrollment (course_id varchar(255), created timestamp, is_active boolean, mode varchar(100), user_id integer)")
		exec("CREATE TABLE certificates_generatedcertificate (user_id integer, course_id varchar(255), status varchar(32), grade varchar(5))")
		exec("CREATE TABLE grades_persistentcoursegrade (user_id integer, course_id varchar(255), percent_grade double precision)")
		for _, course := range []string{r.old, sample.CourseKey} {
			exec("INSERT INTO student_courseenrollment (course_id, created, is_active, mode, user_id) SELECT ?, '2014-01-02 03:04:05', TRUE, 'honor', id FROM auth_user WHERE username = 'jo'", course)
			exec("INSERT INTO certificates_generatedcertificate (user_id, course_id, status, grade) SELECT id, ?, 'downloadable', '0.9' FROM auth_user WHERE username = 'jo'", course)
			exec("INSERT INTO grades_persistentcoursegrade (user_id, course_id, percent_grade) SELECT id, ?, 0.9 FROM auth_user WHERE username = 'jo'", course)
			exec("INSERT INTO student_courseaccessrole (org, course_id, role, user_id) SELECT ?, ?, 'instructor', id FROM auth_user WHERE username = 'ann'", strings.Split(course, "/")[0], course)
		}
		exec("ALTER TABLE course_overviews_courseoverview ADD COLUMN version integer")
		exec("INSERT INTO course_overviews_courseoverview (id, org, display_name, version) VALUES (?, 'AcmeU', 'Biology 1', 17)", r.old)
	})
}

// digests are those of the old store's files and of every table that is not Lectern's own, by name.
func (r *retiring) digests() map[string]string {
	r.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(r.dump), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(r.dump, filepath.FromSlash(name)))
		all[name] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	r.sql(func(d *db.DB, _ func(sql string, args ...any)) {
		names, err := inspect.Names(r.Context(), d)
		if err != nil {
			r.Fatal(err)
		}
		for name := range names {
			if strings.HasPrefix(name, "lectern_") {
				continue
			}
			var rows []string // which come in no order
			err := d.Query(r.Context(), "SELECT * FROM "+d.Engine().Quote(name), nil, func(row *db.Row) error {
				values := make([]any, len(row.Columns()))
				for i := range values {
					values[i] = new(any)
				}
				if err := row.Scan(values...); err != nil {
					return err
				}
				text := ""
				for _, v := range values {
					text += fmt.Sprintf("%v\x00", *v.(*any)) //nolint:forcetypeassert // it is what was made above
				}
				rows = append(rows, text)
				return nil
			})
			if err != nil {
				r.Fatal(err)
			}
			slices.Sort(rows)
			all[name] = fmt.Sprintf("%d rows %x", len(rows), sha256.Sum256([]byte(strings.Join(rows, "\n"))))
		}
	})
	return all
}

func (r *retiring) stage(to string) { r.Helper(); r.command(nil, "legacy", "stage", to) }

// ask sends a GET as somebody.
func (r *retiring) ask(who, path string) string {
	r.Helper()
	var body []byte
	status := (&caller{r.s, r.tokens[who]}).send(http.MethodGet, path, "", nil, &body)
	return fmt.Sprintf("%d %s", status, strings.ReplaceAll(string(body), r.s.url, "BASE"))
}

// asks are the addresses of all GET operations of the document, filled with keys of today, without those that tell the stage itself,
// or of old courses.
func (r *retiring) asks() []string {
	r.Helper()
	var doc struct {
		Paths map[string]struct {
			Get *struct {
				OperationID string
				Security    []map[string]any
				Parameters  []struct {
					Name, In string
					Required bool
				}
			}
		}
	}
	_, text := r.s.get("/api/openapi.json")
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		r.Fatal(err)
	}
	values := map[string]string{"id": "1", "name": "x", "username": "ann", "key": sample.CourseKey, "page": "outline", "scope": sample.CourseKey, "scopes": sample.CourseKey,
		"course_id": sample.CourseKey, "org": "Lectern", "user": "", "since": "", "course": sample.CourseKey, "role": "course_staff", "limit": "10", "page_size": "10",
		"uuid": "0198c0de-0000-7000-8000-000000000000", "library": "lib:Lectern:None", "source_key": sample.CourseKey, "target_key": "lib:Lectern:None"}
	var all []string
	for path, item := range doc.Paths {
		op := item.Get
		if op == nil || len(op.Security) == 0 || slices.Contains([]string{"metrics", "legacy-stage", "legacy-courses", "legacy-cards", "legacy-refusals"}, op.OperationID) {
			continue
		}
		query := url.Values{}
		for _, p := range op.Parameters {
			v, known := values[p.Name]
			switch {
			case p.In == "path" && p.Name == "id" && strings.Contains(path, "legacy"):
				path = strings.ReplaceAll(path, "{id}", url.PathEscape(sample.CourseKey))
			case p.In == "path":
				if !known {
					r.Errorf("%s: say what to ask for as %s", path, p.Name)
				}
				path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(v))
			case p.In == "query" && p.Required && !known:
				r.Errorf("%s: say what to ask for as %s", path, p.Name)
			case p.In == "query" && v != "" && (p.Required || p.Name == "scope" || p.Name == "course"):
				query.Set(p.Name, v)
			}
		}
		if all = append(all, path); len(query) > 0 {
			all = append(all, path+"?"+query.Encode())
		}
	}
	slices.Sort(all)
	if len(all) < 12 {
		r.Fatalf("%d addresses only: %v", len(all), all)
	}
	return all
}

// newCourses is what commands and addresses answer about courses of today, by command or address and person.
func (r *retiring) newCourses(asks []string) map[string]string {
	r.Helper()
	all := map[string]string{}
	for _, path := range asks {
		for _, who := range []string{"root", "jo"} {
			all[who+" "+path] = r.ask(who, path)
		}
	}
	for _, args := range [][]string{{"course", "list"}, {"course", "show", sample.CourseKey}, {"course", "history", sample.CourseKey}, {"package", "list"},
		{"block", "show", "block-v1:Lectern+LIGHT+2025+type@problem+block@flash"}, {"course", "diff", sample.CourseKey, "c1", "draft"},
		{"course", "show", "course-v1:No+SUCH+course"}, {"authz", "list"}, {"key", "parse", sample.CourseKey}} {
		for _, who := range []string{"", "ann", "jo"} {
			as := args
			if who != "" && args[0] != "key" {
				as = append(slices.Clone(args), "--as", who)
			}
			status, out, errs := run(r.Context(), r.T, nil, append(as, "--db", r.db, "--data", r.data, "--json", "--no-progress")...)
			all[who+" "+strings.Join(args[:2], " ")+" "+args[len(args)-1][:3]] = fmt.Sprint(status, out, errs)
		}
	}
	return all
}

// oldCourse is what commands and addresses answer about the old course at a stage, without the days that counts are of.
func (r *retiring) oldCourse() map[string]string {
	r.Helper()
	all := map[string]string{}
	key := url.QueryEscape(r.old)
	for _, who := range []string{"root", "ann", "jo"} {
		for _, page := range []string{"outline", "unit", "block", "jump_to", "jump_to_id", "static_tab", "wiki", "discussion", "sequence", "file", "instructor", "enroll", "studio",
			"dashboard", "unenroll", "certificate", "module_state", "stored_grade"} {
			all[who+" "+page] = r.ask(who, "/api/lectern/v1/legacy/access?key="+key+"&page="+page)
		}
		all[who+" course"] = r.ask(who, "/api/lectern/v1/legacy/courses/"+url.PathEscape(r.old))
		all[who+" courses"] = r.ask(who, "/api/lectern/v1/legacy/courses")
		all[who+" mixed"] = r.ask(who, "/api/lectern/v1/legacy/courses?key="+key+"&key="+url.QueryEscape(sample.CourseKey)+"&key=A%2FB%2FC")
		all[who+" cards"] = r.ask(who, "/api/lectern/v1/legacy/cards")
		var body []byte
		status := (&caller{r.s, r.tokens[who]}).send(http.MethodPost, "/api/lectern/v1/jobs/upload?kind=course+import&key="+key, "application/octet-stream", strings.NewReader("x"), &body)
		all[who+" upload"] = fmt.Sprintf("%d %s", status, body)
	}
	all["scan"] = r.scan()
	return all
}

func (r *retiring) scan() string {
	r.Helper()
	status, out, errs := run(r.Context(), r.T, nil, "legacy", "scan", r.dump, "--db", r.db, "--data", r.data, "--json", "--no-progress")
	return fmt.Sprint(status, out, errs)
}

// TestGoldenStages takes a site through the stages and back. At each, courses of today answer the same bytes (DEP-50, DEP-51); what
// the old course answers is the stage's (DEP-10…36); and in the end the old store, learners' rows, and every table that is not
// Lectern's own are as they were (DEP-2, DEP-40, DEP-41), with the counts of who was refused (DEP-43).
func TestGoldenStages(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, testStages)
}

func testStages(t *testing.T, e db.Engine) {
	r := newRetiring(t, e)
	asks := r.asks()
	before, today := r.digests(), r.newCourses(asks)
	for who, want := range map[string]string{"root": "404", "jo": "403"} {
		if got := today[who+" /api/lectern/v1/legacy/courses/"+url.PathEscape(sample.CourseKey)]; !strings.HasPrefix(got, want) {
			t.Errorf("%s asks for a new course among old ones: %s", who, got)
		}
	}
	said := map[string]map[string]string{}
	for _, stage := range []string{"none", "warn", "removed", "warn", "none"} {
		r.stage(stage)
		if diff := cmp.Diff(today, r.newCourses(asks)); diff != "" {
			t.Errorf("courses of today at %s (-want +got):\n%s", stage, diff)
		}
		got := r.oldCourse()
		if last := said[stage]; last != nil {
			if diff := cmp.Diff(last, got); diff != "" {
				t.Errorf("back at %s (-before +after):\n%s", stage, diff)
			}
		}
		said[stage] = got
		if diff := cmp.Diff(before, r.digests()); diff != "" {
			t.Errorf("at %s something has changed (-before +after):\n%s", stage, diff)
		}
	}
	r.refusals(said)
	if t.Failed() {
		t.Logf("the server: %s", r.s.errs)
	}
	// The counts come with the end of the server.
	if status := r.s.end(syscall.SIGTERM); status != 0 {
		t.Errorf("the server ended with %d: %s", status, r.s.errs)
	}
	var counts struct {
		Refusals []struct {
			Page string
			Hits int
		}
	}
	r.command(&counts, "legacy", "refusals", "--course", r.old)
	hits := map[string]int{}
	for _, c := range counts.Refusals {
		hits[c.Page] += c.Hits
	}
	if hits["outline"] != 3 || hits["enroll"] != 3 || hits["dashboard"] != 0 {
		t.Errorf("counted: %v", hits)
	}
	if diff := cmp.Diff(before, r.digests()); diff != "" {
		t.Errorf("at last something has changed (-before +after):\n%s", diff)
	}
}

// refusals holds what was said of the old course against the stages.
func (r *retiring) refusals(said map[string]map[string]string) {
	r.Helper()
	for _, c := range []struct{ stage, what, text string }{
		{"none", "outline", `200 {"allowed":true`}, {"none", "studio", `"warning":null`}, {"none", "course", `"title":"Biology 1"`},
		{"warn", "outline", `200 {"allowed":true`}, {"warn", "studio", `"warning":"This course is in a format`}, {"warn", "studio", `"offer_rerun":true`},
		{"warn", "course", `"warning":"This course is in a format`}, {"warn", "cards", `"cards":[`},
		{"removed", "outline", `"code":"old_mongo","status":410,"text":"The course Biology 1 (AcmeU/BIO1/2013_Spring) is no longer available."`},
		{"removed", "outline", `"redirect":"/dashboard?`}, {"removed", "sequence", `"redirect":null`}, {"removed", "file", `"status":410`}, {"removed", "enroll", `"status":409`},
		{"removed", "studio", `"code":"old_mongo"`}, {"removed", "instructor", `"code":"old_mongo"`}, {"removed", "certificate", `"allowed":true`},
		{"removed", "unenroll", `"allowed":true`}, {"removed", "module_state", `"allowed":true`}, {"removed", "stored_grade", `"allowed":true`},
		{"removed", "upload", `409 {"detail"`}, {"removed", "upload", `"code":"old_mongo"`}, {"warn", "upload", `"code":"old_mongo"`}, {"none", "upload", `"code":"old_mongo"`},
	} {
		for _, who := range []string{"root", "ann", "jo"} {
			got := said[c.stage][who+" "+c.what]
			if c.what == "course" && who == "jo" {
				continue // who has no part in it
			}
			if !strings.Contains(got, c.text) {
				r.Errorf("%s at %s, %s: %s, want %s", c.what, c.stage, who, got, c.text)
			}
			if c.stage == "removed" && c.what != "course" && got != said[c.stage]["root "+c.what] {
				r.Errorf("%s tells %s something else than root: %s", c.what, who, got)
			}
		}
	}
	for stage, all := range said {
		for name, text := range all {
			if strings.HasPrefix(text, "5") {
				r.Errorf("%s at %s: %s", name, stage, text)
			}
		}
		if who := "ann mixed"; !strings.Contains(all[who], `"problem":"it is not the key of an old course"`) || !strings.Contains(all[who], `"title":"Biology 1"`) {
			r.Errorf("old and new courses at %s: %s", stage, all[who])
		}
		if jo := all["jo course"]; !strings.HasPrefix(jo, "403") {
			r.Errorf("the team's page for a stranger at %s: %s", stage, jo)
		}
		card := fmt.Sprintf(`"available":%v,"link":null,"resume":null`, stage != "removed")
		if jo := all["jo cards"]; !strings.Contains(jo, `"title":"Biology 1","org":"AcmeU"`) || !strings.Contains(jo, `"certificate_status":"downloadable"`) || !strings.Contains(jo, card) {
			r.Errorf("cards at %s: %s", stage, jo)
		}
		if all["scan"] != said["none"]["scan"] {
			r.Errorf("a scan at %s tells something else: %s", stage, all["scan"])
		}
	}
}

// TestDEP38 lets the old store be there, be gone, and be closed to the server: at the stage removed every answer is the same.
func TestDEP38(t *testing.T) {
	t.Parallel()
	r := newRetiring(t, db.SQLite)
	r.stage("removed")
	asks := r.asks()
	look := func() map[string]string {
		all := r.oldCourse()
		delete(all, "scan") // which alone reads the old store
		maps.Copy(all, r.newCourses(asks))
		return all
	}
	want := look()
	if err := os.Rename(r.dump, r.dump+".away"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Errorf("with the store gone (-want +got):\n%s", diff)
	}
	if err := os.Mkdir(r.dump, 0o000); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Errorf("with a store that cannot be read (-want +got):\n%s", diff)
	}
}
