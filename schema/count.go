package schema

import (
	"context"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/db"
)

// Census is what a database holds, counted.
type Census struct {
	Authz string           // age of the tables of permissions: A0 to A11, or X1 or X5 where their ledger rows make no sense (authz.md §10)
	Rows  map[string]int64 // rows of every table there that has to do with courses, content or permissions
}

// Count counts the rows of a database in any state, table by table. It only reads.
func Count(ctx context.Context, d *db.DB) (Census, error) {
	c := Census{Authz: "A0", Rows: map[string]int64{}}
	err := d.View(ctx, func(tx *db.Tx) error {
		clear(c.Rows)
		names, err := dialect{engine: tx.Engine()}.tableNames(ctx, tx)
		if err != nil {
			return err
		}
		if names["django_migrations"] {
			l, err := readLedger(ctx, tx)
			if err != nil {
				return err
			}
			c.Authz = authzAge(l)
		}
		for name := range names {
			if !counted(name) {
				continue
			}
			// The names are of a fixed alphabet, so they need no quotes.
			if err := tx.Query(ctx, "SELECT count(*) FROM "+name, nil, func(r *db.Row) error {
				var n int64
				err := r.Scan(&n)
				c.Rows[name] = n
				return err
			}); err != nil {
				return fmt.Errorf("count %s: %w", name, err)
			}
		}
		return nil
	})
	return c, err
}

// counted reports whether a table is worth telling of: ours, or one of the apps whose tables we know in all their ages.
func counted(name string) bool {
	if byName[name] != nil {
		return true
	}
	if strings.IndexFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' }) >= 0 {
		return false
	}
	return strings.HasPrefix(name, "oel_") || strings.HasPrefix(name, "openedx_") || name == "casbin_rule"
}

var authzMigrations = []string{"0001_add_casbin_dependency", "0002_initial", "0003_usersubject", "0004_contentlibraryscope",
	"0005_policycachecontrol", "0006_migrate_legacy_permissions", "0007_coursescope", "0008_authzcourseauthoringmigrationrun",
	"0009_roleassignmentaudit", "0010_scope_external_key", "0011_authz_schema_definitions"}

// authzAge tells the age of the tables of permissions by their ledger rows.
func authzAge(l ledger) string {
	if len(l.unknown("openedx_authz", authzMigrations)) > 0 {
		return "X1"
	}
	n, gap := l.applied("openedx_authz", authzMigrations)
	if gap != "" {
		return "X5"
	}
	return fmt.Sprintf("A%d", n)
}
