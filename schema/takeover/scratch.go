package takeover

import (
	"strings"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema"
)

// last is the last row of content.
var last = func() schema.Migration {
	all := contentSteps()
	s := all[len(all)-1]
	return schema.Migration{App: s.app, Name: s.name}
}()

// fromNothing is the step that brings a site without content to the end at once (content-migrations.md §3.4 Z). The
// tables are made as they are today, so no row of the ledger would be true before the last of them is there: all rows
// are written together, and a run that was stopped has none.
func fromNothing() step {
	return step{last.App, last.Name, []wish{func(p *planner) {
		for m := range p.rows {
			if ofContent(m.App) {
				p.skip = true
				return
			}
		}
		for _, t := range schema.Tables() {
			if strings.HasPrefix(t.Name, "openedx_content_") {
				makeTables(t)(p)
			}
		}
		makeTypes(p)
		for _, m := range schema.Migrations() {
			if ofContent(m.App) && m != last {
				p.record(m.App, m.Name)
			}
		}
	}}}
}

// ofContent reports whether an app is content's, of any age.
func ofContent(app string) bool {
	switch app {
	case "openedx_content", "oel_publishing", "oel_components", "oel_contents", "oel_collections", "oel_units", "oel_subsections", "oel_sections":
		return true
	}
	return false
}

// refusal tells why a database cannot be taken over by what its state alone does not tell; nil where it can.
func (s *site) refusal(st *schema.State, o Options) error {
	if st.Content == "Z" || st.Content == "MZ" {
		if err := s.refuseNothing(st, o); err != nil {
			return err
		}
	}
	if o.Catalog {
		return s.refuseCatalog(st)
	}
	return nil
}

// refuseNothing tells why content cannot be made where there is none.
func (s *site) refuseNothing(st *schema.State, o Options) error {
	const auth, initial = "auth", "0001_initial"
	switch {
	case s.live["django_migrations"] == nil:
		return fault.Errorf(fault.Refused, "database", "%s (state %s)", st.Reason, st.Content).WithNext("name an empty database, or that of an Open edX site")
	case s.live["auth_user"] == nil || !s.rows[schema.Migration{App: auth, Name: initial}]:
		return fault.Errorf(fault.Refused, "database", "it has no table auth_user with the row %s %s in django_migrations, to which content refers (state %s)",
			auth, initial, st.Content).WithNext("run the platform's own migrations of " + auth + " first")
	case o.To != "" && !strings.HasPrefix(last.Name, o.To):
		return fault.Errorf(fault.Refused, "database", "it has no content yet, and today's tables are made at once (state %s)", st.Content).
			WithNext("run without --to")
	}
	return nil
}
