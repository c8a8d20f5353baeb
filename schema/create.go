package schema

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema/inspect"
)

// Create makes every table of a new site, with the rows and the ledger that Django expects, in an empty database. It
// finishes a Create that was killed, adds the lectern_* tables to a site that Django made, and does nothing where all is
// there already. Anything else in the database is fault.Refused and not touched.
//
// On SQLite and PostgreSQL all of it is one transaction. The MySQL family commits every table by itself: there the first
// statement makes Lectern's own ledger and the last writes its row, so that a run killed between is known as such.
func Create(ctx context.Context, d *db.DB) error {
	st, err := Recognize(ctx, d)
	if err != nil {
		return err
	}
	switch st.Status {
	case Current:
		return AddLectern(ctx, d)
	case Empty, Partial:
	default:
		return st.refusal()
	}
	if err := checkServer(ctx, d); err != nil {
		return err
	}
	err = build(ctx, d, Tables(), seed)
	if err == nil {
		return nil
	}
	// Two may create at once. Where the other was first, this one failed over a table that had appeared.
	if st, again := Recognize(ctx, d); again == nil && st.Status == Current && st.Lectern {
		return nil
	}
	return fmt.Errorf("make the tables: %w", err)
}

// checkServer refuses a server on which the tables could be made but not be used.
func checkServer(ctx context.Context, d *db.DB) error {
	ctype, ok, err := letters(ctx, d)
	if err != nil || ok {
		return err
	}
	return fault.Errorf(fault.Refused, d.Name(), "the database's LC_CTYPE is %s, under which only ASCII letters are letters", ctype).
		WithNext("create the database with a UTF-8 locale, such as CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'")
}

// letters reports whether the CHECKs of codes know all letters, as they do everywhere but on a PostgreSQL database whose
// LC_CTYPE is C or POSIX (content-schema.md §2.1). The database is asked, as the setting alone does not tell: a provider
// other than libc may stand behind it.
func letters(ctx context.Context, q db.Querier) (ctype string, ok bool, err error) {
	if q.Engine() != db.PostgreSQL {
		return "", true, nil
	}
	err = q.Query(ctx, `SELECT datctype::text, U&'\00E9' ~ '^\w$' FROM pg_database WHERE datname = current_database()`, nil, func(r *db.Row) error {
		return r.Scan(&ctype, &ok)
	})
	return ctype, ok, err
}

// AddLectern adds the lectern_* tables to a database that is current otherwise, and, where there are no tables of
// permissions of any age, those with their rows in Django's ledger and what is missing of the platform's (authz.md §10,
// §17). Where all are there it does nothing. A database in any other state, or without the catalog that lectern_* tables
// refer to, is fault.Refused.
func AddLectern(ctx context.Context, d *db.DB) error {
	st, err := Recognize(ctx, d)
	if err != nil {
		return err
	}
	if err := addOwn(ctx, d, st); err != nil || st.Authz != "A0" || st.Catalog == "G0" {
		return err
	}
	if err = addAuthz(ctx, d); err == nil {
		return nil
	}
	// As with Create, another may have been first.
	if st, again := Recognize(ctx, d); again == nil && st.Status == Current && st.Authz == currentAuthz {
		return nil
	}
	return fmt.Errorf("make the tables of permissions: %w", err)
}

// addOwn adds the lectern_* tables to a database in a state.
func addOwn(ctx context.Context, d *db.DB, st State) error {
	if st.Lectern && st.Status == Current {
		return nil
	}
	if st.Status != Current || !st.courses() {
		return st.refusal()
	}
	var own []*Table
	for _, t := range Tables() {
		if t.own() {
			own = append(own, t)
		}
	}
	return build(ctx, d, own, sign)
}

// build makes those of the tables that are missing, then lets fill write the rows that complete them, unless Lectern's
// ledger says that this was done.
func build(ctx context.Context, d *db.DB, tables []*Table, fill func(context.Context, *db.Tx) error) error {
	eng := DialectOf(d)
	if eng.mysql() {
		if err := buildSteps(ctx, d, eng, tables); err != nil {
			return err
		}
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		if !eng.mysql() {
			if err := makeMissing(ctx, tx, eng, tables); err != nil {
				return err
			}
		}
		return finish(ctx, tx, fill)
	})
}

// buildSteps makes tables where each statement commits by itself, Lectern's own ledger first.
func buildSteps(ctx context.Context, d *db.DB, eng Dialect, tables []*Table) error {
	if err := makeMissing(ctx, d, eng, []*Table{byName[ownLedger]}); err != nil {
		return err
	}
	return makeMissing(ctx, d, eng, tables)
}

// makeMissing makes those of the tables that the database does not have. Two runs at once may both find a table missing: on the
// MySQL family statements pass over a table that has appeared, and PostgreSQL lets one of the two wait and then fail, whose
// transaction runs again and finds the table.
func makeMissing(ctx context.Context, q db.Querier, eng Dialect, tables []*Table) error {
	have, err := inspect.Names(ctx, q)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if have[t.Name] {
			continue
		}
		for _, s := range eng.Statements(t) {
			if _, err := q.Exec(ctx, s); err != nil {
				return db.Raced(fmt.Errorf("make table %s: %w", t.Name, err))
			}
		}
	}
	return nil
}

// finish lets fill write its rows unless another run has.
func finish(ctx context.Context, tx *db.Tx, fill func(context.Context, *db.Tx) error) error {
	names, err := ownRows(ctx, tx)
	if err != nil {
		return err
	}
	if names[baseline] {
		return nil
	}
	return fill(ctx, tx)
}
