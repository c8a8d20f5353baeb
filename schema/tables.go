package schema

import "slices"

// all holds every table in an order in which they can be made: what a table refers to comes before it.
var all = slices.Concat(django, organizations, catalog, publishing, containers, media, components, collections, platform, authz, lectern)

var byName = func() map[string]*Table {
	m := make(map[string]*Table, len(all))
	for i := range all {
		m[all[i].Name] = &all[i]
	}
	return m
}()

// Tables returns the definitions of all tables, in an order in which they can be made. They are shared: read only.
func Tables() []*Table { return pointers(all) }

// pointers returns the shared definitions of tables.
func pointers(tables []Table) []*Table {
	ts := make([]*Table, len(tables))
	for i := range tables {
		ts[i] = byName[tables[i].Name]
	}
	return ts
}

// Lookup returns the definition of a table, nil when it is none of ours.
func Lookup(name string) *Table { return byName[name] }
