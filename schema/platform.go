package schema

import (
	"fmt"
	"slices"
)

// Platform returns the definitions of the platform's tables that permissions and flags are read from. Lectern makes one of
// them only where it is absent altogether, and alters none (authz.md §10, §17). They come in an order in which they can be
// made. They are shared: read only.
func Platform() []*Table { return pointers(platform) }

// unread are columns that a table of the platform need not have: nothing is decided by them, and where rows are written they
// are written only if the column is there.
var unread = map[string][]string{
	"django_session":                 {"session_key", "session_data", "expire_date"}, // read by Django alone
	"user_api_userretirementrequest": {"id", "created", "modified"},                  // any row counts
	libraryTable:                     {"license", "allow_public_learning"},
	flagTable:                        {"created", "modified", "note"},
	"waffle_switch":                  {"created", "modified", "note"},
	"waffle_sample":                  {"created", "modified", "note"},
}

// PlatformColumns returns the columns that are read of a table of the platform, by which it is recognised as one; nil when
// the table is none of [Platform].
func PlatformColumns(table string) []string {
	if !ofPlatform[table] {
		return nil
	}
	names := []string{}
	for _, c := range byName[table].Columns {
		if n := c.Name; !slices.Contains(unread[table], n) {
			names = append(names, n)
		}
	}
	return names
}

// ofPlatform holds the names of the platform's tables.
var ofPlatform = func() map[string]bool {
	m := map[string]bool{}
	for i := range platform {
		m[platform[i].Name] = true
	}
	return m
}()

// platform reports whether this is one of the platform's tables.
func (t *Table) platform() bool { return ofPlatform[t.Name] }

// packages are those of the platform's tables that a Django package of its own makes, whose migrations are in Django's
// ledger. The others are of apps of the platform, and where Lectern made them none of those has rows (authz.md §17).
var packages = map[string][]string{
	"sessions": {"django_session"},
	"waffle":   {flagTable, flagTable + "_users", flagTable + "_groups", "waffle_switch", "waffle_sample"},
}

// PackageRows returns the rows of Django's ledger that go with tables of the platform: of each package whose tables are
// there and that has no row, which only Lectern can have left.
func PackageRows(table func(name string) bool, app func(name string) bool) []Migration {
	var ms []Migration
	for _, a := range besides {
		tables := packages[a.name]
		if tables == nil || app(a.name) || slices.ContainsFunc(tables, func(t string) bool { return !table(t) }) {
			continue
		}
		for _, n := range a.names {
			ms = append(ms, Migration{a.name, n})
		}
	}
	return ms
}

// platformNotes names columns of the platform's tables that are missing, and, where permissions need them, tables.
func (f *facts) platformNotes(needed bool) []Finding {
	var notes []Finding
	for i := range platform {
		t := &platform[i]
		if f.live[t.Name] == nil {
			if needed {
				notes = append(notes, Finding{Code: "platform_missing", Severity: Info, Table: t.Name, Next: nextMigrate + ", which makes the table"})
			}
			continue
		}
		for _, c := range PlatformColumns(t.Name) {
			if !f.column(t.Name, c) {
				notes = append(notes, Finding{Code: "platform_column_missing", Severity: Warning, Table: t.Name, Key: c, Proposed: t.Column(c).Type.Code(),
					Next: fmt.Sprintf("permissions and flags need %s.%s: bring the platform's tables to the release that has it", t.Name, c)})
			}
		}
	}
	return notes
}
