package legacy

import (
	"fmt"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/user"
)

// TestFingerprint changes rows of an organization in every column, and back: each change is another fingerprint, whatever it was
// before has the old one again, and rows of others do not count. It takes one statement.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		exec := func(sql string, args ...any) {
			t.Helper()
			if _, err := d.Exec(t.Context(), sql, args...); err != nil {
				t.Fatal(err)
			}
		}
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			var rows []Row
			for i := range 4 {
				u, err := user.Create(t.Context(), tx, user.New{Username: fmt.Sprintf("u%d", i), Email: fmt.Sprintf("u%d@example.org", i)})
				if err != nil {
					return err
				}
				if i == 3 { // has no role
					break
				}
				rows = append(rows, Row{User: u.ID, Org: "Acme", Course: "course-v1:Acme+A1+2025", Role: Staff}, Row{User: u.ID, Org: "Acme", Course: "course-v1:Acme+A2+2025", Role: Instructor},
					Row{User: u.ID, Org: "Other", Course: "course-v1:Other+A1+2025", Role: Staff})
			}
			_, err := Add(t.Context(), tx, rows)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		const one = "course-v1:Acme+A1+2025"
		of := func(s Selection) string {
			t.Helper()
			text, err := Fingerprint(t.Context(), d, s)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		ids, err := db.All(t.Context(), d, "SELECT id FROM student_courseaccessrole WHERE org = ? ORDER BY id", []any{"Acme"}, db.Value[int64])
		if err != nil {
			t.Fatal(err)
		}
		first, second := ids[0], ids[1]
		org, course := Selection{Org: "Acme"}, Selection{Courses: []string{one}}
		met := map[string]string{of(org): "at first"}
		before := [2]string{of(org), of(course)}
		for _, c := range []struct{ there, back string }{
			{"org = 'ACME'", "org = 'Acme'"}, {"role = 'Staff'", "role = 'staff'"}, {"role = 'instructor'", "role = 'staff'"}, {"course_id = 'course-v1:Acme+a1+2025'", "course_id = '" + one + "'"},
			{"org = 'Acmecourse-v1:Acme+A1', course_id = '+2025'", "org = 'Acme', course_id = '" + one + "'"},
			{"user_id = (SELECT id FROM auth_user WHERE username = 'u3')", "user_id = (SELECT id FROM auth_user WHERE username = 'u0')"}, {fmt.Sprintf("id = %d", first+1000), ""},
		} {
			exec("UPDATE student_courseaccessrole SET "+c.there+" WHERE id = ?", first)
			text := of(org)
			if was, again := met[text]; again {
				t.Errorf("%s: the fingerprint is as it was: %s", c.there, was)
			}
			met[text] = c.there
			if c.back == "" {
				exec("UPDATE student_courseaccessrole SET id = ? WHERE id = ?", first, first+1000)
			} else {
				exec("UPDATE student_courseaccessrole SET "+c.back+" WHERE id = ?", first)
			}
			if now := [2]string{of(org), of(course)}; now != before {
				t.Errorf("%s: after it was undone: %v, before %v", c.there, now, before)
			}
		}
		// One for another, of the same sums of ids and people.
		exec("UPDATE student_courseaccessrole SET role = CASE WHEN id = ? THEN 'instructor' ELSE 'staff' END WHERE id IN (?, ?)", first, first, second)
		if text := of(org); met[text] != "" {
			t.Errorf("two roles exchanged: as %s", met[text])
		}
		exec("UPDATE student_courseaccessrole SET role = CASE WHEN id = ? THEN 'staff' ELSE 'instructor' END WHERE id IN (?, ?)", first, first, second)
		exec("DELETE FROM student_courseaccessrole WHERE org = 'Other'")
		if now := [2]string{of(org), of(course)}; now != before {
			t.Errorf("rows of others count: %v, before %v", now, before)
		}
		exec("DELETE FROM student_courseaccessrole")
		if text := of(org); text != of(course) || met[text] != "" {
			t.Errorf("of no rows: %q and %q", text, of(course))
		}
	})
}
