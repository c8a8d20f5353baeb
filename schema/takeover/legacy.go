package takeover

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema"
)

// legacyStep makes roles of the permissions that libraries had before openedx-authz (authz.md §10, "Step 0006 in detail").
const legacyStep = "0006_migrate_legacy_permissions"

// legacyTable holds those permissions: a user or a group may do something in a library.
const legacyTable = "content_libraries_contentlibrarypermission"

// legacyReads are the columns by which they are read.
var legacyReads = []struct {
	table   string
	columns []string
}{
	{legacyTable, []string{"id", "access_level", "library_id", "user_id", "group_id"}},
	{"content_libraries_contentlibrary", []string{"id", "slug", "org_id"}},
	{"organizations_organization", []string{"id", "short_name"}},
	{"auth_user", []string{"id", "username"}},
	{"auth_user_groups", []string{"user_id", "group_id"}},
}

// legacyRoles are the roles that levels become. Levels are compared exactly: whoever has another one is given no role.
var legacyRoles = map[string]string{"admin": "library_admin", "author": "library_author", "read": "library_user"}

// maxRule is how many characters the key of a rule holds, and so each part of it.
const maxRule = 255

// legacy reports whether there are such permissions to move.
func (s *site) legacy() bool {
	return s.live[legacyTable] != nil && !s.rows[schema.Migration{App: "openedx_authz", Name: legacyStep}]
}

// legacyLacks returns the first table or column that is missing of those by which they are read, "" when all are there.
func (s *site) legacyLacks() string {
	for _, r := range legacyReads {
		t := s.live[r.table]
		if t == nil {
			return r.table
		}
		for _, c := range r.columns {
			if t.Column(c) == nil {
				return r.table + "." + c
			}
		}
	}
	return ""
}

// permission is a row of the legacy table, with one of the users it is for.
type permission struct {
	id          int64
	level       string
	library     int64
	user, group *int64  // as in the row
	org, slug   *string // of the library
	member      int64   // the user; 0 where there is none, as in an empty group
	username    string
}

// key returns the key of the library, whether or not it is one.
func (p *permission) key() string {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return "lib:" + text(p.org) + ":" + text(p.slug)
}

// rule is an assignment of a role, as a row of casbin_rule has it.
type rule struct{ subject, role, scope string }

// key is what casbin_rule_key says of the rule.
func (r rule) key() string { return "g," + r.subject + "," + r.role + "," + r.scope + "," }

// rule returns what the permission becomes; why says why it cannot, "" where it can or nothing is to be done. long says that
// the engine holds texts of any length.
func (p *permission) rule(long bool) (r rule, why string) {
	org, slug := "", ""
	if p.org != nil && p.slug != nil {
		org, slug = *p.org, *p.slug
	}
	if _, err := keys.NewLibrary(org, slug); err != nil {
		return rule{}, "the key of its library cannot be read"
	}
	if p.user == nil && p.group == nil {
		return rule{}, "it names neither a user nor a group"
	}
	if p.member == 0 {
		return rule{}, ""
	}
	r = rule{"user^" + p.username, "role^" + legacyRoles[p.level], "lib^" + p.key()}
	if !long && utf8.RuneCountInString(r.key()) > maxRule {
		return rule{}, "names of library and user together are too long for a rule"
	}
	return r, ""
}

// eachLegacy passes on the permissions, each with one user at a time, in pages.
func eachLegacy(ctx context.Context, q db.Querier, page int, fn func([]permission) error) error {
	const who = "COALESCE(u.id, 0)"
	sql := fmt.Sprintf(`SELECT p.id, p.access_level, p.library_id, p.user_id, p.group_id, o.short_name, l.slug, %[1]s, COALESCE(u.username, '')
FROM %[2]s p LEFT JOIN content_libraries_contentlibrary l ON l.id = p.library_id LEFT JOIN organizations_organization o ON o.id = l.org_id
LEFT JOIN auth_user_groups m ON m.group_id = p.group_id LEFT JOIN auth_user u ON u.id = CASE WHEN p.group_id IS NULL THEN p.user_id ELSE m.user_id END
WHERE p.id > ? OR p.id = ? AND %[1]s > ? ORDER BY p.id, %[1]s LIMIT ?`, who, legacyTable)
	for id, user := int64(-1), int64(0); ; {
		list, err := db.All(ctx, q, sql, []any{id, id, user, page}, func(r *db.Row) (p permission, err error) {
			err = r.Scan(&p.id, &p.level, &p.library, &p.user, &p.group, &p.org, &p.slug, &p.member, &p.username)
			return p, err
		})
		if err != nil {
			return fmt.Errorf("read legacy permissions of libraries: %w", err)
		}
		if len(list) == 0 {
			return nil
		}
		if err := fn(list); err != nil {
			return err
		}
		if len(list) < page {
			return nil
		}
		last := list[len(list)-1]
		id, user = last.id, last.member
	}
}

// legacyFindings names the rows of which no role is made, with the reason.
func legacyFindings(ctx context.Context, q db.Querier) ([]schema.Finding, error) {
	var out []schema.Finding
	told := int64(0)
	err := eachLegacy(ctx, q, page, func(list []permission) error {
		for i := range list {
			p := &list[i]
			f := schema.Finding{Severity: schema.Warning, Table: legacyTable, Value: p.level, Key: fmt.Sprintf("%s %s (id %d)", p.key(), p.holder(), p.id)}
			_, why := p.rule(q.Engine() == db.SQLite)
			switch {
			case len(out) > 0 && told == p.id:
				continue
			case legacyRoles[p.level] == "":
				f.Code, f.Next = "legacy_level", "nothing: no role stands for this level, so none is given; the row stays"
			case why != "":
				f.Code, f.Next = "legacy_permission", fmt.Sprintf("give the role by hand: %s, so the row is copied into %s", why, schema.LibraryPermissions)
			default:
				continue
			}
			out, told = append(out, f), p.id
		}
		return nil
	})
	return out, err
}

// holder names whom the row is for.
func (p *permission) holder() string {
	switch {
	case p.group != nil:
		return fmt.Sprintf("group %d", *p.group)
	case p.user != nil && p.username != "":
		return "user " + p.username
	case p.user != nil:
		return fmt.Sprintf("user %d", *p.user)
	}
	return "nobody"
}

// moveLegacy wishes that every legacy permission has its role. All of it is one transaction with the row of the ledger; on
// the MySQL family the table for those that cannot be moved is made before.
func moveLegacy(p *planner) {
	if p.live[legacyTable] == nil {
		return
	}
	makeTables(schema.Lookup(schema.LibraryPermissions))(p)
	p.fillIn("casbin_rule", fmt.Sprintf("INSERT INTO %s (ptype, v0, v1, v2, v3, v4, v5) VALUES ('g', ?, ?, ?, '', '', '') -- each role that %s gives and nobody has yet",
		p.q("casbin_rule"), legacyTable), (&mover{long: p.sqlite(), folds: p.mysql()}).run)
	for _, t := range []string{"scope", "contentlibraryscope", "subject", "usersubject", "extendedcasbinrule", "policycachecontrol"} {
		p.show("openedx_authz_"+t, "with them")
	}
	p.show(schema.LibraryPermissions, "each row that cannot be moved")
}

// show adds to the step that rows of a table are inserted, too.
func (p *planner) show(table, why string) {
	p.step.Statements = append(p.step.Statements, Statement{Table: table, Effort: Rows, data: true, work: nothing,
		SQL: fmt.Sprintf("INSERT INTO %s … -- %s", p.q(table), why)})
}
