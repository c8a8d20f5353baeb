package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/benchmarks/proc"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/schema"
)

// rolesEach is how many people have a role in each course of the organization whose roles move.
const rolesEach = 5

// What openedx-authz can do in a minute or two: its time for a row grows with the assignments that there are.
const (
	peerRoles  = 300   // rows moved
	peerStored = 5_000 // assignments of another organization
)

// benchRoles turns the authoring flag of an organization with n role rows on and off again: its roles become assignments, and the
// very rows come back (job 11). The same with the peer's few rows, beside as many assignments of another organization as the peer has.
func benchRoles(b *bench) error {
	for _, size := range []struct {
		more      string
		n, stored int
	}{{"", b.n, 0}, {" small", min(b.n, peerRoles), peerStored}} {
		b.copies++
		d, err := db.Open(b.ctx, filepath.Join(b.dir, fmt.Sprintf("roles-%d.db", b.copies)), db.Options{Create: true})
		if err != nil {
			return err
		}
		err = b.moveRoles(d, size.more, size.n, size.stored)
		if err = errors.Join(err, d.Close()); err != nil {
			return err
		}
	}
	return nil
}

// benchRolesOn does the same on a server, in a database that is gone afterwards.
func benchRolesOn(variable string) func(*bench) error {
	return func(b *bench) (err error) {
		s, err := b.openOwn(os.Getenv(variable))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		return b.moveRoles(s.ours, "", b.n, 0)
	}
}

// moveRoles measures both ways, with n rows to move and so many assignments besides.
func (b *bench) moveRoles(d *db.DB, more string, n, stored int) error {
	if err := schema.Create(b.ctx, d); err != nil {
		return err
	}
	if err := d.Update(b.ctx, func(tx *db.Tx) error { return rolesSite(b.ctx, tx, "Big", n) }); err != nil {
		return err
	}
	if err := b.storeRoles(d, stored); err != nil {
		return err
	}
	engine := ""
	if d.Engine() != db.SQLite {
		engine = string(d.Engine()) + " "
	}
	pid := proc.ServerPID(string(d.Engine()))
	for _, way := range []struct {
		name string
		on   bool
	}{{"roles forward", true}, {"roles back", false}} {
		var run *roleshift.Run
		start := proc.TreeCPU(pid)
		l, err := b.measure(engine+way.name+more, n, func(ctx context.Context) (err error) {
			run, err = turnRoles(ctx, d, "Big", way.on)
			return err
		})
		if err != nil {
			return err
		}
		if engine != "" {
			l.Server, l.ServerCPU = d.Version(), (proc.TreeCPU(pid) - start).Seconds()
		}
		if l.Check = int(run.Moved); l.Check != n {
			return fmt.Errorf("%s: %d rows moved, want %d", way.name, run.Moved, n)
		}
	}
	return nil
}

// storeRoles makes assignments of another organization.
func (b *bench) storeRoles(d *db.DB, n int) error {
	if n == 0 {
		return nil
	}
	if err := d.Update(b.ctx, func(tx *db.Tx) error { return rolesSite(b.ctx, tx, "Other", n) }); err != nil {
		return err
	}
	_, err := turnRoles(b.ctx, d, "Other", true)
	return err
}

// turnRoles turns the flag of an organization, and moves its roles.
func turnRoles(ctx context.Context, d *db.DB, org string, on bool) (run *roleshift.Run, err error) {
	scope, err := flags.ForOrg(org)
	if err != nil {
		return nil, err
	}
	err = d.Update(ctx, func(tx *db.Tx) error {
		_, run, _, err = roleshift.Flip(ctx, tx, scope, flags.Change{On: on}, roleshift.Options{Shift: true})
		return err
	})
	return run, err
}

// rolesSite makes the rows as the peer's script does.
func rolesSite(ctx context.Context, tx *db.Tx, org string, n int) error {
	people := max(rolesEach, n/50)
	roles := []string{"instructor", "staff", "limited_staff", "data_researcher", "beta_testers"}
	ids, err := tx.InsertIDs(ctx, "auth_user", []string{"password", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined"},
		people, func(i int, v []any) {
			name := fmt.Sprintf("%s%05d", strings.ToLower(org), i)
			v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8] = "!", false, name, "", "", name+"@example.org", false, true, tx.Now()
		})
	if err != nil {
		return err
	}
	course := func(i int) string { return fmt.Sprintf("course-v1:%s+C%05d+2026", org, i) }
	if err := tx.Insert(ctx, "course_overviews_courseoverview", []string{"id", "org", "display_name"}, (n+rolesEach-1)/rolesEach, func(i int, v []any) {
		v[0], v[1], v[2] = course(i), org, "Course"
	}); err != nil {
		return err
	}
	return tx.Insert(ctx, "student_courseaccessrole", []string{"user_id", "org", "course_id", "role"}, n, func(i int, v []any) {
		v[0], v[1], v[2], v[3] = ids[i*7%people], org, course(i/rolesEach), roles[i%rolesEach]
	})
}
