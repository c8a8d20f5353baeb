package roleshift_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
)

// fill makes an organization with legacy rows: five people in each course.
func fill(ctx context.Context, d *db.DB, courses int) error {
	const people, each = 500, 5
	roles := []string{"instructor", "staff", "limited_staff", "data_researcher", "beta_testers"}
	return d.Update(ctx, func(tx *db.Tx) error {
		ids, err := tx.InsertIDs(ctx, "auth_user", []string{"password", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined"},
			people, func(i int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8] = "!", false, fmt.Sprintf("user%03d", i), "", "", fmt.Sprintf("user%03d@example.org", i), false, true, tx.Now()
			})
		if err != nil {
			return err
		}
		key := func(i int) string { return fmt.Sprintf("course-v1:Big+C%05d+2026", i) }
		if err := tx.Insert(ctx, "course_overviews_courseoverview", []string{"id", "org", "display_name"}, courses, func(i int, v []any) {
			v[0], v[1], v[2] = key(i), "Big", "Course"
		}); err != nil {
			return err
		}
		return tx.Insert(ctx, "student_courseaccessrole", []string{"user_id", "org", "course_id", "role"}, courses*each, func(i int, v []any) {
			v[0], v[1], v[2], v[3] = ids[(i*7)%people], "Big", key(i/each), roles[i%each]
		})
	})
}

// BenchmarkOrganization turns the flag on and off for an organization of 5,000 courses and 25,000 rows (M-36).
func BenchmarkOrganization(b *testing.B) {
	for _, e := range dbtest.Engines() {
		b.Run(string(e), func(b *testing.B) {
			d := dbtest.Open(b, e)
			if err := tables(d); err != nil {
				b.Fatal(err)
			}
			if err := fill(b.Context(), d, 5000); err != nil {
				b.Fatal(err)
			}
			org, err := flags.ForOrg("Big")
			if err != nil {
				b.Fatal(err)
			}
			on := false
			for b.Loop() {
				on = !on
				err := d.Update(b.Context(), func(tx *db.Tx) error {
					_, run, _, err := roleshift.Flip(b.Context(), tx, org, flags.Change{On: on}, roleshift.Options{Shift: true})
					if err == nil && run.Moved != 25000 {
						return fmt.Errorf("%d rows moved", run.Moved)
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
