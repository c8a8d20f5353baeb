package takeover

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema"
)

// Names of tables around the catalog.
const (
	organization     = "organizations_organization"
	catalogCourse    = "openedx_catalog_catalogcourse"
	catalogRun       = "openedx_catalog_courserun"
	pathwayCategory  = "openedx_catalog_pathwaycategory"
	courseIndex      = "split_modulestore_django_splitmodulestorecourseindex"
	courseOverview   = "course_overviews_courseoverview"
	catalogApp       = "openedx_catalog"
	organizationsApp = "organizations"
)

// organizationsLast is the row that the catalog's first one follows.
var organizationsLast = schema.Migration{App: organizationsApp, Name: "0004_auto_20230727_2054"}

// catalogLast is the last row of the catalog.
var catalogLast = schema.Migration{App: catalogApp, Name: "0002_pathways"}

// catalogSteps make the tables of course identity, and of the organizations they refer to where a site has none, and put
// into them what is missing of the site's courses (content-migrations.md §1.6, §3.3).
func catalogSteps() []step {
	now := schema.Lookup
	return []step{
		{organizationsLast.App, organizationsLast.Name, []wish{makeOrganizations}},
		{catalogApp, "0001_initial", []wish{makeTables(now(catalogCourse), now(catalogRun))}},
		{catalogLast.App, catalogLast.Name, []wish{
			makeTables(now(pathwayCategory), now("openedx_catalog_catalogpathway"), now("openedx_catalog_pathwayenrollment")), categorize}},
		// The row by which the platform remembers that it did the same is the platform's own and is left alone.
		{"lectern", "fill_catalog", []wish{fillCatalog}},
	}
}

// organizationTables are the tables of organizations.
func organizationTables() []*schema.Table {
	return slices.DeleteFunc(slices.Clone(schema.Tables()), func(t *schema.Table) bool { return !strings.HasPrefix(t.Name, organizationsApp+"_") })
}

// makeOrganizations makes all tables of organizations with all their rows: that there are none, or that a run was stopped
// here, refusal has seen to.
func makeOrganizations(p *planner) {
	if p.rows[catalogLast] {
		p.skip = true
		return
	}
	makeTables(organizationTables()...)(p)
	for _, m := range schema.Migrations() {
		if m.App == organizationsApp && m != organizationsLast {
			p.record(m.App, m.Name)
		}
	}
}

// categorize makes the category that comes with the table.
func categorize(p *planner) {
	t := p.q(pathwayCategory)
	p.change(pathwayCategory, fmt.Sprintf("INSERT INTO %s (category_code, title, title_plural) SELECT 'pathway', 'Pathway', '' FROM (SELECT 1 AS one) AS o "+
		"WHERE NOT EXISTS (SELECT 1 FROM %s WHERE LOWER(category_code) = 'pathway')", t, t))
}

// lookCourses looks for what the catalog lacks of the courses in the split modulestore's index.
func (s *site) lookCourses(ctx context.Context, q db.Querier) error {
	if s.live[courseIndex] == nil {
		return nil
	}
	f, err := s.filler().read(ctx, q)
	if err != nil {
		return fmt.Errorf("look for courses that the catalog lacks: %w", err)
	}
	s.fill = f
	return nil
}

// lookOrganizations finds out, where tables are made one by one, whether those of organizations could be what a run that
// was stopped has left.
func (s *site) lookOrganizations(ctx context.Context, q db.Querier) error {
	if s.rows[catalogLast] || !q.Engine().MySQLFamily() {
		return nil
	}
	for _, t := range organizationTables() {
		l := s.live[t.Name]
		if l == nil {
			continue
		}
		if len(l.Columns) != len(t.Columns) || slices.ContainsFunc(t.Columns, func(c schema.Column) bool { return l.Column(c.Name) == nil }) {
			return nil
		}
		_, found, err := db.One(ctx, q, "SELECT 1 FROM "+q.Engine().Quote(t.Name)+" LIMIT 1", nil, db.Value[int])
		if err != nil || found {
			return err
		}
	}
	s.unused = true
	return nil
}

// refuseCatalog tells why the catalog cannot be brought to today's; nil where it can.
func (s *site) refuseCatalog(st *schema.State) error {
	if strings.HasPrefix(st.Catalog, "X") {
		return fault.Errorf(fault.Refused, "catalog", "the openedx_catalog tables and their rows in django_migrations contradict each other (state %s)", st.Catalog).
			WithNext("mend the tables or the rows by hand, or run without --catalog")
	}
	if s.rows[catalogLast] {
		return nil
	}
	why := s.halfOrganizations()
	if why == "" {
		return nil
	}
	return fault.Errorf(fault.Refused, organizationsApp, "%s, to which the catalog refers", why).
		WithNext("run the platform's migrations of organizations first, or run without --catalog")
}

// halfOrganizations says what is wrong with the organizations; "" where they are as the catalog needs them, or not there
// at all.
func (s *site) halfOrganizations() string {
	def, live := schema.Lookup(organization), s.live[organization]
	if s.rows[organizationsLast] {
		if live == nil {
			return fmt.Sprintf("django_migrations has %s %s, but there is no table %s", organizationsApp, organizationsLast.Name, organization)
		}
		for _, c := range def.Columns {
			if live.Column(c.Name) == nil {
				return fmt.Sprintf("the table %s has no column %s", organization, c.Name)
			}
		}
		return ""
	}
	for m := range s.rows {
		if m.App == organizationsApp {
			return fmt.Sprintf("django_migrations has rows of %s, but not %s", organizationsApp, organizationsLast.Name)
		}
	}
	for _, t := range organizationTables() {
		if s.live[t.Name] != nil && !s.unused {
			return fmt.Sprintf("there is the table %s, but django_migrations has no rows of %s", t.Name, organizationsApp)
		}
	}
	return ""
}
