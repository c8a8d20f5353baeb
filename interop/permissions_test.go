package interop

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/definitions"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/user"
)

// TestPermissionsOnLecternsDatabase has openedx-authz and Lectern change who may do what in turns, on a database that
// Lectern made and gave its roles.
func TestPermissionsOnLecternsDatabase(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e db.Engine) {
		url := dbtest.URL(t, e)
		d := open(t, url)
		if err := create(d); err != nil {
			t.Fatal(err)
		}
		if err := d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := authz.SeedUnused(t.Context(), tx)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		permissionsInTurns(t, d, startKind(t, url, t.TempDir(), "authz"))
	})
}

// TestPermissionsOnDjangosDatabase is the other way round: Django makes tables and roles, and Lectern joins.
func TestPermissionsOnDjangosDatabase(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e db.Engine) {
		url := dbtest.URL(t, e)
		django := startKind(t, url, t.TempDir(), "authz")
		django.ask(t, nil, "migrate")
		django.ask(t, nil, "seed")
		d := open(t, url)
		if err := schema.Prepare(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		permissionsInTurns(t, d, django)
	})
}

// pair is a running process of each side on one database.
type pair struct {
	d      *db.DB
	engine *authz.Engine // follows the database by itself
	django *site
}

// permissionsInTurns lets each side change the assignments, the definitions, and what they hang on, and looks at both.
func permissionsInTurns(t *testing.T, d *db.DB, django *site) {
	t.Helper()
	ctx := t.Context()
	checked(t, django, "openedx_authz", "casbin_adapter")
	django.ask(t, nil, "people")
	p := &pair{d, watched(t, d), django}
	p.agree(t, "with nothing assigned", questions(16))

	const (
		cs1, cs2, later, rerun = "course-v1:OpenedX+CS1+2026", "course-v1:OpenedX+CS2+2026", "course-v1:DemoX+Later+2026", "course-v1:DemoX+Rerun+2026"
		lib1, lib2, demo       = "lib:OpenedX:LIB1", "lib:OpenedX:LIB2", "lib:DemoX:LIB1"
	)
	ours := grants([][3]string{{"ann", "library_admin", lib1}, {"ann", "course_staff", "course-v1:OpenedX+*"}, {"bob", "library_user", "lib:*"},
		{"cleo", "course_admin", cs1}, {"dan", "course_auditor", later}, {"eve", "library_author", "lib:DemoX:*"}, {"sleeper", "library_user", lib2}})
	theirs := grants([][3]string{{"bob", "course_editor", cs2}, {"cleo", "library_contributor", lib2}, {"dan", "library_admin", "lib:OpenedX:*"},
		{"ann", "library_user", demo}, {"eve", "course_admin", rerun}, {"root", "course_staff", "course-v1:*"}})

	p.lectern(t, authz.Assign, "root", ours...)
	p.agree(t, "after Lectern has assigned", questions(8))
	p.python(t, "assign", "staffer", theirs...)
	every := 1
	if d.Engine() != db.SQLite { // all engines decide by the same rows, and each question takes Python 20 ms
		every = 6
	}
	p.agree(t, "after Python has assigned", questions(every))
	p.alike(t, slices.Concat(ours, theirs))

	t.Log("each takes back what the other gave, and gives what is there already")
	if w := p.lectern(t, authz.Unassign, "root", theirs[0], theirs[2]); w.Count(authz.Removed) != 2 {
		t.Errorf("Lectern took back %v, want both", w.Results)
	}
	if done := p.python(t, "unassign", "staffer", ours[0], ours[4], theirs[0]); !slices.Equal(done, []bool{true, true, false}) {
		t.Errorf("Python took back %v, want the two that were there", done)
	}
	if w := p.lectern(t, authz.Assign, "root", theirs[1]); w.Count(authz.Present) != 1 {
		t.Errorf("what Python gave is %v to Lectern", w.Results)
	}
	if done := p.python(t, "assign", "staffer", ours[1]); done[0] {
		t.Error("what Lectern gave is new to Python")
	}
	p.agree(t, "after taking back", questions(12))
	p.alike(t, slices.Concat(ours[1:4], ours[5:], theirs[1:2], theirs[3:]))
	p.audited(t)

	t.Log("scopes that were assigned before their course was there")
	django.ask(t, nil, "save_course", rerun)
	django.ask(t, nil, "save_course", later)
	p.lectern(t, authz.Assign, "", authz.Grant{User: "cleo", Role: "course_editor", Scope: later}) // on the row that Python linked
	if links := p.links(t); links[later] != later || links[rerun] != rerun {
		t.Errorf("Python saved two courses for which scopes waited, and they are linked to %v", links)
	}
	django.ask(t, nil, "delete_course", later)
	p.python(t, "assign", "", authz.Grant{User: "dan", Role: "course_editor", Scope: later})
	p.update(t, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO course_overviews_courseoverview (id, org, display_name) VALUES (?, 'DemoX', 'Later')", later); err != nil {
			return err
		}
		n, err := authz.Adopt(ctx, tx, later)
		if n != 1 {
			t.Errorf("%d scopes adopted, want that which Python made", n)
		}
		return err
	})
	if links := p.links(t); links[later] != later {
		t.Errorf("Lectern linked the scope, and Python reads %v", links)
	}
	p.agree(t, "after courses came and went", questions(16))

	p.unseen(t)
	p.defined(t)
	state, err := schema.Recognize(ctx, d)
	if err != nil || state.Status != schema.Current {
		t.Errorf("recognised as %+v, %v", state, err)
	}
}

// unseen makes the changes to which the reference gives no version (authz.md §7): a running process, Lectern's or
// Python's, decides by what it has, until the next version by anybody who leaves no list of changed rows.
func (p *pair) unseen(t *testing.T) {
	t.Helper()
	const lib2 = "lib:OpenedX:LIB2"
	p.python(t, "assign", "", authz.Grant{User: "dan", Role: "library_admin", Scope: lib2}, authz.Grant{User: "sleeper", Role: "library_author", Scope: lib2})
	for _, c := range []struct {
		command  []string
		question [3]string
		after    bool
	}{
		{[]string{"unassign_all", "bob"}, [3]string{"bob", "content_libraries.view_library", lib2}, false},
		{[]string{"delete_user", "dan"}, [3]string{"dan", "content_libraries.delete_library", lib2}, false},
		{[]string{"delete_course", "course-v1:OpenedX+CS1+2026"}, [3]string{"cleo", "courses.view_course", "course-v1:OpenedX+CS1+2026"}, false},
		{[]string{"rule", "g", "user^eve", "role^library_admin", "lib^" + lib2}, [3]string{"eve", "content_libraries.delete_library", lib2}, true},
	} {
		p.caughtUp(t)
		before := p.version(t)
		p.django.ask(t, nil, c.command...)
		if v := p.version(t); v != before {
			t.Errorf("%q gave the policy a version", c.command)
		}
		if err := p.engine.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := answer(t, p.engine.Index(), c.question); got == c.after {
			t.Errorf("after %q a running process knew: %q is %v", c.command, c.question, got)
		}
		fresh, err := authz.Load(t.Context(), p.d)
		if err != nil {
			t.Fatal(err)
		}
		if got := answer(t, fresh, c.question); got != c.after {
			t.Errorf("after %q a new process decides that %q is %v", c.command, c.question, got)
		}
		p.python(t, "unassign", "", authz.Grant{User: "ann", Role: "library_user", Scope: "lib:None:NONE"}) // of what there is not, yet with a version
		p.agree(t, "at the next version after "+c.command[0], append(questions(60), c.question))
	}
}

// defined lets each apply the definitions of roles after the other, which must find nothing to do.
func (p *pair) defined(t *testing.T) {
	t.Helper()
	var rows int
	before := p.version(t)
	if p.django.ask(t, &rows, "seed"); rows != len(authz.Shipped()) {
		t.Errorf("load_policies leaves %d rows, want the %d shipped ones", rows, len(authz.Shipped()))
	}
	p.update(t, func(ctx context.Context, tx *db.Tx) error {
		s, err := authz.Seed(ctx, tx, false, authz.Options{})
		if len(s.Added)+len(s.Removed) > 0 {
			t.Errorf("Lectern changes the rows that Python keeps: %+v", s)
		}
		return err
	})
	if v := p.version(t); v != before {
		t.Error("seeding twice gave the policy a version")
	}
	var said string
	p.django.ask(t, &said, "schema")
	files, err := definitions.Find(definitions.Shipped())
	if err != nil {
		t.Fatal(err)
	}
	s, err := definitions.Compile(files)
	if err != nil {
		t.Fatal(err)
	}
	p.update(t, func(ctx context.Context, tx *db.Tx) error {
		a, err := definitions.Apply(ctx, tx, s, false, authz.Options{})
		if err == nil {
			for _, line := range a.Lines() { // Lectern's texts for people are its own
				if !strings.HasPrefix(line, "~ ") {
					t.Errorf("after load_authz_schema Lectern changes: %s", line)
				}
			}
		}
		return err
	})
	p.django.ask(t, &said, "schema")
	for _, line := range strings.Split(said, "\n") {
		if strings.HasPrefix(line, "  + ") || strings.HasPrefix(line, "  - ") || strings.HasPrefix(line, "  ! ") {
			t.Errorf("after Lectern load_authz_schema changes: %s", line)
		}
	}
	p.agree(t, "after the definitions", questions(12))
}

// questions returns one in every n of the questions that the small world of permissions.py gives. Of people whom Python
// looks for again for every rule there are few, as each takes it a second.
func questions(n int) (list [][3]string) {
	i := 0
	for _, who := range []string{"ann", "bob", "cleo", "dan", "eve", "root", "sleeper"} {
		for _, action := range []string{"content_libraries.view_library", "content_libraries.delete_library", "courses.view_course",
			"courses.edit_course_content", "courses.manage_advanced_settings"} {
			for _, scope := range []string{"lib:OpenedX:LIB1", "lib:OpenedX:LIB2", "lib:DemoX:*", "course-v1:OpenedX+CS1+2026", "course-v1:OpenedX+*",
				"course-v1:DemoX+Later+2026", "ccx-v1:OpenedX+CS1+2026+ccx@1"} {
				if i++; i%n == 0 {
					list = append(list, [3]string{who, action, scope})
				}
			}
		}
	}
	if n == 1 {
		list = append(list, [][3]string{{"leaver", "courses.view_course", "course-v1:OpenedX+CS1+2026"}, {"nobody", "courses.view_course", "course-v1:*"},
			{"staffer@example.org", "content_libraries.no_such", "lib:*"}, {"staffer", "no.such", "ccx-v1:OpenedX+CS1+2026+ccx@1"},
			{"bob", "courses.view_course", "lib:OpenedX*"}, {"", "courses.view_course", "lib:*"}}...)
	}
	return list
}

// watched returns an engine that follows the database as a server's does, until the test ends.
func watched(t *testing.T, d *db.DB) *authz.Engine {
	t.Helper()
	e := authz.NewEngine(d)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.Watch(ctx, 20*time.Millisecond)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return e
}

// caughtUp waits for the engine to have seen the stored version.
func (p *pair) caughtUp(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !p.engine.Loaded() || p.engine.Index().Version() != p.version(t); {
		if time.Now().After(end) {
			_, err := p.engine.Staleness()
			t.Fatalf("the engine does not see version %s: %v", p.version(t), err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (p *pair) version(t *testing.T) uuid.UUID {
	t.Helper()
	v, err := authz.Version(t.Context(), p.d)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// agree compares the answers of the running processes, and those of one that has just started.
func (p *pair) agree(t *testing.T, when string, list [][3]string) {
	t.Helper()
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	var theirs []*bool
	p.django.ask(t, &theirs, "allowed", string(text))
	p.caughtUp(t)
	fresh, err := authz.Load(t.Context(), p.d)
	if err != nil {
		t.Fatal(err)
	}
	yes := 0
	for i, q := range list {
		for _, x := range []*authz.Index{p.engine.Index(), fresh} {
			switch got, err := x.Allowed(q[0], q[1], q[2]); {
			case (theirs[i] == nil) != (err != nil):
				t.Errorf("%s: %q: Python says %v, Lectern %v", when, q, theirs[i], err)
			case err == nil && got != *theirs[i]:
				t.Errorf("%s: %q: Python says %v, Lectern %v", when, q, *theirs[i], got)
			case got:
				yes++
			}
		}
	}
	if yes == 0 {
		t.Errorf("%s: nobody may do anything", when)
	}
}

func answer(t *testing.T, x *authz.Index, q [3]string) bool {
	t.Helper()
	got, err := x.Allowed(q[0], q[1], q[2])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (p *pair) update(t *testing.T, fn func(ctx context.Context, tx *db.Tx) error) {
	t.Helper()
	if err := p.d.Update(t.Context(), func(tx *db.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

// change is authz.Assign or authz.Unassign.
type change func(context.Context, *db.Tx, []authz.Grant, authz.Options) (*authz.Written, error)

// lectern changes grants by Lectern's means, in the name of a user.
func (p *pair) lectern(t *testing.T, fn change, actor string, grants ...authz.Grant) (w *authz.Written) {
	t.Helper()
	p.update(t, func(ctx context.Context, tx *db.Tx) error {
		ids, err := user.IDs(ctx, tx, []string{actor})
		if err != nil {
			return err
		}
		w, err = fn(ctx, tx, grants, authz.Options{Actor: ids[actor]})
		return err
	})
	return w
}

// python changes them by Python's, and returns what it said of each.
func (p *pair) python(t *testing.T, command, actor string, grants ...authz.Grant) (done []bool) {
	t.Helper()
	var list [][3]string
	for _, g := range grants {
		list = append(list, [3]string{g.User, g.Role, g.Scope})
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	p.django.ask(t, &done, command, actor, string(text))
	return done
}

// assignment is one as the models of openedx-authz have it.
type assignment struct {
	Rule   [3]string `json:"rule"`
	Rest   string    `json:"rest"` // of the columns that no assignment uses
	Key    string    `json:"key"`  // of the extended row
	Scope  *string   `json:"scope"`
	Linked *string   `json:"linked"`
	User   *string   `json:"user"`
	Noted  bool      `json:"noted"` // description or metadata are there
}

// alike checks that Python reads these assignments and no others, each with everything that belongs to it, whoever made
// it; also on the pages of the admin site.
func (p *pair) alike(t *testing.T, grants []authz.Grant) {
	t.Helper()
	var got []assignment
	p.django.ask(t, &got, "assignments")
	var want []assignment
	var lines, pages [][]string
	for _, g := range grants {
		ns := "lib"
		if g.Scope[:3] != ns {
			ns = "course-v1"
		}
		a := assignment{Rule: [3]string{"user^" + g.User, "role^" + g.Role, ns + "^" + g.Scope}, User: &g.User}
		a.Key = "g," + a.Rule[0] + "," + a.Rule[1] + "," + a.Rule[2] + ","
		if g.Scope[len(g.Scope)-1] != '*' {
			a.Scope = &g.Scope
			if there := g.Scope != "course-v1:DemoX+Later+2026" && g.Scope != "course-v1:DemoX+Rerun+2026"; there {
				a.Linked = &g.Scope
			}
		}
		want = append(want, a)
		lines = append(lines, a.Rule[:])
		pages = append(pages, append(a.Rule[:], a.Key))
	}
	byRule := cmpopts.SortSlices(func(a, b assignment) bool { return a.Key < b.Key })
	if diff := cmp.Diff(want, got, byRule); diff != "" {
		t.Errorf("what Python's models read (-want +got):\n%s", diff)
	}
	var admin struct{ Listed, Opened [][]string }
	p.django.ask(t, &admin, "admin")
	sorted := cmpopts.SortSlices(func(a, b []string) bool { return slices.Compare(a, b) < 0 })
	if diff := cmp.Diff(lines, admin.Listed, sorted); diff != "" {
		t.Errorf("the list of the admin site (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(pages, admin.Opened, sorted); diff != "" {
		t.Errorf("the pages of the admin site (-want +got):\n%s", diff)
	}
}

// audited compares the audit as both list it.
func (p *pair) audited(t *testing.T) {
	t.Helper()
	var theirs [][]string
	p.django.ask(t, &theirs, "audit")
	entries, err := authz.Audit(t.Context(), p.d, authz.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	people, err := user.IDs(t.Context(), p.d, []string{"root", "staffer"})
	if err != nil {
		t.Fatal(err)
	}
	actors := map[user.ID]string{}
	for name, id := range people {
		actors[id] = name
	}
	ours, count := [][]string{}, map[string]int{}
	for _, e := range entries {
		op := "deleted"
		if e.Created {
			op = "created"
		}
		count[op+" by "+actors[e.Actor]]++
		ours = append(ours, []string{op, e.Grant.User, e.Grant.Role, e.Grant.Scope, idOf(e.Actor)})
		if age := time.Since(e.At); age < -time.Minute || age > time.Hour {
			t.Errorf("%v is %v old", e, age)
		}
	}
	slices.SortFunc(ours, slices.Compare)
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("the audit (-Python +Lectern):\n%s", diff)
	}
	want := map[string]int{"created by root": 7, "created by staffer": 6, "deleted by root": 2, "deleted by staffer": 2}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("who did what (-want +got):\n%s", diff)
	}
}

func grants(list [][3]string) (out []authz.Grant) {
	for _, g := range list {
		out = append(out, authz.Grant{User: g[0], Role: g[1], Scope: g[2]})
	}
	return out
}

func idOf(id user.ID) string {
	text, _ := json.Marshal(id) // a number
	return string(text)
}

// links returns what Python reads the scopes of all assignments to be linked to.
func (p *pair) links(t *testing.T) map[string]string {
	t.Helper()
	var list []assignment
	p.django.ask(t, &list, "assignments")
	links := map[string]string{}
	for _, a := range list {
		if a.Scope != nil && a.Linked != nil {
			links[*a.Scope] = *a.Linked
		}
	}
	return links
}
