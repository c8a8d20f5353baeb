package legacy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/user"
)

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

func key(t testing.TB, s string) keys.Course {
	t.Helper()
	k, err := keys.ParseCourse(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestMappingIsABijection(t *testing.T) {
	t.Parallel()
	want := map[Role]string{"instructor": "course_admin", "staff": "course_staff", "limited_staff": "course_limited_staff",
		"data_researcher": "course_data_researcher", "beta_testers": "course_beta_tester", "ccx_coach": "ccx_coach"}
	got := map[Role]string{}
	back := map[string]Role{}
	for _, p := range pairs {
		role, ok := p.legacy.Counterpart()
		legacy, also := Of(role)
		if !ok || !also || legacy != p.legacy {
			t.Errorf("%s becomes %s becomes %s", p.legacy, role, legacy)
		}
		got[p.legacy], back[role] = role, p.legacy
	}
	if diff := cmp.Diff(want, got); diff != "" || len(back) != len(got) {
		t.Errorf("mapping (-want +got):\n%s", diff)
	}
	for _, r := range []Role{"finance_admin", "sales_admin", LibraryUser, CourseCreator, OrgCreator, "support", "", "Staff"} {
		if role, ok := r.Counterpart(); ok {
			t.Errorf("%s becomes %s", r, role)
		}
	}
	for _, r := range []string{"course_editor", "course_auditor", "library_admin", "", "staff"} {
		if legacy, ok := Of(r); ok {
			t.Errorf("%s becomes %s", r, legacy)
		}
	}
}

func TestLimitedStaffIsStaffByName(t *testing.T) {
	t.Parallel()
	k := key(t, "course-v1:Acme+A1+2025")
	rows := []Row{{Course: k.String(), Org: "Acme", Role: LimitedStaff}}
	if !Holds(rows, Staff, k) || !Holds(rows, LimitedStaff, k) || Holds(rows, Instructor, k) {
		t.Error("limited staff count as staff, and as nothing else")
	}
	if Holds([]Row{{Course: k.String(), Role: Staff}}, LimitedStaff, k) {
		t.Error("staff count as limited staff")
	}
	if ok, err := NewPolicy(authz.NewIndex(nil)).Allowed("jo", rows, "courses.view_course", k); ok || err != nil {
		t.Errorf("limited staff may look at a course: %v, %v", ok, err)
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	x := authz.NewIndex(authz.Shipped())
	const c = "course-v1:Acme+A1+2025"
	for _, c := range []struct {
		row    Row
		course string
		action string
		want   bool
	}{
		{Row{Org: "Acme", Course: c, Role: Staff}, c, "courses.publish_course_content", true},
		{Row{Org: "Acme", Course: c, Role: Staff}, c, "courses.manage_course_team", false},
		{Row{Org: "Acme", Course: c, Role: Instructor}, c, "courses.manage_course_team", true},
		{Row{Org: "Acme", Course: c, Role: Instructor}, c, "courses.fly", false},
		{Row{Org: "Acme", Course: c, Role: Instructor}, "course-v1:Acme+A2+2025", "courses.view_course", false},
		{Row{Org: "Acme", Course: c, Role: Instructor}, "course-v1:Acme+a1+2025", "courses.view_course", false},
		{Row{Org: "Acme", Role: Staff}, "course-v1:Acme+A2+2025", "courses.view_course", true},
		{Row{Org: "acme", Role: Staff}, "course-v1:Acme+A2+2025", "courses.view_course", true},
		{Row{Org: "Acme", Role: Staff}, "course-v1:AcmeX+A2+2025", "courses.view_course", false},
		{Row{Org: "Other", Course: c, Role: Staff}, c, "courses.view_course", true}, // the course counts
		{Row{Org: "Acme", Course: "course-v1:Other+A1+2025", Role: Staff}, c, "courses.view_course", false},
		{Row{Role: Staff}, c, "courses.view_course", false},
		{Row{Role: "support"}, c, "courses.view_course", false},
		{Row{Org: "Acme", Course: c, Role: BetaTesters}, c, "courses.view_course", false},
		{Row{Org: "Acme", Course: c, Role: CCXCoach}, c, "courses.view_course", false},
		{Row{Org: "Acme", Role: Staff}, "library-v1:Acme+L1", "courses.edit_course_content", true},
		{Row{Org: "Acme", Course: "library-v1:Acme+L1", Role: LibraryUser}, "library-v1:Acme+L1", "courses.view_course", true},
		{Row{Org: "Acme", Course: "library-v1:Acme+L1", Role: LibraryUser}, "library-v1:Acme+L1", "courses.edit_course_content", false},
		{Row{Org: "Acme", Course: c, Role: LibraryUser}, c, "courses.view_course", false},
	} {
		got, err := NewPolicy(x).Allowed("jo", []Row{c.row}, c.action, key(t, c.course))
		if err != nil || got != c.want {
			t.Errorf("%+v: %s on %s = %v, %v; want %v", c.row, c.action, c.course, got, err, c.want)
		}
	}
	// Without a stored policy roles are what a site starts with; assignments play no part.
	staff := []Row{{Course: c, Role: Staff}}
	if ok, err := NewPolicy(authz.NewIndex(nil)).Allowed("jo", staff, "courses.view_course", key(t, c)); !ok || err != nil {
		t.Errorf("without a policy: %v, %v", ok, err)
	}
	assigned := authz.NewIndex(append(authz.Shipped(), []string{"g", "user^jo", "role^course_admin", "course-v1^" + c}))
	if ok, err := NewPolicy(assigned).Allowed("jo", nil, "courses.view_course", key(t, c)); ok || err != nil {
		t.Errorf("by assignment: %v, %v", ok, err)
	}
	// A deny row of one role counts against another's permission, as among assignments.
	denied := authz.NewIndex(append(authz.Shipped(), []string{"p", "role^course_beta_tester", "act^courses.view_course", "course-v1^*", "deny"}))
	both := []Row{{Course: c, Role: Staff}, {Course: c, Role: BetaTesters}}
	if ok, err := NewPolicy(denied).Allowed("jo", both, "courses.view_course", key(t, c)); ok || err != nil {
		t.Errorf("denied to one role: %v, %v", ok, err)
	}
}

// What rows allow is what the assignments that they become allow.
func TestAllowedAsAssignments(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 2))
	roles := []Role{Instructor, Staff, LimitedStaff, DataResearcher, BetaTesters, CCXCoach, CourseCreator, "support"}
	actions := []string{"courses.view_course", "courses.publish_course_content", "courses.manage_course_team", "courses.legacy_staff_role_permissions",
		"courses.legacy_beta_tester_permissions", "courses.none"}
	for range 300 {
		var rows []Row
		policy := authz.Shipped()
		for range r.IntN(4) {
			org := fmt.Sprintf("Org%d", r.IntN(2))
			row := Row{Org: org, Role: roles[r.IntN(len(roles))]}
			where := "course-v1:" + org + "+*"
			if r.IntN(2) == 0 {
				row.Course = fmt.Sprintf("course-v1:%s+C%d+R", org, r.IntN(2))
				where = row.Course
			}
			rows = append(rows, row)
			if role, ok := row.Role.Counterpart(); ok {
				policy = append(policy, []string{"g", "user^jo", "role^" + role, "course-v1^" + where})
			}
		}
		x := authz.NewIndex(policy)
		course := fmt.Sprintf("course-v1:Org%d+C%d+R", r.IntN(2), r.IntN(2))
		for _, action := range actions {
			want, err := x.Allowed("jo", action, course)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := NewPolicy(x).Allowed("jo", rows, action, key(t, course)); got != want || err != nil {
				t.Fatalf("seed %d: %s on %s by %+v = %v, %v; want %v", seed, action, course, rows, got, err, want)
			}
		}
	}
}

func TestCreates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		row  Row
		want bool
	}{
		{Row{Role: CourseCreator}, true},
		{Row{Role: OrgCreator, Org: "Acme"}, true},
		{Row{Role: OrgCreator, Org: "Other"}, false},
		{Row{Role: OrgCreator}, false},
		{Row{Role: Staff, Org: "Acme"}, false},
	} {
		if got := Creates([]Row{c.row}, "Acme"); got != c.want {
			t.Errorf("%+v makes courses: %v", c.row, got)
		}
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		var jo user.User
		rows := func() []Row {
			t.Helper()
			return []Row{{User: jo.ID, Org: "Acme", Course: "course-v1:Acme+A1+2025", Role: Staff}, {User: jo.ID, Org: "Acme", Role: Instructor}, {User: jo.ID, Role: CourseCreator}}
		}
		for _, want := range []int{3, 0} {
			err := d.Update(t.Context(), func(tx *db.Tx) (err error) {
				if jo.ID == 0 {
					if jo, err = user.Create(t.Context(), tx, user.New{Username: "jo", Email: "jo@example.org"}); err != nil {
						return err
					}
				}
				n, err := Add(t.Context(), tx, append(rows(), rows()[0]))
				if err == nil && n != want {
					t.Errorf("%d rows were added, want %d", n, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		got, err := OfUser(t.Context(), d, jo.ID, map[string]bool{table: true})
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i].ID = 0
		}
		if diff := cmp.Diff(rows(), got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
}

func TestMissingTable(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if rows, err := OfUser(t.Context(), d, 1, nil); len(rows) > 0 || err != nil {
			t.Errorf("rows = %v, %v", rows, err)
		}
		err := d.Update(t.Context(), func(tx *db.Tx) error { _, err := Add(t.Context(), tx, []Row{{User: 1}}); return err })
		if !fault.Is(err, fault.Refused) {
			t.Errorf("added: %v", err)
		}
	})
}

func BenchmarkAllowed(b *testing.B) {
	x := authz.NewIndex(authz.Shipped())
	k := key(b, "course-v1:Acme+A1+2025")
	rows := []Row{{Course: k.String(), Role: Staff}}
	p := NewPolicy(x)
	for b.Loop() {
		if ok, _ := p.Allowed("jo", rows, "courses.view_course", k); !ok {
			b.Fatal("not allowed")
		}
	}
}
