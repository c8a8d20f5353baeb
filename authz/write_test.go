package authz_test

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/user"
)

// people whom [site] makes.
var people = []string{"alice", "bob", "carol", "dan", "eve"}

const (
	course  = "course-v1:OpenedX+CS101+2024"
	course2 = "course-v1:OpenedX+CS102+2024"
	library = "lib:OpenedX:CSPROB"
)

// site makes a database with a few people, two courses of which one has an overview, and a library.
func site(d *db.DB) error {
	ctx := context.Background()
	if err := schema.Create(ctx, d); err != nil {
		return err
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		for _, name := range people {
			if _, err := user.Create(ctx, tx, user.New{Username: name, Email: name + "@example.org"}); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, "INSERT INTO course_overviews_courseoverview (id, org, display_name) VALUES (?, 'OpenedX', 'One')", course); err != nil {
			return err
		}
		if err := tx.Insert(ctx, "organizations_organization", []string{"id", "created", "modified", "name", "short_name", "description", "logo", "active"}, 1,
			func(_ int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7] = 1, tx.Now(), tx.Now(), "Open edX", "OpenedX", "", "", true
			}); err != nil {
			return err
		}
		return tx.Insert(ctx, "content_libraries_contentlibrary", []string{"id", "slug", "license", "allow_public_learning", "allow_public_read", "org_id"}, 1,
			func(_ int, v []any) { v[0], v[1], v[2], v[3], v[4], v[5] = 1, "CSPROB", "", false, false, 1 })
	})
}

// state is what the tables of assignments hold, in the form of golden/authz/migration.jsonl.
type state struct {
	Rows     []string // subject role scope
	Extended []string // key | external key of the scope or null | user
	Scopes   []string // external key | what it is linked to or null
	Subjects []string // users
	Audit    []string // operation subject role scope actor
}

func read(t testing.TB, d *db.DB) (s state) {
	t.Helper()
	ctx := context.Background()
	lines := func(sql string) []string {
		list, err := db.All(ctx, d, sql, nil, func(r *db.Row) (string, error) {
			vals := make([]any, len(r.Columns()))
			dest := make([]any, len(vals))
			for i := range vals {
				dest[i] = &vals[i]
			}
			if err := r.Scan(dest...); err != nil {
				return "", err
			}
			parts := make([]string, len(vals))
			for i, v := range vals {
				parts[i] = fmt.Sprint(v)
				if v == nil {
					parts[i] = "null"
				}
			}
			return strings.Join(parts, " | "), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		sort.Strings(list)
		return list
	}
	s.Rows = lines("SELECT v0, v1, v2 FROM casbin_rule WHERE ptype = 'g'")
	s.Extended = lines(`SELECT e.casbin_rule_key, s.external_key, u.username FROM openedx_authz_extendedcasbinrule e
		LEFT JOIN openedx_authz_scope s ON s.id = e.scope_id LEFT JOIN openedx_authz_usersubject us ON us.subject_ptr_id = e.subject_id
		LEFT JOIN auth_user u ON u.id = us.user_id JOIN casbin_rule r ON r.id = e.casbin_rule_id`)
	s.Scopes = lines(`SELECT s.external_key, c.course_overview_id, l.content_library_id FROM openedx_authz_scope s
		LEFT JOIN openedx_authz_coursescope c ON c.scope_ptr_id = s.id LEFT JOIN openedx_authz_contentlibraryscope l ON l.scope_ptr_id = s.id`)
	s.Subjects = lines("SELECT u.username FROM openedx_authz_usersubject s JOIN auth_user u ON u.id = s.user_id JOIN openedx_authz_subject p ON p.id = s.subject_ptr_id")
	s.Audit = lines("SELECT a.operation, a.subject, a.role, a.scope, a.actor_id, n.reason, n.run_id FROM openedx_authz_roleassignmentaudit a JOIN lectern_authzaudit n ON n.audit_id = a.id")
	return s
}

func version(t testing.TB, d *db.DB) uuid.UUID {
	t.Helper()
	v, _, err := db.One(context.Background(), d, "SELECT version FROM openedx_authz_policycachecontrol WHERE id = 1", nil, db.Value[uuid.UUID])
	if err != nil {
		t.Fatal(err)
	}
	return v
}

type writer func(ctx context.Context, tx *db.Tx, grants []authz.Grant, o authz.Options) (*authz.Written, error)

func do(d *db.DB, fn writer, o authz.Options, grants ...authz.Grant) (w *authz.Written, err error) {
	ctx := context.Background()
	err = d.Update(ctx, func(tx *db.Tx) (err error) {
		w, err = fn(ctx, tx, grants, o)
		return err
	})
	return w, err
}

func outcomes(w *authz.Written) string {
	var s []string
	for _, r := range w.Results {
		s = append(s, r.Outcome.String())
	}
	return strings.Join(s, " ")
}

func TestAssign(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		grants := []authz.Grant{
			{"alice", "course_admin", course}, {"bob", "course_staff", course2}, {"alice", "library_admin", library},
			{"carol", "course_staff", "course-v1:OpenedX+*"}, {"alice", "course_admin", course}, {"alice", "library_user", "lib:*"},
		}
		w, err := do(d, authz.Assign, authz.Options{Actor: 2, Reason: "because", Run: 7}, grants...)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := outcomes(w), "added added added added present added"; got != want {
			t.Errorf("outcomes %q, want %q", got, want)
		}
		want := state{
			Rows: []string{
				"user^alice | role^course_admin | course-v1^" + course, "user^alice | role^library_admin | lib^" + library,
				"user^alice | role^library_user | lib^lib:*", "user^bob | role^course_staff | course-v1^" + course2,
				"user^carol | role^course_staff | course-v1^course-v1:OpenedX+*",
			},
			Extended: []string{
				"g,user^alice,role^course_admin,course-v1^" + course + ", | " + course + " | alice",
				"g,user^alice,role^library_admin,lib^" + library + ", | " + library + " | alice",
				"g,user^alice,role^library_user,lib^lib:*, | null | alice",
				"g,user^bob,role^course_staff,course-v1^" + course2 + ", | " + course2 + " | bob",
				"g,user^carol,role^course_staff,course-v1^course-v1:OpenedX+*, | null | carol",
			},
			Scopes:   []string{course + " | " + course + " | null", course2 + " | null | null", library + " | null | 1"},
			Subjects: []string{"alice", "bob", "carol"},
			Audit: []string{
				"created | user^alice | role^course_admin | course-v1^" + course + " | 2 | because | 7",
				"created | user^alice | role^library_admin | lib^" + library + " | 2 | because | 7",
				"created | user^alice | role^library_user | lib^lib:* | 2 | because | 7",
				"created | user^bob | role^course_staff | course-v1^" + course2 + " | 2 | because | 7",
				"created | user^carol | role^course_staff | course-v1^course-v1:OpenedX+* | 2 | because | 7",
			},
		}
		if diff := cmp.Diff(want, read(t, d)); diff != "" {
			t.Errorf("after assigning (-want +got):\n%s", diff)
		}
		if w.Change.Version != version(t, d) || len(w.Change.Added) != 5 || len(w.Change.Removed) != 0 {
			t.Errorf("change is %+v, the database is at %s", w.Change, version(t, d))
		}

		// The same again changes nothing.
		before := version(t, d)
		again, err := do(d, authz.Assign, authz.Options{}, grants...)
		if err != nil || outcomes(again) != "present present present present present present" || !again.Change.IsZero() || version(t, d) != before {
			t.Errorf("again: %v, %v, change %+v", again, err, again.Change)
		}
		if diff := cmp.Diff(want, read(t, d)); diff != "" {
			t.Errorf("after assigning again (-want +got):\n%s", diff)
		}

		gone, err := do(d, authz.Unassign, authz.Options{}, authz.Grant{"alice", "course_admin", course}, authz.Grant{"alice", "course_staff", course},
			authz.Grant{"carol", "course_staff", course}, authz.Grant{"alice", "course_admin", course})
		if err != nil || outcomes(gone) != "removed absent absent absent" {
			t.Fatalf("unassign: %v, %v", gone, err)
		}
		if gone.Change.Previous != before || gone.Change.Version != version(t, d) {
			t.Errorf("change %+v does not follow %s", gone.Change, before)
		}
		want.Rows, want.Extended = want.Rows[1:], want.Extended[1:]
		want.Audit = append(want.Audit, "deleted | user^alice | role^course_admin | course-v1^"+course+" | null |  | null")
		if diff := cmp.Diff(want, read(t, d)); diff != "" {
			t.Errorf("after unassigning (-want +got):\n%s", diff)
		}
	})
}

func TestAssignRefused(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		long := "course-v1:" + strings.Repeat("O", 100) + "+" + strings.Repeat("C", 60) + "+" + strings.Repeat("R", 60)
		bad := []struct {
			grant  authz.Grant
			reason authz.Reason
			kind   fault.Kind
		}{
			{authz.Grant{"nobody", "course_staff", course}, authz.UserNotFound, fault.NotFound},
			{authz.Grant{"ALICE", "course_staff", course}, authz.UserNotFound, fault.NotFound},
			{authz.Grant{"alice", "course_staff", long}, authz.KeyTooLong, fault.Invalid},
			{authz.Grant{"alice", "course_staff", "no-scope"}, authz.InvalidScope, fault.Invalid},
			{authz.Grant{"alice", "course_staff", "ccx-v1:O+C+R+ccx@1"}, authz.InvalidScope, fault.Invalid},
			{authz.Grant{"alice", "course_staff", "platform:*"}, authz.InvalidScope, fault.Invalid},
			{authz.Grant{"alice", "course_staff", "*"}, authz.InvalidScope, fault.Invalid},
			{authz.Grant{"alice", "", course}, authz.InvalidName, fault.Invalid},
		}
		empty := read(t, d)
		good := authz.Grant{"alice", "course_staff", course}
		all := []authz.Grant{good}
		for _, c := range bad {
			all = append(all, c.grant)
			w, err := do(d, authz.Assign, authz.Options{}, good, c.grant)
			if err == nil || !fault.Is(err, c.kind) {
				t.Errorf("%v: %v, %v, want an error of kind %v", c.grant, w, err, c.kind)
			}
		}
		if diff := cmp.Diff(empty, read(t, d)); diff != "" {
			t.Errorf("a refused assignment left something (-want +got):\n%s", diff)
		}
		w, err := do(d, authz.Assign, authz.Options{KeepGoing: true}, all...)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range bad {
			if r := w.Results[i+1]; r.Outcome != authz.Failed || r.Err == nil || r.Err.Reason != c.reason {
				t.Errorf("%v: %+v, want %s", c.grant, r, c.reason)
			}
		}
		if w.Results[0].Outcome != authz.Added {
			t.Errorf("the good one: %+v", w.Results[0])
		}
	})
}

// TestLetterCase has grants that differ by case alone: two where the database tells them apart, else a conflict.
func TestLetterCase(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		small, large := authz.Grant{"alice", "library_user", "lib:OpenedX:none"}, authz.Grant{"alice", "library_user", "lib:OpenedX:NONE"}
		w, err := do(d, authz.Assign, authz.Options{KeepGoing: true}, small, large)
		if err != nil {
			t.Fatal(err)
		}
		again, err := do(d, authz.Assign, authz.Options{KeepGoing: true}, large)
		if err != nil {
			t.Fatal(err)
		}
		want, wantAgain, wantGone := "added added", "present", "removed"
		if d.Engine().MySQLFamily() {
			want, wantAgain, wantGone = "added failed", "failed", "absent"
			if w.Results[1].Err.Reason != authz.CaseConflict || !fault.Is(w.Results[1].Err, fault.Conflict) {
				t.Errorf("the second: %v", w.Results[1].Err)
			}
			if _, err := do(d, authz.Assign, authz.Options{}, large); !fault.Is(err, fault.Conflict) {
				t.Errorf("alone: %v", err)
			}
		}
		gone, err := do(d, authz.Unassign, authz.Options{}, large)
		if err != nil {
			t.Fatal(err)
		}
		if got := []string{outcomes(w), outcomes(again), outcomes(gone)}; cmp.Diff([]string{want, wantAgain, wantGone}, got) != "" {
			t.Errorf("outcomes %q, want %q, %q, %q", got, want, wantAgain, wantGone)
		}
		if s := read(t, d); len(s.Rows) != 1 || !strings.Contains(s.Rows[0], "none") {
			t.Errorf("left: %q", s.Rows)
		}
		// Another person's grant shares the scope's row with it.
		if _, err := do(d, authz.Assign, authz.Options{}, authz.Grant{"bob", "library_user", "lib:OpenedX:NONE"}); err != nil {
			t.Error(err)
		}
	})
}
