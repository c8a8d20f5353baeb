package schema

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

var authzMigrations = []string{"0001_add_casbin_dependency", "0002_initial", "0003_usersubject", "0004_contentlibraryscope",
	"0005_policycachecontrol", "0006_migrate_legacy_permissions", "0007_coursescope", "0008_authzcourseauthoringmigrationrun",
	"0009_roleassignmentaudit", "0010_scope_external_key", "0011_authz_schema_definitions"}

// AuthzAge tells the age of the tables of permissions by their rows in Django's ledger: A0 where there are none, up to A11;
// X1 where a row is unknown, X5 where one is missing (authz.md §10, "Older states"). The tables are not looked at.
func AuthzAge(ctx context.Context, d *db.DB) (string, error) {
	age := "A0"
	err := d.View(ctx, func(tx *db.Tx) error {
		names, err := inspect.Names(ctx, tx)
		if err != nil || !names["django_migrations"] {
			return err
		}
		l, err := readLedger(ctx, tx)
		if err != nil {
			return err
		}
		n, gap := l.applied("openedx_authz", authzMigrations)
		switch {
		case len(l.unknown("openedx_authz", authzMigrations)) > 0:
			age = "X1"
		case gap != "":
			age = "X5"
		default:
			age = fmt.Sprintf("A%d", n)
		}
		return nil
	})
	return age, err
}
