package takeover

import (
	"context"
	"slices"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema"
)

// authzSteps are the steps of the tables of permissions, those of the platform first, to which they refer
// (authz.md §10, "Older states").
func authzSteps() []step {
	out := []step{{"lectern", "platform_tables", []wish{makePlatform}}}
	all := schema.AuthzSteps()
	for i, m := range all {
		st := step{app: m.App, name: m.Name}
		if len(m.Tables) > 0 {
			var made []*schema.Table
			for _, name := range m.Tables {
				made = append(made, asMade(name, all[i+1:]))
			}
			st.wishes = append(st.wishes, makeTables(made...))
		}
		if m.Column[0] != "" {
			st.wishes = append(st.wishes, like(schema.Lookup(m.Column[0])).with(m.Column[1]).wish)
		}
		if m.Name == legacyStep {
			st.wishes = append(st.wishes, moveLegacy)
		}
		out = append(out, st)
	}
	return out
}

// asMade returns a table as it was before later steps added columns.
func asMade(name string, later []schema.AuthzStep) *schema.Table {
	t := schema.Lookup(name)
	for _, m := range later {
		if m.Column[0] == name {
			t = without(t, m.Column[1])
		}
	}
	return t
}

// makePlatform wishes that no table of the platform is absent altogether, and for the rows of those that a Django package
// makes (authz.md §10, §17).
func makePlatform(p *planner) {
	p.bare = true
	for _, t := range schema.Platform() {
		if p.live[t.Name] == nil {
			makeTables(p.linked(t))(p)
		}
	}
	rows := schema.PackageRows(func(name string) bool { return p.live[name] != nil }, func(app string) bool {
		for m := range p.rows {
			if m.App == app {
				return true
			}
		}
		return false
	})
	for _, m := range rows {
		p.record(m.App, m.Name)
	}
}

// linked returns a table without references to tables that are not there: a site that has permissions need not have
// content.
func (p *planner) linked(t *schema.Table) *schema.Table {
	u := *t
	u.Columns = slices.Clone(t.Columns)
	for i := range u.Columns {
		if c := &u.Columns[i]; c.Ref != "" && p.live[c.Ref] == nil {
			c.Ref = ""
		}
	}
	return &u
}

// permissions adds what is to be done to the tables of permissions, where there are any, whatever content's state
// (authz.md §10), and returns what is noticed about them. unmoved says why they stay as they are; nil where they do not.
func (p *Plan) permissions(ctx context.Context, q db.Querier, s *site) (found []schema.Finding, unmoved, err error) {
	if p.State.Authz == "A0" {
		return nil, nil, nil
	}
	const thing = "tables of permissions"
	for _, n := range p.State.Notes {
		if n.Code == "authz_state" {
			return []schema.Finding{n}, fault.Errorf(fault.Refused, thing, "%s (state %s)", n.Value, n.Key).WithNext(n.Next), nil
		}
	}
	if s.legacy() {
		if lack := s.legacyLacks(); lack != "" {
			n := schema.Finding{Code: "platform_column_missing", Severity: schema.Error, Table: legacyTable, Value: lack,
				Next: "bring the platform's tables to the release that has it; until then permissions stay as they are"}
			return []schema.Finding{n}, fault.Errorf(fault.Refused, thing, "there is no %s, by which legacy permissions of libraries are read", lack).WithNext(n.Next), nil
		}
		if found, err = legacyFindings(ctx, q); err != nil {
			return nil, nil, err
		}
	}
	p.todo = append(p.todo[:len(p.todo):len(p.todo)], authzSteps()...)
	return found, nil, nil
}
