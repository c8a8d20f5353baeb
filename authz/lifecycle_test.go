package authz_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// within runs fn in a transaction.
func within(t testing.TB, d *db.DB, fn func(ctx context.Context, tx *db.Tx) error) {
	t.Helper()
	if err := d.Update(context.Background(), func(tx *db.Tx) error { return fn(context.Background(), tx) }); err != nil {
		t.Fatal(err)
	}
}

func exec(t testing.TB, d *db.DB, sql string, args ...any) {
	t.Helper()
	if _, err := d.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestRenameUser(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		if _, err := do(d, authz.Assign, authz.Options{}, authz.Grant{"alice", "course_admin", course}, authz.Grant{"alice", "library_user", "lib:*"},
			authz.Grant{"bob", "library_user", "lib:*"}); err != nil {
			t.Fatal(err)
		}
		// Rows that wait for the new name already, and one that Python made twice.
		exec(t, d, "INSERT INTO casbin_rule (ptype, v0, v1, v2, v3, v4, v5) VALUES ('g', 'user^Alice2', 'role^library_user', 'lib^lib:*', '', '', '')")
		exec(t, d, "INSERT INTO casbin_rule (ptype, v0, v1, v2, v3, v4, v5) VALUES ('g', 'user^alice', 'role^course_admin', ?, '', '', '')", "course-v1^"+course)
		exec(t, d, "UPDATE openedx_authz_policycachecontrol SET version = ?", "00000000000000000000000000000001")
		exec(t, d, "UPDATE auth_user SET username = 'Alice2' WHERE username = 'alice'")
		before := version(t, d)
		var w *authz.Written
		within(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
			w, err = authz.RenameUser(ctx, tx, "alice", "Alice2", authz.Options{Actor: 3})
			return err
		})
		s := read(t, d)
		want := state{
			Rows: []string{"user^Alice2 | role^course_admin | course-v1^" + course, "user^Alice2 | role^library_user | lib^lib:*", "user^bob | role^library_user | lib^lib:*"},
			Extended: []string{"g,user^Alice2,role^course_admin,course-v1^" + course + ", | " + course + " | Alice2",
				"g,user^bob,role^library_user,lib^lib:*, | null | bob"},
			Subjects: []string{"Alice2", "bob"},
			Scopes:   []string{course + " | " + course + " | null"},
			Audit: []string{
				"created | user^Alice2 | role^course_admin | course-v1^" + course + " | 3 |  | null",
				"created | user^alice | role^course_admin | course-v1^" + course + " | null |  | null",
				"created | user^alice | role^library_user | lib^lib:* | null |  | null",
				"created | user^bob | role^library_user | lib^lib:* | null |  | null",
				"deleted | user^alice | role^course_admin | course-v1^" + course + " | 3 |  | null",
				"deleted | user^alice | role^library_user | lib^lib:* | 3 |  | null",
			},
		}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Errorf("after renaming (-want +got):\n%s", diff)
		}
		if outcomes(w) != "removed removed" || w.Change.Previous != before || len(w.Change.Added) != 1 || len(w.Change.Removed) != 2 {
			t.Errorf("%s, change %+v", outcomes(w), w.Change)
		}
		within(t, d, func(ctx context.Context, tx *db.Tx) error {
			_, err := authz.RenameUser(ctx, tx, "Alice2", strings.Repeat("x", 250), authz.Options{})
			var g *authz.GrantError
			if !errors.As(err, &g) || g.Reason != authz.KeyTooLong {
				t.Errorf("a name too long: %v", err)
			}
			return nil
		})
	})
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		late := "lib:OpenedX:late"
		if _, err := do(d, authz.Assign, authz.Options{}, authz.Grant{"alice", "course_admin", course2}, authz.Grant{"bob", "library_user", late},
			authz.Grant{"bob", "library_user", library}); err != nil {
			t.Fatal(err)
		}
		before := version(t, d)
		adopt := func(keys ...string) (n int) {
			within(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
				n, err = authz.Adopt(ctx, tx, keys...)
				return err
			})
			return n
		}
		if n := adopt(course, course2, late, library, "nonsense", "lib:*"); n != 0 {
			t.Errorf("adopted %d before they were there", n)
		}
		exec(t, d, "INSERT INTO course_overviews_courseoverview (id, org, display_name) VALUES (?, 'OpenedX', 'Two')", course2)
		if n := adopt(course, course2, library); n != 1 {
			t.Errorf("adopted %d, want the course", n)
		}
		exec(t, d, "INSERT INTO content_libraries_contentlibrary (id, slug, license, allow_public_learning, allow_public_read, org_id) VALUES (2, 'late', '', ?, ?, 1)", false, false)
		within(t, d, func(ctx context.Context, tx *db.Tx) error {
			n, err := authz.AdoptAll(ctx, tx)
			if n != 1 {
				t.Errorf("adopted %d, want the library", n)
			}
			return err
		})
		want := []string{course2 + " | " + course2 + " | null", library + " | null | 1", late + " | null | 2"}
		if diff := cmp.Diff(want, read(t, d).Scopes); diff != "" {
			t.Errorf("scopes (-want +got):\n%s", diff)
		}
		if version(t, d) != before {
			t.Error("the policy has another version")
		}
	})
}

// TestScopeRows starts from rows as old releases and missed links left them (authz.md §8).
func TestScopeRows(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		exec(t, d, "INSERT INTO course_overviews_courseoverview (id, org, display_name) VALUES (?, 'OpenedX', 'Two')", course2)
		within(t, d, func(ctx context.Context, tx *db.Tx) error {
			ids, err := tx.InsertIDs(ctx, "openedx_authz_scope", []string{"external_key"}, 4, func(i int, v []any) {
				v[0] = []any{nil, nil, course2, library}[i]
			})
			if err != nil {
				return err
			}
			// Linked twice without a key, as two processes made it; one that waits though its course is there; a library's
			// without the row of its kind.
			return tx.Insert(ctx, "openedx_authz_coursescope", []string{"scope_ptr_id", "course_overview_id"}, 3, func(i int, v []any) {
				v[0], v[1] = ids[i], []any{course, course, nil}[i]
			})
		})
		if _, err := do(d, authz.Assign, authz.Options{}, authz.Grant{"alice", "course_admin", course}, authz.Grant{"alice", "course_admin", course2},
			authz.Grant{"bob", "library_user", library}); err != nil {
			t.Fatal(err)
		}
		want := []string{course + " | " + course + " | null", course2 + " | " + course2 + " | null", library + " | null | 1", "null | " + course + " | null"}
		if diff := cmp.Diff(want, read(t, d).Scopes); diff != "" {
			t.Errorf("scopes (-want +got):\n%s", diff)
		}
	})
}

func TestDrop(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		if _, err := do(d, authz.Assign, authz.Options{}, authz.Grant{"alice", "course_admin", course}, authz.Grant{"bob", "course_staff", course},
			authz.Grant{"bob", "library_user", library}, authz.Grant{"carol", "course_staff", "course-v1:OpenedX+*"}); err != nil {
			t.Fatal(err)
		}
		within(t, d, func(ctx context.Context, tx *db.Tx) error {
			w, err := authz.DropScopes(ctx, tx, []string{course, library}, authz.Options{})
			if err != nil || outcomes(w) != "removed removed removed" {
				t.Errorf("%v, %v", w, err)
				return err
			}
			if _, err := tx.Exec(ctx, "DELETE FROM course_overviews_courseoverview"); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, "DELETE FROM content_libraries_contentlibrary")
			return err
		})
		within(t, d, func(ctx context.Context, tx *db.Tx) error {
			if _, err := authz.DropUser(ctx, tx, "carol", authz.Options{}); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "DELETE FROM auth_user WHERE username = 'carol'")
			return err
		})
		s := read(t, d)
		if len(s.Rows)+len(s.Extended)+len(s.Scopes) != 0 || len(s.Subjects) != 2 || len(s.Audit) != 8 {
			t.Errorf("left: %+v", s)
		}
	})
}

func TestAudit(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		a, b := authz.Grant{"alice", "course_admin", course}, authz.Grant{"bob", "library_user", "lib:*"}
		if _, err := do(d, authz.Assign, authz.Options{Actor: 1, Reason: strings.Repeat("ä", 600)}, a, b); err != nil {
			t.Fatal(err)
		}
		if _, err := do(d, authz.Unassign, authz.Options{Run: 12}, a); err != nil {
			t.Fatal(err)
		}
		// As Python writes one.
		exec(t, d, "INSERT INTO openedx_authz_roleassignmentaudit (operation, subject, role, scope, actor_id, timestamp) VALUES ('deleted', 'user^BOB', 'role^x', 'lib^lib:*', NULL, ?)",
			time.Date(2001, 2, 3, 4, 5, 6, 7000, time.UTC))
		list := func(f authz.AuditFilter) []authz.Entry {
			t.Helper()
			es, err := authz.Audit(ctx, d, f)
			if err != nil {
				t.Fatal(err)
			}
			return es
		}
		all := list(authz.AuditFilter{})
		if len(all) != 4 || all[0].Created || all[0].Run != 12 || all[0].Grant != a || !all[1].Created || all[1].Actor != 1 || len([]rune(all[1].Reason)) != 500 ||
			all[3].Grant.User != "BOB" || all[3].At.Year() != 2001 || all[3].Before != nil {
			t.Fatalf("entries %+v", all)
		}
		var before struct {
			Rules          []int64
			Scope, Subject int64
			Since          time.Time
		}
		if err := json.Unmarshal(all[0].Before, &before); err != nil || len(before.Rules) != 1 || before.Scope == 0 || before.Subject == 0 || !before.Since.Equal(all[2].At) {
			t.Errorf("before: %s, %v", all[0].Before, err)
		}
		for _, c := range []struct {
			filter authz.AuditFilter
			want   int
		}{
			{authz.AuditFilter{User: "alice"}, 2}, {authz.AuditFilter{User: "bob"}, 1}, {authz.AuditFilter{Role: "x"}, 1}, {authz.AuditFilter{Scope: "lib:*"}, 2},
			{authz.AuditFilter{Since: all[2].At}, 3}, {authz.AuditFilter{Run: 12}, 1}, {authz.AuditFilter{Limit: 2}, 2}, {authz.AuditFilter{Older: all[1].ID}, 2},
			{authz.AuditFilter{Older: 12345}, 0}, {authz.AuditFilter{User: "carol"}, 0},
		} {
			if got := list(c.filter); len(got) != c.want {
				t.Errorf("%+v: %d entries, want %d", c.filter, len(got), c.want)
			}
		}
	})
}
