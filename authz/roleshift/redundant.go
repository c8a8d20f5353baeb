package roleshift

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

// dropRedundant takes away, after an organization's roles have come to a side, what was derived of them there while they stood on
// the other: the courses have it by the organization again, and would keep it when somebody loses the role there (M-25). What
// was derived of a role that did not come along stays.
func (m *mover) dropRedundant(ctx context.Context, tx *db.Tx) error {
	if m.ask.Org == "" || m.ask.Keep || !m.ask.Derive {
		return nil
	}
	type of struct {
		user user.ID
		role legacy.Role
	}
	came := map[of]string{} // their names
	for _, r := range m.out.Records {
		if r.legacy.Course == "" && (r.Outcome == Moved || r.Outcome == Merged) {
			came[of{r.UserID, r.legacy.Role}] = r.User
		}
	}
	if len(came) == 0 {
		return nil
	}
	on := authzSide
	if m.ask.Direction == Rollback {
		on = legacySide
	}
	first := "course-v1:" + m.ask.Org + "+"
	const behind = "," // the character that comes after +
	var dropped []Record
	err := tx.Query(ctx, "SELECT id, role, scope, user_id, org, course_id, legacy_role FROM "+detailTable+
		" WHERE side = ? AND standing = ? AND outcome = ? AND scope >= ? AND scope < ? ORDER BY id",
		[]any{string(on), true, string(Derived), first, strings.TrimSuffix(first, "+") + behind}, func(in *db.Row) error {
			var id int64
			var role string
			r := Record{Outcome: Dropped, side: on}
			if err := in.Scan(&id, &r.grant.Role, &r.Scope, &r.UserID, &r.legacy.Org, &r.legacy.Course, &role); err != nil {
				return err
			}
			r.legacy.User, r.legacy.Role = r.UserID, legacy.Role(role)
			if r.grant.Role == "" {
				r.grant.Role, _ = r.legacy.Role.Counterpart()
			}
			name, yes := came[of{r.UserID, r.legacy.Role}]
			if !yes || m.isExcluded(r.legacy.Course) {
				return nil
			}
			r.User, r.grant.User, r.grant.Scope, r.Role = name, name, r.Scope, role
			if on == authzSide {
				r.Role = r.grant.Role
			}
			dropped, m.spent = append(dropped, r), append(m.spent, id)
			return nil
		})
	if err != nil || len(dropped) == 0 {
		return err
	}
	if on == authzSide {
		err = m.unassign(ctx, tx, pointers(dropped, func(*Record) bool { return true }))
	} else {
		rows := make([]legacy.Row, len(dropped))
		for i, r := range dropped {
			rows[i] = r.legacy
		}
		err = m.deleteRows(ctx, tx, rows, pointers(dropped, func(*Record) bool { return true }))
	}
	m.out.Records = append(m.out.Records, dropped...)
	return err
}

// deleteRows deletes legacy rows that are equal to some, which are those of records.
func (m *mover) deleteRows(ctx context.Context, tx *db.Tx, rows []legacy.Row, records []*Record) error {
	wanted := map[legacy.Row]bool{}
	for _, r := range rows {
		wanted[m.plain(r)] = true
	}
	have, err := m.present(ctx, tx, selectionOf(rows), records)
	if err != nil {
		return err
	}
	var ids []int64
	for _, r := range have {
		if wanted[m.plain(r)] {
			ids = append(ids, r.ID)
		}
	}
	return legacy.Delete(ctx, tx, ids)
}

// selectionOf is what rows equal to these are among.
func selectionOf(rows []legacy.Row) (s legacy.Selection) {
	courses, orgs := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		switch {
		case r.Course != "" && !courses[r.Course]:
			courses[r.Course] = true
			s.Courses = append(s.Courses, r.Course)
		case r.Course == "" && !orgs[r.Org]:
			orgs[r.Org] = true
			s.Wide = append(s.Wide, r.Org)
		}
	}
	return s
}
