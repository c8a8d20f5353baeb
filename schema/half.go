package schema

import (
	"context"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
)

// What was stopped while it made tables, where each table is made by a statement that commits by itself: the tables are
// there, and the rows of the ledger, which come last, are not. What tells it from tables of other origin is that they are
// all as Lectern makes them, and empty.

// halfNames reports whether the tables could be those that a killed Create left.
func (f *facts) halfNames() bool {
	return f.engine.mysql() && f.names[ownLedger] && len(f.own) == 0 && len(f.rows) == 0
}

// half tells a database that a killed Create left from one with tables of the same names: ours are all empty and have the
// right columns.
func (f *facts) half(ctx context.Context, tx *db.Tx) (State, error) {
	if !f.halfNames() {
		return broken("X4", "there are tables of Lectern's, but none of content"), nil
	}
	var made []string
	for name := range f.names {
		if name != lockTable { // whoever looks may hold it
			made = append(made, name)
		}
	}
	if why, err := f.used(ctx, tx, made); why != "" || err != nil {
		return broken("X4", why), err
	}
	return State{Status: Partial, Content: "MZ", Reason: "lectern db init was stopped before it was done", Next: "run lectern db init again"}, nil
}

// used says of the first of these tables that is not as Lectern left it when it was stopped what is wrong with it: empty,
// with our columns.
func (f *facts) used(ctx context.Context, tx *db.Tx, names []string) (string, error) {
	slices.Sort(names)
	for _, name := range names {
		t, l := byName[name], f.live[name]
		if l == nil || len(l.Columns) != len(t.Columns) {
			return "the table " + name + " is not as Lectern makes it", nil
		}
		for i := range t.Columns {
			if l.Column(t.Columns[i].Name) == nil {
				return "the table " + name + " is not as Lectern makes it", nil
			}
		}
		_, found, err := db.One(ctx, tx, "SELECT 1 FROM "+f.engine.Quote(name)+" LIMIT 1", nil, db.Value[int])
		if err != nil {
			return "", err
		}
		if found {
			return "the table " + name + " has rows although nothing says that Lectern finished it", nil
		}
	}
	return "", nil
}

// halfScratch reports whether the tables could be those that a killed take-over of a site without content left.
func (f *facts) halfScratch(oldNames, newNames []string) bool {
	return f.engine.mysql() && len(oldNames) == 0 && len(newNames) > 0 && !f.names[contentOld] && !f.names[linkOld] &&
		!f.names[ownLedger] && f.names["auth_user"] && f.rows.has(Migration{"auth", "0001_initial"})
}

// stoppedScratch makes a state X4 where the tables show that it was not so.
func (f *facts) stoppedScratch(ctx context.Context, tx *db.Tx, st *State) error {
	var made []string
	for name := range f.names {
		if strings.HasPrefix(name, "openedx_content_") && byName[name] != nil {
			made = append(made, name)
		}
	}
	why, err := f.used(ctx, tx, made)
	if why != "" {
		x := broken("X4", why)
		st.Status, st.Content, st.Reason, st.Next = x.Status, x.Content, x.Reason, x.Next
	}
	return err
}

// stoppedCatalog returns "MG1" or "MG2" where the first or the second migration of the catalog was stopped, else "".
func (f *facts) stoppedCatalog(ctx context.Context, tx *db.Tx) (string, error) {
	if !f.engine.mysql() || !strings.HasPrefix(f.catalog(), "X") {
		return "", nil
	}
	var first, second []string
	for i := range catalog {
		name := catalog[i].Name
		switch {
		case !f.names[name]:
		case strings.Contains(name, "pathway"):
			second = append(second, name)
		default:
			first = append(first, name)
		}
	}
	state, made := "", first
	switch n, gap := f.rows.applied("openedx_catalog", catalogMigrations); {
	case n == 0 && gap == "" && len(second) == 0:
		state = "MG1"
	case n == 1 && gap == "" && len(first) == 2:
		// Python may have put in the row that comes with the table.
		state, made = "MG2", slices.DeleteFunc(second, func(name string) bool { return name == "openedx_catalog_pathwaycategory" })
	default:
		return "", nil
	}
	why, err := f.used(ctx, tx, made)
	if why != "" {
		state = ""
	}
	return state, err
}
