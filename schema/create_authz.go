package schema

import (
	"context"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// authzBegun is the row of Lectern's own ledger that is there while tables of permissions are made on the MySQL family,
// where each is committed by itself: with it they are nobody's yet.
const authzBegun = "authz_begun"

// addAuthz makes the tables of permissions, and those of the platform that are missing, with their rows in Django's ledger,
// in a database that has none. It finishes one that was killed.
func addAuthz(ctx context.Context, d *db.DB) error {
	eng := DialectOf(d)
	tables := append(Platform(), Authz()...)
	if eng.mysql() {
		err := d.Update(ctx, func(tx *db.Tx) error {
			own, err := ownRows(ctx, tx)
			if err != nil || own[authzBegun] {
				return err
			}
			return writeOwn(ctx, tx, authzBegun)
		})
		if err == nil {
			err = makeMissing(ctx, d, eng, tables)
		}
		if err != nil {
			return err
		}
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		if !eng.mysql() {
			if err := makeMissing(ctx, tx, eng, tables); err != nil {
				return err
			}
		}
		return fillAuthz(ctx, tx)
	})
}

// fillAuthz writes the rows of Django's ledger that are missing, which says that the tables are complete.
func fillAuthz(ctx context.Context, tx *db.Tx) error {
	if _, err := tx.Exec(ctx, "DELETE FROM lectern_schema WHERE name = ?", authzBegun); err != nil {
		return err
	}
	names, err := inspect.Names(ctx, tx)
	if err != nil {
		return err
	}
	rows, err := readLedger(ctx, tx)
	if err != nil {
		return err
	}
	missing := PackageRows(func(t string) bool { return names[t] }, func(app string) bool { return len(rows[app]) > 0 })
	for _, s := range authzSteps {
		if !rows.has(s.Migration) {
			missing = append(missing, s.Migration)
		}
	}
	return tx.Insert(ctx, "django_migrations", []string{"app", "name", "applied"}, len(missing), func(i int, v []any) {
		v[0], v[1], v[2] = missing[i].App, missing[i].Name, tx.Now()
	})
}
