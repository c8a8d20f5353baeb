package interop

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestRolesMove moves an organization's roles by openedx-authz and by Lectern on one database, in all pairings: what one wrote the
// other reads and decides by, both tell the same of each row, and whoever moves them back the rows of the start are there.
func TestRolesMove(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e db.Engine) {
		url := dbtest.URL(t, e)
		d := open(t, url)
		if err := create(d); err != nil {
			t.Fatal(err)
		}
		p := &pair{d, nil, startKind(t, url, t.TempDir(), "authz")}
		p.update(t, func(ctx context.Context, tx *db.Tx) error {
			_, err := authz.SeedUnused(ctx, tx)
			return err
		})
		p.django.ask(t, nil, "people")
		p.engine = watched(t, d)
		start := p.roleRows(t,
			"ann OpenedX course-v1:OpenedX+CS1+2026 instructor", "ann OpenedX course-v1:OpenedX+CS2+2026 staff", "bob OpenedX - staff",
			"cleo OpenedX course-v1:OpenedX+CS1+2026 limited_staff", "dan OpenedX course-v1:OpenedX+CS1+2026 data_researcher",
			"eve OpenedX course-v1:OpenedX+CS2+2026 beta_testers", "sleeper OpenedX course-v1:OpenedX+CS2+2026 staff",
			"ann OpenedX course-v1:OpenedX+CS1+2026 finance_admin", "ann DemoX course-v1:DemoX+D1+2026 staff")
		type told struct {
			Done, Failed [][]string
			Seconds      float64
		}
		var first told
		pairings := []struct{ there, back string }{{"lectern", "python"}, {"python", "lectern"}, {"lectern", "lectern"}, {"python", "python"}}
		if e != db.SQLite { // each side by itself on other engines is tested elsewhere, and starting Python takes seconds
			pairings = pairings[:2]
		}
		for _, c := range pairings {
			move := func(by, command string) (out told) {
				if by == "python" {
					p.django.ask(t, &out, command, "OpenedX")
					out.Seconds = 0
					return out
				}
				p.update(t, func(ctx context.Context, tx *db.Tx) error {
					out = told{[][]string{}, [][]string{}, 0}
					run, err := roleshift.Track(ctx, tx, roleshift.Ask{Direction: roleshift.Direction(command), Org: "OpenedX"})
					if err != nil {
						return err
					}
					for _, r := range run.Moves.Records {
						if r.Outcome == roleshift.Left {
							out.Failed = append(out.Failed, []string{r.User, r.Role, r.Reason})
						} else {
							out.Done = append(out.Done, []string{r.User, r.Role, r.Scope})
						}
					}
					return nil
				})
				slices.SortFunc(out.Done, slices.Compare)
				slices.SortFunc(out.Failed, slices.Compare)
				return out
			}
			what := c.there + " there, " + c.back + " back"
			got := move(c.there, "forward")
			if first.Done == nil {
				first = got
			}
			if diff := cmp.Diff(first, got); diff != "" || len(got.Done) != 7 || len(got.Failed) != 1 {
				t.Errorf("%s: %s tells of the rows (-Lectern +it):\n%s", what, c.there, diff)
			}
			if rows := p.roleRows(t); len(rows) != 2 {
				t.Errorf("%s: role rows that stay: %v", what, rows)
			}
			p.agree(t, what+", in between", append(questions(40), [][3]string{{"bob", "courses.view_course", "course-v1:OpenedX+CS2+2026"},
				{"ann", "courses.manage_course_team", "course-v1:OpenedX+CS1+2026"}, {"sleeper", "courses.view_course", "course-v1:OpenedX+CS2+2026"}}...))
			p.alike(t, grants([][3]string{{"ann", "course_admin", "course-v1:OpenedX+CS1+2026"}, {"ann", "course_staff", "course-v1:OpenedX+CS2+2026"},
				{"bob", "course_staff", "course-v1:OpenedX+*"}, {"cleo", "course_limited_staff", "course-v1:OpenedX+CS1+2026"},
				{"dan", "course_data_researcher", "course-v1:OpenedX+CS1+2026"}, {"eve", "course_beta_tester", "course-v1:OpenedX+CS2+2026"},
				{"sleeper", "course_staff", "course-v1:OpenedX+CS2+2026"}}))
			if back := move(c.back, "rollback"); len(back.Done) != 7 || len(back.Failed) != 0 {
				t.Errorf("%s: %s gives back %v, and not %v", what, c.back, back.Done, back.Failed)
			}
			if diff := cmp.Diff(start, p.roleRows(t)); diff != "" {
				t.Errorf("%s: role rows (-start +end):\n%s", what, diff)
			}
			var left []assignment
			if p.django.ask(t, &left, "assignments"); len(left) != 0 {
				t.Errorf("%s: assignments that stay: %v", what, left)
			}
		}
		s, err := flags.Load(t.Context(), d, flags.Authoring)
		if err != nil {
			t.Fatal(err)
		}
		if drift, err := roleshift.Drifts(t.Context(), d, s); err != nil || len(drift) != 0 {
			t.Errorf("in the end: %+v (%v)", drift, err)
		}
	})
}

// roleRows adds role rows, each "user org course role" with - for nothing, and returns all that there are.
func (p *pair) roleRows(t *testing.T, add ...string) (rows []string) {
	t.Helper()
	p.update(t, func(ctx context.Context, tx *db.Tx) error {
		for _, r := range add {
			f := strings.Fields(strings.ReplaceAll(r, " - ", " \x01 "))
			id, _, err := db.One(ctx, tx, "SELECT id FROM auth_user WHERE username = ?", []any{f[0]}, db.Value[int64])
			if err != nil {
				return err
			}
			err = tx.Insert(ctx, "student_courseaccessrole", []string{"user_id", "org", "course_id", "role"}, 1, func(_ int, v []any) {
				v[0], v[1], v[2], v[3] = id, f[1], strings.Trim(f[2], "\x01"), f[3]
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	err := p.d.Query(t.Context(), "SELECT u.username, r.org, r.course_id, r.role FROM student_courseaccessrole r JOIN auth_user u ON u.id = r.user_id", nil, func(r *db.Row) error {
		var f [4]string
		err := r.Scan(&f[0], &f[1], &f[2], &f[3])
		rows = append(rows, strings.Join(f[:], " "))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(rows)
	return rows
}
