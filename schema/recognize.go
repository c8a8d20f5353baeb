package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// Recognize finds out what a database is, by Django's ledger and the catalogue (content-migrations.md §3.3). It only reads.
func Recognize(ctx context.Context, d *db.DB) (State, error) {
	var st State
	err := view(ctx, d, func(tx *db.Tx) error {
		f, err := look(ctx, tx)
		if err != nil {
			return err
		}
		if f.stopped, err = f.stoppedCatalog(ctx, tx); err != nil {
			return err
		}
		st = f.state()
		switch {
		case st.Status == Empty && f.names[ownLedger]:
			st, err = f.half(ctx, tx)
		case st.Content == "MZ":
			err = f.stoppedScratch(ctx, tx, &st)
		}
		f.beside(&st)
		return err
	})
	return st, err
}

// view runs fn on a snapshot, and again where somebody else changes tables meanwhile, which ends one on the MySQL family.
func view(ctx context.Context, d *db.DB, fn func(*db.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := d.View(ctx, fn)
		if attempt == maxLooks || !errors.Is(err, db.ErrRetry) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(attempt) * 10 * time.Millisecond):
		}
	}
}

// maxLooks bounds how often view looks, for some ten seconds in all.
const maxLooks = 45

// facts are what a database is recognised by.
type facts struct {
	engine Dialect
	names  map[string]bool // all tables and views
	rows   ledger
	own    map[string]bool // rows of Lectern's own ledger
	// stopped is the state of a catalog whose migration was stopped, "" where none was.
	stopped string
	probe
}

func look(ctx context.Context, tx *db.Tx) (f facts, err error) {
	f.engine = Dialect{engine: tx.Engine()}
	if f.names, err = inspect.Names(ctx, tx); err != nil {
		return f, err
	}
	if f.names["django_migrations"] {
		if f.rows, err = readLedger(ctx, tx); err != nil {
			return f, err
		}
	}
	if f.names[ownLedger] {
		if f.own, err = ownRows(ctx, tx); err != nil {
			return f, err
		}
	}
	f.live, err = inspect.Read(ctx, tx, func(name string) bool {
		return byName[name] != nil || strings.HasPrefix(name, "oel_") || strings.HasPrefix(name, "openedx_content_")
	})
	return f, err
}

// state decides; rows of tables are not looked at.
func (f *facts) state() State {
	st := f.content()
	st.Package = f.release(st.Content)
	st.Catalog = f.catalog()
	st.Lectern = f.own[baseline]
	for i := range lectern {
		st.Lectern = st.Lectern && f.names[lectern[i].Name]
	}
	if st.Status == Current && strings.HasPrefix(st.Catalog, "X") {
		st.Status, st.Reason, st.Next = Broken, "the openedx_catalog tables and their rows in django_migrations contradict each other", nextBroken
	}
	for n := range f.own {
		if n != baseline && n != authzBegun && st.Status != Newer {
			st.Status, st.Reason, st.Next = Newer, "lectern_schema has the row "+n+", which this version does not know", nextNewer
		}
	}
	return st
}

// Next steps.
const (
	nextMigrate = "make a backup, then run lectern db migrate"
	nextNewer   = "use a newer version of Lectern"
	nextBroken  = "restore a backup, or mend the tables and django_migrations by hand"
	nextForeign = "name an empty database, or that of an Open edX site"
)

func older(code, what string) State {
	return State{Status: Older, Content: code, Reason: what, Next: nextMigrate}
}

func broken(code, why string) State {
	return State{Status: Broken, Content: code, Reason: why, Next: nextBroken}
}

// content decides the state of the content tables, first match first.
func (f *facts) content() State {
	if u := f.rows.unknown("openedx_content", contentMigrations); len(u) > 0 {
		return State{Status: Newer, Content: "X1", Next: nextNewer,
			Reason: "django_migrations has openedx_content " + strings.Join(u, ", ") + ", which this version does not know"}
	}
	if u := f.rows.unknown("openedx_catalog", catalogMigrations); len(u) > 0 {
		return State{Status: Newer, Content: "X1", Next: nextNewer,
			Reason: "django_migrations has openedx_catalog " + strings.Join(u, ", ") + ", which this version does not know"}
	}
	if gap := f.gap(); gap != "" {
		return broken("X5", "django_migrations lacks "+gap)
	}
	oldNames, newNames := f.generations()
	switch labels := f.labels(); {
	case labels > 0 && len(oldNames)+len(newNames) == 0:
		return broken("X3", "this database holds no content tables although django_migrations names them")
	case labels == 0 && f.halfScratch(oldNames, newNames):
		return older("MZ", "lectern db migrate was stopped before it was done")
	case labels == 0 && len(oldNames)+len(newNames) > 0 && !f.halfNames():
		return broken("X4", "there are content tables ("+sample(append(oldNames, newNames...))+") but no rows for them in django_migrations")
	case labels == 0:
		return f.scratch()
	}
	return f.age(oldNames, newNames)
}

// gap returns the first ledger row that is missing although a later one, or one that builds on it, is there.
func (f *facts) gap() string {
	merged := len(f.rows["openedx_content"]) > 0
	for _, c := range chains {
		n, gap := f.rows.applied(c.app, c.names)
		if merged && gap == "" && n < len(c.names) {
			gap = c.names[n]
		}
		if merged && gap == "" && !f.rows[c.app][c.gone] {
			gap = c.gone
		}
		if gap != "" {
			return c.app + " " + gap
		}
	}
	if _, gap := f.rows.applied("openedx_content", contentMigrations); gap != "" {
		return "openedx_content " + gap
	}
	for m, parents := range needs {
		for _, p := range parents {
			if f.rows.has(m) && !f.rows.has(p) {
				return p.App + " " + p.Name
			}
		}
	}
	return ""
}

// labels counts the apps of content that have rows.
func (f *facts) labels() int {
	n := min(1, len(f.rows["openedx_content"]))
	for _, c := range chains {
		n += min(1, len(f.rows[c.app]))
	}
	return n
}

// generations returns which content tables there are under the names of before the merge and under those since, sorted.
func (f *facts) generations() (oldNames, newNames []string) {
	for name := range f.names {
		for _, c := range chains {
			if t, ok := strings.CutPrefix(name, c.prefix); ok && slices.Contains(c.tables, t) {
				oldNames = append(oldNames, name)
			}
		}
		if t := byName[name]; t != nil && strings.HasPrefix(name, "openedx_content_") || name == contentOld || name == linkOld {
			newNames = append(newNames, name)
		}
	}
	slices.Sort(oldNames)
	slices.Sort(newNames)
	return oldNames, newNames
}

// Names that lasted from 0002 to 0003.
const (
	contentOld = "openedx_content_content"
	linkOld    = "openedx_content_componentversioncontent"
)

// scratch tells an empty database from one with tables of others.
func (f *facts) scratch() State {
	var others []string
	for n := range f.names {
		if n != lockTable && (!f.names[ownLedger] || byName[n] == nil) {
			others = append(others, n)
		}
	}
	if len(others) == 0 {
		return State{Status: Empty, Content: "Z", Reason: "the database has no tables", Next: "run lectern db init"}
	}
	slices.Sort(others)
	st := State{Status: Foreign, Content: "Z", Reason: "the database has tables (" + sample(others) + ") but none of Lectern's", Next: nextForeign}
	if f.names["django_migrations"] {
		st.Next = nextMigrate
	}
	return st
}

// sample names a few of many.
func sample(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// catalog decides the state of the tables of course identity.
func (f *facts) catalog() string {
	n, gap := f.rows.applied("openedx_catalog", catalogMigrations)
	first, second := 0, 0
	for i := range catalog {
		if f.names[catalog[i].Name] {
			if strings.Contains(catalog[i].Name, "pathway") {
				second++
			} else {
				first++
			}
		}
	}
	switch {
	case n == 0 && gap == "" && first+second == 0:
		return "G0"
	case n == 1 && gap == "" && first == 2 && second == 0:
		return "G1"
	case n == 2 && first == 2 && second == 3:
		return "G2"
	case f.stopped != "":
		return f.stopped
	case n == 0 && gap == "":
		return "X4"
	}
	return "X2"
}
