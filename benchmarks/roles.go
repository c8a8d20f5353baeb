package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/schema"
)

// rolesEach is how many people have a role in each course of the organization whose roles move.
const rolesEach = 5

// benchRoles turns the authoring flag of an organization with n role rows on and off again: its roles become assignments, and the
// very rows come back (job 11).
func benchRoles(b *bench) error {
	b.copies++
	d, err := db.Open(b.ctx, filepath.Join(b.dir, fmt.Sprintf("roles-%d.db", b.copies)), db.Options{Create: true})
	if err != nil {
		return err
	}
	defer d.Close()
	if err := schema.Create(b.ctx, d); err != nil {
		return err
	}
	if err := d.Update(b.ctx, func(tx *db.Tx) error { return rolesSite(b.ctx, tx, b.n) }); err != nil {
		return err
	}
	org, err := flags.ForOrg("Big")
	if err != nil {
		return err
	}
	for _, way := range []struct {
		name string
		on   bool
	}{{"roles forward", true}, {"roles back", false}} {
		var moved int64
		l, err := b.measure(way.name, b.n, func(ctx context.Context) error {
			return d.Update(ctx, func(tx *db.Tx) error {
				_, run, _, err := roleshift.Flip(ctx, tx, org, flags.Change{On: way.on}, roleshift.Options{Shift: true})
				if err == nil {
					moved = run.Moved
				}
				return err
			})
		})
		if err != nil {
			return err
		}
		if l.Check = int(moved); l.Check != b.n {
			return fmt.Errorf("%s: %d rows moved, want %d", way.name, moved, b.n)
		}
	}
	return nil
}

// rolesSite makes the rows as the peer's script does.
func rolesSite(ctx context.Context, tx *db.Tx, n int) error {
	people := max(rolesEach, n/50)
	roles := []string{"instructor", "staff", "limited_staff", "data_researcher", "beta_testers"}
	ids, err := tx.InsertIDs(ctx, "auth_user", []string{"password", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined"},
		people, func(i int, v []any) {
			name := fmt.Sprintf("user%05d", i)
			v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8] = "!", false, name, "", "", name+"@example.org", false, true, tx.Now()
		})
	if err != nil {
		return err
	}
	course := func(i int) string { return fmt.Sprintf("course-v1:Big+C%05d+2026", i) }
	if err := tx.Insert(ctx, "course_overviews_courseoverview", []string{"id", "org", "display_name"}, (n+rolesEach-1)/rolesEach, func(i int, v []any) {
		v[0], v[1], v[2] = course(i), "Big", "Course"
	}); err != nil {
		return err
	}
	return tx.Insert(ctx, "student_courseaccessrole", []string{"user_id", "org", "course_id", "role"}, n, func(i int, v []any) {
		v[0], v[1], v[2], v[3] = ids[i*7%people], "Big", course(i/rolesEach), roles[i%rolesEach]
	})
}
