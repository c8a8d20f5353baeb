package schema

import (
	"fmt"
	"slices"
	"strings"
)

// authzApp is the Django app of the tables of permissions.
const authzApp = "openedx_authz"

// casbinParent is the migration that the first of authzApp builds on.
var casbinParent = Migration{"casbin_adapter", "0001_initial"}

// AuthzStep is one migration of the tables of permissions (authz.md §10, "Older states").
type AuthzStep struct {
	Migration
	Tables []string  // that it makes, in an order in which they can be made
	Column [2]string // the table and the column that it adds to it, which Tables of an earlier step had not; usually none
}

// authzSteps are indexed by number. 0 is the app whose table they build on.
var authzSteps = []AuthzStep{
	{Migration: casbinParent, Tables: []string{casbinRule}},
	{Migration: Migration{authzApp, "0001_add_casbin_dependency"}},
	{Migration: Migration{authzApp, "0002_initial"}, Tables: authzNames("scope", "subject", "extendedcasbinrule")},
	{Migration: Migration{authzApp, "0003_usersubject"}, Tables: authzNames("usersubject")},
	{Migration: Migration{authzApp, "0004_contentlibraryscope"}, Tables: authzNames("contentlibraryscope")},
	{Migration: Migration{authzApp, "0005_policycachecontrol"}, Tables: authzNames("policycachecontrol")},
	{Migration: Migration{authzApp, "0006_migrate_legacy_permissions"}},
	{Migration: Migration{authzApp, "0007_coursescope"}, Tables: authzNames("coursescope")},
	{Migration: Migration{authzApp, "0008_authzcourseauthoringmigrationrun"}, Tables: authzNames("authzcourseauthoringmigrationrun")},
	{Migration: Migration{authzApp, "0009_roleassignmentaudit"}, Tables: authzNames("roleassignmentaudit")},
	{Migration: Migration{authzApp, "0010_scope_external_key"}, Column: [2]string{scopeTable, externalKey}},
	{Migration: Migration{authzApp, "0011_authz_schema_definitions"}, Tables: authzNames("authzschemasource", "authzpermissioncategory",
		"authzpermissiondefinition", "authzroledefinition", "authzrolepermission", "authzcategorysource", "authzpermissionsource",
		"authzrolesource", "authzrolepermissionsource")},
}

func authzNames(names ...string) []string {
	for i, n := range names {
		names[i] = authzPrefix + n
	}
	return names
}

// authzMigrations are the rows of authzApp in Django's ledger.
var authzMigrations = func() []string {
	var names []string
	for _, s := range authzSteps[1:] {
		names = append(names, s.Name)
	}
	return names
}()

// AuthzSteps returns the migrations that make the tables of permissions, each after what it builds on; the first is that of
// casbin_rule. They are shared: read only.
func AuthzSteps() []AuthzStep { return slices.Clone(authzSteps) }

// Authz returns the definitions of the tables of permissions as [AuthzSteps] leave them, in an order in which they can be
// made after those of [Platform]. They are shared: read only.
func Authz() []*Table { return pointers(authz) }

// permissions reports whether this is one of the tables of permissions.
func (t *Table) permissions() bool { return permissionTable(t.Name) }

func permissionTable(name string) bool {
	return name == casbinRule || strings.HasPrefix(name, authzPrefix)
}

// beside reports whether the table stands beside content and catalog: these can be worked on without it.
func (t *Table) beside() bool { return t.permissions() || t.platform() }

// currentAuthz is the age of tables of permissions that nothing has to be done to.
var currentAuthz = fmt.Sprintf("A%d", len(authzMigrations))

// shown says what of a step's tables and columns the database has.
func (f *facts) shown(s *AuthzStep) (some, all bool) {
	all = true
	for _, t := range s.Tables {
		some, all = some || f.names[t], all && f.names[t]
	}
	if s.Column[0] != "" {
		there := f.column(s.Column[0], s.Column[1])
		some, all = some || there, all && there
	}
	return some, all
}

// authzAge tells the age of the tables of permissions, and for an X-state why it is one: the rows must be a beginning of the
// list, with what they make there and nothing else, but that a run on the MySQL family may have been stopped within the step
// after the last row (authz.md §10, "Older states").
func (f *facts) authzAge() (code, reason string) {
	if u := f.rows.unknown(authzApp, authzMigrations); len(u) > 0 {
		return "X1", "django_migrations has " + authzApp + " " + strings.Join(u, ", ") + ", which this version does not know"
	}
	applied := 0 // rows, counting that of the parent
	for i, s := range authzSteps {
		switch {
		case f.rows.has(s.Migration) && applied < i:
			m := authzSteps[applied]
			return "X5", "django_migrations lacks " + m.App + " " + m.Name
		case f.rows.has(s.Migration):
			applied++
		}
	}
	half := ""
	for i := range authzSteps {
		s := &authzSteps[i]
		some, all := f.shown(s)
		switch {
		case i < applied && !all:
			return "X2", fmt.Sprintf("%s %s is applied, but the tables do not show it", s.App, s.Name)
		case i < applied || !some:
		case i == applied && f.engine.mysql():
			half = fmt.Sprintf("MA%d", i)
		case len(f.rows[authzApp]) == 0:
			return "X4", "there are tables of permissions (" + sample(f.permissionNames()) + ") but no rows for them in django_migrations"
		default:
			return "X2", fmt.Sprintf("the tables show %s %s, which is not applied", s.App, s.Name)
		}
	}
	if half != "" {
		return half, "a migration was stopped in " + authzSteps[applied].Name
	}
	return fmt.Sprintf("A%d", max(0, applied-1)), ""
}

// permissionNames returns which tables of permissions there are, sorted.
func (f *facts) permissionNames() []string {
	var names []string
	for n := range f.names {
		if permissionTable(n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// beside completes a state with what stands beside content.
func (f *facts) beside(st *State) {
	st.Authz = "A0"
	if st.Status == Empty || st.Status == Partial {
		return // what a killed Create left says nothing
	}
	code, reason := f.authzAge()
	const tables = authzPrefix + "*"
	missing := Finding{Code: "authz_missing", Severity: Info, Table: tables, Next: "run lectern db init; permissions need these tables"}
	if f.own[authzBegun] {
		code, missing.Value = "A0", "lectern db init was stopped while it made them"
	}
	if st.Status != Current {
		missing.Next = nextMigrate + ", then lectern db init; permissions need these tables"
	}
	st.Authz = code
	switch {
	case code == "X1" && st.Status != Newer:
		st.Status, st.Reason, st.Next = Newer, reason, nextNewer
	case code == "X1", code == currentAuthz:
	case code[0] == 'X':
		st.Notes = append(st.Notes, Finding{Code: "authz_state", Severity: Error, Table: tables, Key: code, Value: reason, Proposed: currentAuthz, Next: nextBroken})
	case code == "A0" && st.Status == Foreign:
	case code == "A0":
		st.Notes = append(st.Notes, missing)
	default:
		st.Notes = append(st.Notes, Finding{Code: "authz_older", Severity: Info, Table: tables, Value: code, Proposed: currentAuthz, Next: nextMigrate})
	}
	st.Notes = append(st.Notes, f.platformNotes(code != "A0")...)
}
