package schema

import (
	"context"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema/inspect"
)

// Status says what may be done with a database.
type Status string

// The statuses. Only a Current database is worked on; Create takes an Empty or Partial one.
const (
	Empty   Status = "empty"
	Partial Status = "partial" // Create was killed on the MySQL family
	Current Status = "current" // as openedx-core 1.15.2 has it
	Older   Status = "older"   // to be migrated
	Newer   Status = "newer"   // has migrations that this program does not know
	Foreign Status = "foreign" // has tables, but none of content
	Broken  Status = "broken"  // tables and ledger contradict each other
)

// State is what a database was recognised as.
type State struct {
	Status Status
	// Content is the code of content-migrations.md §3.3, such as "C14"; "MZ" where the tables were being made from nothing:
	// Partial by Create, Older by a take-over of a site without content.
	Content string
	Package string // the releases that leave it so, such as "openedx-core 0.43"; "" where none does
	// Catalog is "G0" (no catalog, as courses need it), "G1", "G2"; "MG1" or "MG2" where the way there was stopped, on the
	// MySQL family; "X2" or "X4" where tables and ledger disagree.
	Catalog string
	Authz   string // age of the tables of permissions: "A0" (none) to "A11", "MA7" for one stopped in step 0007, "X1", "X2", "X4", "X5" (authz.md §10)
	Lectern bool   // the lectern_* tables are all there
	Reason  string // why it is not Current
	Next    string // the step that helps

	// Notes are what is noticed about the tables of permissions and those of the platform. They stop nobody from working on
	// content.
	Notes []Finding
}

// courses reports whether the tables of courses and their runs are there.
func (s State) courses() bool { return s.Catalog != "G0" && s.Catalog != "MG1" }

// refusal returns the error for a database in a state that the caller cannot work with.
func (s State) refusal() error {
	text, next := s.Reason, s.Next
	if s.Status == Current {
		text, next = "the openedx_catalog tables are missing, which courses need", nextMigrate+" --catalog"
	}
	return fault.Errorf(fault.Refused, "database", "%s (state %s)", text, s.Content).WithNext(next)
}

// Require returns nil when the database can be worked on, and fault.Refused with the reason and the next step when not. In
// the usual case it reads the list of tables and two small ones, so a command may call it each time.
func Require(ctx context.Context, d *db.DB) error {
	if ok, err := ready(ctx, d); ok || err != nil {
		return err
	}
	st, err := Recognize(ctx, d)
	switch {
	case err != nil:
		return err
	case st.Status != Current, !st.courses():
		return st.refusal()
	case !st.Lectern:
		return fault.Errorf(fault.Refused, "database", "Lectern's own tables are missing").WithNext("run lectern db init, which adds them")
	}
	return nil
}

// Prepare is Require for a command that writes: first it makes the tables of a new SQLite database, and adds the lectern_*
// tables to a database that Django made. A server's database it does not fill by itself: that is for Create.
func Prepare(ctx context.Context, d *db.DB) error {
	if ok, err := ready(ctx, d); ok || err != nil {
		return err
	}
	st, err := Recognize(ctx, d)
	switch {
	case err != nil:
		return err
	case st.Status == Current:
		return addOwn(ctx, d, st)
	case st.Status == Empty && d.Engine() == db.SQLite:
		return Create(ctx, d)
	}
	return st.refusal()
}

// ready reports whether the ledgers alone show a database that this program left complete and nobody changed since.
func ready(ctx context.Context, d *db.DB) (bool, error) {
	ok := false
	err := view(ctx, d, func(tx *db.Tx) error {
		ok = false
		names, err := inspect.Names(ctx, tx)
		if err != nil || !names[ownLedger] || !names["django_migrations"] {
			return err
		}
		for i := range all {
			if t := &all[i]; !names[t.Name] && !t.beside() {
				return nil
			}
		}
		own, err := ownRows(ctx, tx)
		if err != nil || len(own) != 1 || !own[baseline] {
			return err
		}
		l, err := readLedger(ctx, tx)
		ok = len(l["openedx_content"]) == len(contentMigrations) && len(l["openedx_catalog"]) == len(catalogMigrations)
		for _, a := range apps {
			for _, n := range a.names {
				ok = ok && l.has(Migration{a.name, n})
			}
		}
		ok = ok && len(l.unknown(authzApp, authzMigrations)) == 0
		return err
	})
	return ok, err
}
