package roleshift_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema"
)

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

// story is a line of golden/authz/migration.jsonl.
type story struct {
	ID, Title string
	Differs   []string `json:"target_differs"`
	Before    struct {
		Users []struct {
			Username string
			Active   *bool `json:"is_active"`
			Staff    bool  `json:"is_staff"`
			Retired  bool
		}
		Courses     []string
		Legacy      []legacyRow
		Assignments [][3]string
		Everyone    *bool
		Automatic   bool
		Running     [][3]string
		State       state
	}
	Steps []struct {
		Call   call
		Result json.RawMessage
		After  state
	}
}

type legacyRow struct {
	User, Org, Role string
	Course          string `json:"course_id"`
}

type call struct {
	Do        string
	Courses   []string `json:"course_ids"`
	Org       string
	Excluded  []string
	Delete    bool
	Type      string
	ScopeType string `json:"scope_type"`
	ScopeKey  string `json:"scope_key"`
	Level     string
	Key       string
	Choice    string
	Enabled   bool
	Flag      string
	Everyone  *bool
	Automatic bool
	User, To  string
	Course    string
	Name      string
	Args      []string
	Answer    string
}

// state is what a story tells of the database.
type state struct {
	Legacy    [][4]string
	Rows      [][3]string
	Extended  [][3]*string
	Scopes    [][2]*string
	Subjects  [][1]*string
	Overrides struct{ Course, Org [][5]any }
	Everyone  *bool
	Runs      []runRow
	Audit     [][5]any
}

type runRow struct {
	ID        int64
	Direction string `json:"migration_type"`
	Kind      string `json:"scope_type"`
	Key       string `json:"scope_key"`
	Status    string
	Completed bool
	Metadata  map[string]any
}

func stories(t *testing.T) (list []story) {
	t.Helper()
	in := bufio.NewScanner(bytes.NewReader(golden.Read(t, "authz/migration.jsonl")))
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var s story
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	if in.Err() != nil || len(list) == 0 {
		t.Fatalf("no stories: %v", in.Err())
	}
	return list
}

// TestGoldenMigration replays every story on every engine. Where the specification asks for something else than the reference
// did, what it asks for is checked instead.
func TestGoldenMigration(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		for _, s := range stories(t) {
			w := &world{t: t, d: d, story: s}
			w.clear()
			w.make()
			w.replay()
		}
	})
}

// world is a story on a database.
type world struct {
	t         *testing.T
	d         *db.DB
	story     story
	automatic bool
}

func (w *world) update(fn func(tx *db.Tx) error) error {
	return w.d.Update(w.t.Context(), fn)
}

func (w *world) must(fn func(tx *db.Tx) error) {
	w.t.Helper()
	if err := w.update(fn); err != nil {
		w.t.Fatalf("%s: %v", w.story.ID, err)
	}
}

func (w *world) clear() {
	w.must(func(tx *db.Tx) error {
		for _, table := range []string{"openedx_authz_extendedcasbinrule", "casbin_rule", "openedx_authz_coursescope", "openedx_authz_contentlibraryscope",
			"openedx_authz_usersubject", "openedx_authz_scope", "openedx_authz_subject", "openedx_authz_roleassignmentaudit", "lectern_authzaudit", "lectern_authzpolicy",
			"lectern_authzchange", "openedx_authz_authzcourseauthoringmigrationrun", "lectern_authzrun", "lectern_authzrunrecord", "student_courseaccessrole",
			"waffle_utils_waffleflagcourseoverridemodel", "waffle_utils_waffleflagorgoverridemodel", "waffle_flag", "course_overviews_courseoverview",
			"user_api_userretirementrequest", "auth_user"} {
			if _, err := tx.Exec(w.t.Context(), "DELETE FROM "+table); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) make() {
	ctx, b := w.t.Context(), w.story.Before
	w.automatic = b.Automatic
	w.must(func(tx *db.Tx) error {
		day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		ids, err := tx.InsertIDs(ctx, "auth_user", []string{"password", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined"},
			len(b.Users), func(i int, v []any) {
				u := b.Users[i]
				v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8] = "!", false, u.Username, "", "", u.Username+"@example.org", u.Staff, u.Active == nil || *u.Active, day
			})
		if err != nil {
			return err
		}
		byName := map[string]int64{}
		for i, u := range b.Users {
			byName[u.Username] = ids[i]
			if u.Retired {
				if err := tx.Insert(ctx, "user_api_userretirementrequest", []string{"created", "modified", "user_id"}, 1, func(_ int, v []any) { v[0], v[1], v[2] = day, day, ids[i] }); err != nil {
					return err
				}
			}
		}
		for _, c := range b.Courses {
			if err := overview(ctx, tx, c); err != nil {
				return err
			}
		}
		for _, r := range b.Legacy { // one by one: their ids must be in this order
			if _, err := tx.InsertIDs(ctx, "student_courseaccessrole", []string{"user_id", "org", "course_id", "role"}, 1, func(_ int, v []any) {
				v[0], v[1], v[2], v[3] = byName[r.User], r.Org, r.Course, r.Role
			}); err != nil {
				return err
			}
		}
		var grants []authz.Grant
		for _, a := range b.Assignments {
			grants = append(grants, authz.Grant{User: a[0], Role: a[1], Scope: a[2]})
		}
		if _, err := authz.Assign(ctx, tx, grants, authz.Options{}); err != nil {
			return err
		}
		for _, table := range []string{"lectern_authzaudit", "openedx_authz_roleassignmentaudit"} {
			if _, err := tx.Exec(ctx, "DELETE FROM "+table); err != nil {
				return err
			}
		}
		if b.Everyone != nil {
			if err := flags.SetEveryone(ctx, tx, flags.Authoring, b.Everyone); err != nil {
				return err
			}
		}
		return tx.Insert(ctx, "openedx_authz_authzcourseauthoringmigrationrun", []string{"migration_type", "scope_type", "scope_key", "status", "created_at", "updated_at", "metadata"},
			len(b.Running), func(i int, v []any) {
				r := b.Running[i]
				v[0], v[1], v[2], v[3], v[4], v[5], v[6] = r[0], r[1], r[2], "running", tx.Now(), tx.Now(), "{}"
			})
	})
}

func overview(ctx context.Context, tx *db.Tx, course string) error {
	return tx.Insert(ctx, "course_overviews_courseoverview", []string{"id", "org", "display_name"}, 1, func(_ int, v []any) {
		v[0], v[1], v[2] = course, legacy.OrgOf(course), "Course"
	})
}

// replay does the steps and looks at the state after each. What a deviation does not touch is compared word for word.
func (w *world) replay() {
	may := w.deviations()
	for i, step := range w.story.Steps {
		at := fmt.Sprintf("%s (%s), step %d %s", w.story.ID, w.story.Title, i+1, step.Call.Do)
		before := w.rights()
		held := read(w.t, w.d)
		got := w.do(step.Call)
		after := read(w.t, w.d)
		w.lawful(at, step.Call, before, held, after)
		if !may["result"] {
			w.results(at, step.Result, got)
		}
		want := step.After
		normal(&want, w.story.Differs)
		normal(&after, w.story.Differs)
		ours := partsOf(after)
		for k, theirs := range partsOf(want) {
			if may[ours[k].name] {
				continue
			}
			if diff := cmp.Diff(theirs.v, ours[k].v); diff != "" {
				w.t.Errorf("%s: %s after it (-want +got):\n%s", at, theirs.name, diff)
			}
		}
	}
}

// deviant says which parts of the state, and whether the answers too, a requirement makes other than the reference's. What must
// hold of them instead is in lawful and in the tests by number.
var deviant = map[string]string{
	"M-05": "legacy rows extended subjects scopes audit runs", // the organization's override counts: other runs are made, or none
	"M-06": "legacy rows extended subjects scopes audit runs",
	"M-24": "legacy rows extended subjects scopes audit runs",
	"M-17": "legacy rows extended subjects scopes audit runs", // the organization's own spelling
	"M-18": "legacy rows extended subjects scopes audit runs result",
	"M-25": "legacy rows extended subjects scopes audit", // what is derived; no count of a run has it
	"M-31": "legacy runs result",                         // merged rows go
	"M-37": "legacy rows extended subjects scopes audit runs",
	"M-38": "runs",
	"M-49": "runs",
	"M-43": "legacy rows extended subjects scopes audit runs", // a run that is in the way is waited for, or refuses
	"M-44": "runs",
	"M-52": "", // see normal
	"M-56": "",
	"M-61": "legacy rows extended subjects audit runs result", // a renamed user keeps what they have
}

// deviations returns the parts that are not the reference's in this story.
func (w *world) deviations() map[string]bool {
	may := map[string]bool{}
	for _, d := range w.story.Differs {
		list, known := deviant[d]
		if !known {
			list = "legacy rows extended subjects scopes audit runs result"
		}
		for _, part := range strings.Fields(list) {
			may[part] = true
		}
	}
	return may
}

// part is a part of a state.
type part struct {
	name string
	v    any
}

func partsOf(s state) []part {
	return []part{{"legacy", s.Legacy}, {"rows", s.Rows}, {"extended", s.Extended}, {"scopes", s.Scopes}, {"subjects", s.Subjects},
		{"overrides", s.Overrides}, {"everyone", s.Everyone}, {"runs", s.Runs}, {"audit", s.Audit}}
}

// normal puts lists whose order means nothing in order, and takes out what the specification asks to be otherwise or leaves open.
func normal(s *state, differs []string) {
	by := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	sort.Slice(s.Rows, func(i, j int) bool { return by(s.Rows[i]) < by(s.Rows[j]) })
	sort.Slice(s.Extended, func(i, j int) bool { return by(s.Extended[i]) < by(s.Extended[j]) })
	sort.Slice(s.Scopes, func(i, j int) bool { return by(s.Scopes[i]) < by(s.Scopes[j]) })
	sort.Slice(s.Subjects, func(i, j int) bool { return by(s.Subjects[i]) < by(s.Subjects[j]) })
	sort.Slice(s.Audit, func(i, j int) bool { return by(s.Audit[i]) < by(s.Audit[j]) })
	s.Overrides.Course, s.Overrides.Org = numbered(s.Overrides.Course), numbered(s.Overrides.Org)
	if slices.Contains(differs, "M-56") { // commands have runs
		s.Runs = nil
	}
	for i := range s.Runs {
		r := &s.Runs[i]
		r.ID = int64(i + 1)
		m := map[string]any{}
		for _, k := range []string{"total", "success_count"} {
			if v, ok := r.Metadata[k]; ok {
				m[k] = v
			}
		}
		if list, ok := r.Metadata["successes"].([]any); ok {
			m["successes"] = sorted(list)
		}
		if slices.Contains(differs, "M-52") && r.Status == "partial_success" {
			r.Status = "completed" // the reasons are looked at in lawful
		}
		if e, ok := r.Metadata["errors"].(map[string]any); ok && !slices.Contains(differs, "M-52") {
			m["errors"], m["error_count"] = e, r.Metadata["error_count"]
		}
		_, m["failed"] = r.Metadata["error"]
		r.Metadata = m
	}
	if s.Legacy == nil {
		s.Legacy = [][4]string{}
	}
	if len(s.Rows) == 0 {
		s.Rows = nil
	}
	if len(s.Extended) == 0 {
		s.Extended = nil
	}
	if len(s.Scopes) == 0 {
		s.Scopes = nil
	}
	if len(s.Subjects) == 0 {
		s.Subjects = nil
	}
	if len(s.Audit) == 0 {
		s.Audit = nil
	}
	if len(s.Runs) == 0 {
		s.Runs = nil
	}
}

func numbered(list [][5]any) [][5]any {
	out := make([][5]any, len(list))
	for i, o := range list {
		if o[0] = i; o[3] == false { // what an override was that there is no more means nothing
			o[4] = "-"
		}
		out[i] = o
	}
	return out
}

func sorted(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		m, _ := v.(map[string]any)
		delete(m, "note")
		b, _ := json.Marshal(m)
		out[i] = string(b)
	}
	slices.Sort(out)
	return out
}

// outcome is what a step answered.
type outcome struct {
	err   error
	moves *roleshift.Moves
	run   *roleshift.Run
}

func (w *world) do(c call) (o outcome) {
	ctx := w.t.Context()
	switch c.Do {
	case "forward", "rollback":
		o.err = w.update(func(tx *db.Tx) (err error) {
			o.moves, err = roleshift.Move(ctx, tx, ask(c.Do, c.Org, c.Courses, c.Excluded, c.Delete), 0)
			return err
		})
	case "run":
		o.run, o.err = w.tracked(ask(c.Type, c.Org, c.Courses, c.Excluded, c.Delete))
	case "override":
		w.override(c)
	case "global":
		w.must(func(tx *db.Tx) error { return flags.SetEveryone(ctx, tx, flags.Authoring, c.Everyone) })
	case "setting":
		w.automatic = c.Automatic
	case "rename":
		w.must(func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE auth_user SET username = ? WHERE username = ?", c.To, c.User); err != nil {
				return err
			}
			_, err := authz.RenameUser(ctx, tx, c.User, c.To, authz.Options{})
			return err
		})
	case "course_saved":
		w.must(func(tx *db.Tx) error {
			if err := overview(ctx, tx, c.Course); err != nil {
				return err
			}
			_, err := authz.Adopt(ctx, tx, c.Course)
			return err
		})
	case "command":
		o = w.command(c)
	default:
		w.t.Fatalf("%s: a step of kind %q", w.story.ID, c.Do)
	}
	return o
}

func ask(direction, org string, courses, excluded []string, remove bool) roleshift.Ask {
	return roleshift.Ask{Direction: roleshift.Direction(direction), Org: org, Courses: courses, Excluded: excluded, Keep: !remove}
}

// tracked does what the use case does about a run that fails or meets another.
func (w *world) tracked(a roleshift.Ask) (run *roleshift.Run, err error) {
	ctx := w.t.Context()
	err = w.update(func(tx *db.Tx) (err error) {
		run, err = roleshift.Track(ctx, tx, a)
		return err
	})
	if err == nil {
		return run, nil
	}
	cause := err
	w.must(func(tx *db.Tx) (err error) {
		if busy, ok := errors.AsType[*roleshift.Busy](cause); ok {
			run, err = roleshift.Skip(ctx, tx, a, busy)
			return err
		}
		run, err = roleshift.Fail(ctx, tx, a, nil, cause)
		return err
	})
	return run, nil
}

func (w *world) override(c call) {
	ctx := w.t.Context()
	var sc flags.Scope
	var err error
	if c.Level == "course" {
		key, perr := keys.ParseCourse(c.Key)
		if perr != nil {
			w.t.Fatal(perr)
		}
		sc, err = flags.ForCourse(key)
	} else {
		sc, err = flags.ForOrg(c.Key)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	change := flags.Change{On: c.Choice == "on", Drop: !c.Enabled}
	w.must(func(tx *db.Tx) error {
		if c.Flag != "" && c.Flag != flags.Authoring {
			_, err := flags.Set(ctx, tx, c.Flag, sc, change)
			return err
		}
		_, _, _, err := roleshift.Flip(ctx, tx, sc, change, roleshift.Options{Shift: w.automatic})
		return err
	})
}

func (w *world) command(c call) (o outcome) {
	var courses []string
	var org, list string
	remove := false
	for _, a := range c.Args {
		switch {
		case a == "--delete":
			remove, list = true, ""
		case strings.HasPrefix(a, "--"):
			list = a
		case list == "--org-id":
			org = a
		default:
			courses = append(courses, a)
		}
	}
	if org != "" && courses != nil || remove && c.Answer != "yes" {
		return outcome{err: fault.Errorf(fault.Usage, "command", "not run")}
	}
	direction := map[string]string{"migrate": "forward", "rollback": "rollback"}[c.Name]
	a := ask(direction, org, courses, nil, remove)
	if org != "" {
		sc, err := flags.ForOrg(org)
		if err == nil {
			s, err := flags.Load(w.t.Context(), w.d, flags.Authoring)
			if err != nil {
				w.t.Fatal(err)
			}
			a.Excluded = roleshift.AskFor(s, sc, direction == "forward", w.d.Engine().MySQLFamily()).Excluded
		}
	}
	if org == "" && courses == nil {
		return outcome{err: fault.Errorf(fault.Usage, "command", "not run")}
	}
	o.run, o.err = w.tracked(a)
	return o
}

// results compares the answer of a function.
func (w *world) results(at string, want json.RawMessage, got outcome) {
	var r struct {
		Error             string
		Errors, Successes []map[string]any
		Run               int64
		Status            string
	}
	if err := json.Unmarshal(want, &r); err != nil {
		w.t.Fatal(err)
	}
	if (r.Error != "") != (got.err != nil) && !slices.Contains(w.story.Differs, "M-56") {
		w.t.Errorf("%s: error %v, want %q", at, got.err, r.Error)
	}
	if r.Status != "" && (got.run == nil || string(got.run.Status) != r.Status) && !slices.Contains(w.story.Differs, "M-52") {
		w.t.Errorf("%s: run %+v, want status %s", at, got.run, r.Status)
	}
	if got.moves == nil || got.err != nil {
		return
	}
	lines := func(list []map[string]any) (out []string) {
		for _, e := range list {
			out = append(out, fmt.Sprint(e["subject"], " ", e["role"], " ", e["reason"]))
		}
		slices.Sort(out)
		return out
	}
	var ok, left []map[string]any
	for _, rec := range got.moves.Records {
		e := map[string]any{"subject": rec.User, "role": rec.Role}
		switch {
		case rec.Reason == roleshift.NotEligible:
		case rec.Outcome == roleshift.Moved, rec.Outcome == roleshift.Merged:
			ok = append(ok, e)
		case rec.Outcome == roleshift.Left:
			e["reason"] = rec.Reason
			left = append(left, e)
		}
	}
	if diff := cmp.Diff([2][]string{lines(r.Successes), lines(r.Errors)}, [2][]string{lines(ok), lines(left)}); diff != "" {
		w.t.Errorf("%s: result (-want +got):\n%s", at, diff)
	}
}

// sides reads both sides of the flag.
func sides(ctx context.Context, q db.Querier) (s state, err error) {
	err = q.Query(ctx, "SELECT u.username, c.org, c.course_id, c.role FROM student_courseaccessrole c JOIN auth_user u ON u.id = c.user_id", nil, func(r *db.Row) error {
		var l [4]string
		err := r.Scan(&l[0], &l[1], &l[2], &l[3])
		s.Legacy = append(s.Legacy, l)
		return err
	})
	if err != nil {
		return s, err
	}
	return s, q.Query(ctx, "SELECT v0, v1, v2 FROM casbin_rule WHERE ptype = 'g'", nil, func(r *db.Row) error {
		var g [3]string
		err := r.Scan(&g[0], &g[1], &g[2])
		s.Rows = append(s.Rows, g)
		return err
	})
}

func read(t testing.TB, d *db.DB) (s state) {
	t.Helper()
	ctx := t.Context()
	texts := func(sql string) (out [][]*string) {
		err := d.Query(ctx, sql, nil, func(r *db.Row) error {
			row := make([]*string, len(r.Columns()))
			dest := make([]any, len(row))
			for i := range row {
				dest[i] = &row[i]
			}
			if err := r.Scan(dest...); err != nil {
				return err
			}
			out = append(out, row)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, r := range texts("SELECT u.username, c.org, c.course_id, c.role FROM student_courseaccessrole c JOIN auth_user u ON u.id = c.user_id ORDER BY c.id") {
		s.Legacy = append(s.Legacy, [4]string{*r[0], *r[1], *r[2], *r[3]})
	}
	for _, r := range texts("SELECT v0, v1, v2 FROM casbin_rule WHERE ptype = 'g'") {
		s.Rows = append(s.Rows, [3]string{*r[0], *r[1], *r[2]})
	}
	for _, r := range texts(`SELECT e.casbin_rule_key, s.external_key, u.username FROM openedx_authz_extendedcasbinrule e
		LEFT JOIN openedx_authz_scope s ON s.id = e.scope_id LEFT JOIN openedx_authz_usersubject us ON us.subject_ptr_id = e.subject_id
		LEFT JOIN auth_user u ON u.id = us.user_id`) {
		s.Extended = append(s.Extended, [3]*string(r))
	}
	for _, r := range texts("SELECT s.external_key, c.course_overview_id FROM openedx_authz_scope s LEFT JOIN openedx_authz_coursescope c ON c.scope_ptr_id = s.id") {
		s.Scopes = append(s.Scopes, [2]*string(r))
	}
	for _, r := range texts("SELECT u.username FROM openedx_authz_usersubject s JOIN auth_user u ON u.id = s.user_id") {
		s.Subjects = append(s.Subjects, [1]*string(r))
	}
	for _, o := range []struct {
		table, key string
		to         *[][5]any
	}{{"waffle_utils_waffleflagcourseoverridemodel", "course_id", &s.Overrides.Course}, {"waffle_utils_waffleflagorgoverridemodel", "org", &s.Overrides.Org}} {
		err := d.Query(ctx, "SELECT id, waffle_flag, "+o.key+", enabled, override_choice FROM "+o.table+" ORDER BY id", nil, func(r *db.Row) error {
			var id int64
			var flag, key, choice string
			var enabled bool
			err := r.Scan(&id, &flag, &key, &enabled, &choice)
			*o.to = append(*o.to, [5]any{id, flag, key, enabled, choice})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	f, err := flags.Load(ctx, d, flags.Authoring)
	if err != nil {
		t.Fatal(err)
	}
	if f.Flag() != nil {
		s.Everyone = f.Flag().Everyone
	}
	err = d.Query(ctx, "SELECT id, migration_type, scope_type, scope_key, status, completed_at, metadata FROM openedx_authz_authzcourseauthoringmigrationrun ORDER BY id", nil, func(r *db.Row) error {
		var row runRow
		var done *time.Time
		var text string
		if err := r.Scan(&row.ID, &row.Direction, &row.Kind, &row.Key, &row.Status, &done, &text); err != nil {
			return err
		}
		row.Completed = done != nil
		s.Runs = append(s.Runs, row)
		return json.Unmarshal([]byte(text), &s.Runs[len(s.Runs)-1].Metadata)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Query(ctx, "SELECT operation, subject, role, scope, actor_id FROM openedx_authz_roleassignmentaudit ORDER BY id", nil, func(r *db.Row) error {
		var op, subject, role, scope string
		var actor *int64
		err := r.Scan(&op, &subject, &role, &scope, &actor)
		var by any
		if actor != nil {
			by = float64(*actor)
		}
		s.Audit = append(s.Audit, [5]any{op, subject, role, scope, by})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rights are the roles that count for each person in each course, by the side of the flag that the course is on: what may
// never be lost by turning the flag. Roles that only assignments have are left out.
func (w *world) rights() map[string]bool {
	s := read(w.t, w.d)
	f, err := flags.Load(w.t.Context(), w.d, flags.Authoring)
	if err != nil {
		w.t.Fatal(err)
	}
	courses := slices.Clone(w.story.Before.Courses)
	for _, r := range w.story.Before.Legacy {
		if strings.HasPrefix(r.Course, "course-v1:") {
			courses = append(courses, r.Course)
		}
	}
	for _, a := range w.story.Before.Assignments {
		if !strings.Contains(a[2], "*") {
			courses = append(courses, a[2])
		}
	}
	return rightsOf(s, f, courses)
}

func rightsOf(s state, f *flags.State, courses []string) map[string]bool {
	met := map[string]bool{}
	for _, c := range courses {
		met[c] = true
	}
	for _, r := range s.Legacy {
		if strings.HasPrefix(r[2], "course-v1:") {
			met[r[2]] = true
		}
	}
	out := map[string]bool{}
	for c := range met {
		org := legacy.OrgOf(c)
		if f.Course(c, org, f.Everyone()) {
			for _, r := range s.Rows {
				role, ok := legacy.Of(strings.TrimPrefix(r[1], "role^"))
				if sc := strings.TrimPrefix(r[2], "course-v1^"); ok && (sc == c || sc == "course-v1:"+org+"+*") {
					out[strings.TrimPrefix(r[0], "user^")+" "+string(role)+" "+c] = true
				}
			}
			continue
		}
		for _, r := range s.Legacy {
			if _, ok := legacy.Role(r[3]).Counterpart(); ok && (r[2] == c || r[2] == "" && strings.EqualFold(r[1], org)) {
				out[r[0]+" "+r[3]+" "+c] = true
			}
		}
	}
	return out
}

// lawful checks what must hold after any step.
func (w *world) lawful(at string, c call, before map[string]bool, held, after state) {
	if c.Do == "override" && w.automatic && c.Flag == "" {
		now := w.rights()
		for r := range before {
			if !now[r] {
				w.t.Errorf("%s: lost by turning the flag (M-05, M-06, M-24, M-25): %s", at, r)
			}
		}
	}
	for _, r := range after.Runs {
		if r.Status == "running" {
			continue
		}
		if !r.Completed {
			w.t.Errorf("%s: run %d is %s and has no end (M-23, M-44)", at, r.ID, r.Status)
		}
		if r.Status == "partial_success" && r.Metadata["error_count"] == 0.0 {
			w.t.Errorf("%s: run %d is partial without an error (M-52)", at, r.ID)
		}
		if r.Status == "failed" {
			for _, k := range []string{"error", "error_class", "traceback", "step"} {
				if text, _ := r.Metadata[k].(string); text == "" {
					w.t.Errorf("%s: failed run %d has no %s (M-49)", at, r.ID, k)
				}
			}
		}
	}
	if n := len(after.Runs); n > len(held.Runs) && (after.Runs[n-1].Status == "failed" || after.Runs[n-1].Status == "skipped") {
		if diff := cmp.Diff([2]any{held.Legacy, held.Rows}, [2]any{after.Legacy, after.Rows}); diff != "" {
			w.t.Errorf("%s: a %s run has changed rows (M-37):\n%s", at, after.Runs[n-1].Status, diff)
		}
	}
	met := map[[4]string]bool{}
	for _, r := range after.Legacy {
		if met[r] {
			w.t.Errorf("%s: %v twice (M-29)", at, r)
		}
		met[r] = true
	}
}
