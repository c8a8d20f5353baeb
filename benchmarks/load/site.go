package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/openlectern/lectern/db"
)

// How many of what the assignments are spread over.
const (
	orgs    = 7
	courses = 101
)

func personOf(i int) string { return fmt.Sprintf("person%07d", i) }

// makeSite makes the database by the program, with an administrator, and fills it.
func makeSite(ctx context.Context, o options, place string, env []string) (err error) {
	steps := [][]string{{"user", "add", "root", "--email", "root@example.org", "--superuser"}}
	if strings.Contains(place, "://") {
		steps = append([][]string{{"db", "init"}}, steps...)
	}
	for _, args := range steps {
		cmd := exec.CommandContext(ctx, o.lectern, args...)
		cmd.Env, cmd.Stderr = env, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
		}
	}
	d, err := db.Open(ctx, place, db.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	defer func() { // a server looks at how many rows there are only now and then
		if err == nil && d.Engine() == db.PostgreSQL {
			_, err = d.Exec(ctx, "ANALYZE")
		}
	}()
	return fill(ctx, d, o.people)
}

// fill adds people with two assignments each.
func fill(ctx context.Context, d *db.DB, people int) error {
	return d.Update(ctx, func(tx *db.Tx) error {
		ids, err := tx.InsertIDs(ctx, "auth_user", []string{"password", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined"},
			people, func(i int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8] = "!", false, personOf(i), "", "", personOf(i)+"@example.org", false, true, tx.Now()
			})
		if err != nil {
			return err
		}
		if err := tx.Insert(ctx, "auth_userprofile", []string{"user_id", "name"}, people, func(i int, v []any) {
			v[0], v[1] = ids[i], fmt.Sprintf("%c Person %d", 'A'+i*7%26, i)
		}); err != nil {
			return err
		}
		if err := tx.Insert(ctx, "organizations_organization", []string{"created", "modified", "name", "short_name", "description", "logo", "active"}, orgs, func(i int, v []any) {
			name := fmt.Sprintf("Org%d", i)
			v[0], v[1], v[2], v[3], v[4], v[5], v[6] = tx.Now(), tx.Now(), name, name, nil, nil, true
		}); err != nil {
			return err
		}
		return tx.Insert(ctx, "casbin_rule", []string{"ptype", "v0", "v1", "v2", "v3", "v4", "v5"}, 2*people, func(i int, v []any) {
			v[0], v[1], v[2], v[3] = "g", "user^"+personOf(i/2), "role^course_staff", "course-v1^"+scopeOf(i)
			if i%2 == 1 {
				v[2], v[3] = "role^library_author", fmt.Sprintf("lib^lib:Org%d:L%d", i%orgs, i%53)
			}
			v[4], v[5], v[6] = "", "", ""
		})
	})
}
