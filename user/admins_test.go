package user

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

func TestAdmins(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		for _, n := range []New{
			{Username: "root", Email: "root@example.org", Superuser: true},
			{Username: "staff", Email: "staff@example.org", Staff: true},
			{Username: "gone", Email: "gone@example.org", Staff: true},
			{Username: "idle", Email: "idle@example.org", Staff: true},
			{Username: "root@example.org", Email: "plain@example.org"},
			{Username: "plain", Email: "other@example.org"},
		} {
			if _, err := create(t, d, n); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Update(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, "INSERT INTO user_api_userretirementrequest (created, modified, user_id) SELECT ?, ?, id FROM auth_user WHERE username = 'gone'", tx.Now(), tx.Now()); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "UPDATE auth_user SET is_active = ? WHERE username = 'idle'", false); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "UPDATE auth_user SET email = '' WHERE username IN ('idle', 'plain')")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		all, shared, err := Admins(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		root, staff := Admin{"root", "root@example.org", false, true}, Admin{"staff", "staff@example.org", true, false}
		if diff := cmp.Diff([]Admin{root, staff, {"idle", "", true, false}}, all); diff != "" {
			t.Errorf("super admins (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"", "root@example.org"}, shared); diff != "" {
			t.Errorf("texts of two people (-want +got):\n%s", diff)
		}
		active, err := ActiveAdmins(ctx, d, "root", "gone", "idle", "plain")
		if diff := cmp.Diff([]Admin{root, {"gone", "gone@example.org", true, false}}, active); err != nil || diff != "" {
			t.Errorf("active ones: %v (-want +got):\n%s", err, diff)
		}
	})
}
