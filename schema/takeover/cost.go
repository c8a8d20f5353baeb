package takeover

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// Rewrites reports whether the step copies a table, so that it takes the longer the more rows there are.
func (s *Step) Rewrites() bool {
	return slices.ContainsFunc(s.Statements, func(st Statement) bool { return st.Effort == Rewrite })
}

// Reversible reports whether [RevertNames] leads back over the step (content-migrations.md §3.6).
func (s *Step) Reversible() bool {
	if s.App == "openedx_content" {
		return s.Name < "0004"
	}
	return strings.HasSuffix(s.Name, statesEnded)
}

// Locks says what the step keeps others from, on an engine.
func (s *Step) Locks(e db.Engine) string {
	if s.silent() {
		return "none"
	}
	if e == db.SQLite {
		return "the whole database for writers; readers go on"
	}
	byEffort := map[Effort][]string{}
	for _, st := range s.Statements {
		if st.Table != "django_migrations" && !slices.Contains(byEffort[st.Effort], st.Table) {
			byEffort[st.Effort] = append(byEffort[st.Effort], st.Table)
		}
	}
	var parts []string
	add := func(format string, efforts ...Effort) {
		var tables []string
		for _, e := range efforts {
			for _, t := range byEffort[e] {
				if !slices.Contains(tables, t) {
					tables = append(tables, t)
				}
			}
		}
		if len(tables) > 3 {
			tables = append(tables[:2], fmt.Sprintf("%d more tables", len(tables)-2))
		}
		if len(tables) > 0 {
			parts = append(parts, fmt.Sprintf(format, strings.Join(tables, ", ")))
		}
	}
	if e == db.PostgreSQL {
		add("%s for everyone until the step is committed", Metadata, Scan, Rewrite)
		add("rows of %s that change", Rows)
	} else {
		add("%s for everyone, for a moment", Metadata)
		add("%s for a moment at either end, while its rows are read", Scan)
		add("%s for writers while it is copied", Rewrite)
		add("rows of %s that change", Rows)
	}
	return strings.Join(parts, "; ")
}

// What a statement takes by itself, and for each row of its table, as measured on a machine of two cores: an estimate is
// to tell a second from an hour, no more.
var pace = map[Effort]struct{ each, row time.Duration }{
	Metadata: {20 * time.Millisecond, 0},
	Scan:     {20 * time.Millisecond, 2 * time.Microsecond},
	Rows:     {5 * time.Millisecond, 10 * time.Microsecond},
	Rewrite:  {20 * time.Millisecond, 10 * time.Microsecond},
}

// Estimate says how long the step may take with tables of these sizes.
func (s *Step) Estimate(sizes map[string]inspect.Size) time.Duration {
	var d time.Duration
	for _, st := range s.Statements {
		p := pace[st.Effort]
		d += p.each
		if st.Table != "django_migrations" {
			d += time.Duration(sizeOf(sizes, st.Table)) * p.row
		}
	}
	return d
}

// sizeOf returns the rows of a table whatever it is called yet.
func sizeOf(sizes map[string]inspect.Size, table string) int64 {
	if s, ok := sizes[table]; ok {
		return s.Rows
	}
	for name, s := range sizes {
		if today(name) == today(table) {
			return s.Rows
		}
	}
	return 0
}
