package takeover

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// Reference is a foreign key by which a table of another app points into content.
type Reference struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	To     string `json:"to"`
}

// Survey is what stands around the content tables, whatever their age.
type Survey struct {
	References []Reference
	Findings   []schema.Finding // what differs from what the ledger's rows make, and what would stand in a take-over's way
	Bytes      int64            // of the tables that are content's, with their indexes; 0 where the engine does not tell
}

// Look surveys a database by its catalogue and ledger alone.
func Look(ctx context.Context, d *db.DB) (*Survey, error) {
	out := &Survey{References: []Reference{}, Findings: []schema.Finding{}}
	err := d.View(ctx, func(tx *db.Tx) error {
		s, err := look(ctx, tx)
		if err != nil {
			return err
		}
		c := checker{s: s, d: schema.DialectOf(d), q: tx, pending: map[string]bool{}}
		begun := false
		for _, st := range merged() {
			if s.rows[schema.Migration{App: st.app, Name: st.name}] {
				begun = true
			} else {
				c.pending[st.name[:4]] = true
			}
		}
		for _, name := range sortedKeys(s.live) {
			for _, f := range s.live[name].Foreign {
				if c.concerns(f.Table) && !c.concerns(name) && !strings.HasPrefix(name, "lectern_") {
					out.References = append(out.References, Reference{name, f.Column, f.Table})
				}
			}
		}
		if begun || c.table(learningPackage) != "" {
			flight, err := c.preflight(ctx)
			if err != nil {
				return err
			}
			out.Findings = append(append(out.Findings, flight...), s.drift(c.d)...)
		}
		sizes, err := inspect.Sizes(ctx, tx, c.concerns)
		for _, z := range sizes {
			out.Bytes += z.Bytes
		}
		return err
	})
	return out, err
}

// drift compares the content tables with those that the rows in the ledger make, in what no recognition looks at. On a
// database in the middle of a step that step's tables differ, of course; they are left out.
func (s *site) drift(d schema.Dialect) []schema.Finding {
	p := newPlanner(d, inspect.Tables{}, nil)
	p.defs = map[string]schema.Column{}
	touched := map[string]bool{}
	for _, st := range contentSteps() {
		if s.rows[schema.Migration{App: st.app, Name: st.name}] {
			p.plan(&st)
			continue
		}
		q := newPlanner(d, p.live, nil)
		for _, x := range q.plan(&st).Statements {
			touched[x.Table] = true
		}
		break
	}
	var out []schema.Finding
	add := func(code, table, key, value, proposed, next string) {
		out = append(out, schema.Finding{Code: code, Severity: schema.Warning, Table: table, Key: key, Value: value, Proposed: proposed, Next: next})
	}
	for _, name := range sortedKeys(p.live) {
		want, have := p.live[name], s.live[name]
		if have == nil || touched[name] {
			continue
		}
		for _, c := range want.Columns {
			l := have.Column(c.Name)
			def := p.defs[name+"."+c.Name]
			switch {
			case l == nil:
				add("column_missing", name, c.Name, "", c.Type, "restore the table from a backup")
			case !d.Fits(&def, l) && !collationMayDiffer(name, c.Name, d, &def, l):
				add("column_differs", name, c.Name, strings.TrimSpace(l.Type+" "+l.Collation), strings.TrimSpace(c.Type+" "+c.Collation),
					"change the column to what is proposed: what compares otherwise may be taken for equal, or refused")
			}
		}
		for _, l := range have.Columns {
			if want.Column(l.Name) == nil {
				out = append(out, schema.Finding{Code: "column_added", Severity: schema.Info, Table: name, Key: l.Name, Value: l.Type, Next: "nothing: it is kept"})
			}
		}
		for _, f := range want.Foreign {
			if foreignOf(have, f.Column) < 0 {
				add("foreign_missing", name, f.Column, "", f.Table, fmt.Sprintf("add the foreign key again once lectern db verify finds no row without its %s", f.Table))
			}
		}
		for _, n := range constraintNames(want) {
			if !isNamed(have, n) {
				add("index_missing", name, n, "", n, "make the index or constraint again: Python's later migrations name it")
			}
		}
	}
	return out
}

// constraintNames returns the explicit names of a table's indexes and constraints.
func constraintNames(t *inspect.Table) []string {
	var names []string
	for _, i := range t.Indexes {
		if strings.HasPrefix(i.Name, "oel_") && !strings.HasPrefix(i.Name, t.Name) && !strings.HasPrefix(i.Name, oldP) && !strings.Contains(i.Name, "_id_") {
			names = append(names, i.Name)
		}
	}
	for _, k := range t.Keys {
		if k.Name != "" {
			names = append(names, k.Name)
		}
	}
	for _, c := range t.Checks {
		if c.Name != "" {
			names = append(names, c.Name)
		}
	}
	return names
}

func isNamed(t *inspect.Table, name string) bool {
	return t.Index(name) != nil || t.Check(name) != nil || slices.ContainsFunc(t.Keys, func(k inspect.Unique) bool { return k.Name == name })
}

// collationMayDiffer reports what Python itself leaves in two ways: the collation of a container's code, and of a
// collection's key before 0008 (content-migrations.md §3.3).
func collationMayDiffer(table, column string, d schema.Dialect, c *schema.Column, l *inspect.Column) bool {
	if !(table == container && column == "container_code" || column == "_key" && (table == collection || table == oldCollect)) {
		return false
	}
	as := *l
	as.Collation = d.Expected(c).Collation
	return d.Fits(c, &as)
}
