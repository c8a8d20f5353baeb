package roleshift

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

func equalOrg(a, b string) bool { return strings.EqualFold(a, b) }

// back makes legacy rows of assignments.
func (m *mover) back(ctx context.Context, tx *db.Tx) error {
	var scopes []string
	if m.ask.Org == "" {
		scopes = slices.Clone(m.ask.Courses)
		if m.ask.Derive {
			for _, org := range m.ask.orgs() {
				scopes = append(scopes, all(org))
			}
		}
	}
	var held []authz.Held
	var err error
	if m.ask.Org != "" && m.ask.Only != nil {
		held, err = authz.GrantsOf(ctx, tx, m.ask.Org, slices.Sorted(maps.Keys(m.ask.Only)))
	} else {
		held, err = authz.CourseGrants(ctx, tx, m.ask.Org, scopes)
	}
	if err != nil {
		return err
	}
	const many = 5000
	if len(held) > many {
		if err := authz.Measure(ctx, tx); err != nil {
			return err
		}
	}
	wide, err := m.backHeld(ctx, tx, held)
	if err != nil {
		return err
	}
	if m.ask.Org != "" {
		wide = inOrganizations(m.out.Records)
		if !m.ask.Keep && m.ask.Derive {
			err = m.deriveGrants(ctx, tx, wide, m.ask.Excluded)
		}
	} else {
		err = m.deriveRowsIn(ctx, tx, wide, m.ask.Courses)
	}
	if err != nil || m.ask.Keep {
		return err
	}
	return m.unassign(ctx, tx, pointers(m.out.Records, func(r *Record) bool {
		return r.Outcome == Moved || r.Outcome == Merged || r.Outcome == Dropped
	}))
}

// backHeld makes legacy rows of assignments, and returns besides them those in organizations of which others are derived.
func (m *mover) backHeld(ctx context.Context, tx *db.Tx, held []authz.Held) (wide []Record, err error) {
	ids, err := idsOf(ctx, tx, held)
	if err != nil {
		return nil, err
	}
	for _, h := range held {
		rec, ok := m.fromGrant(h, ids[h.User])
		switch {
		case !ok:
		case rec.legacy.Course == "" && m.ask.Org == "":
			wide = append(wide, rec)
		case m.wanted(h.ID):
			m.out.Records = append(m.out.Records, rec)
		}
	}
	if err := m.load(ctx, tx, authzSide, m.out.Records); err != nil {
		return nil, err
	}
	return wide, m.giveBack(ctx, tx)
}

// fromGrant says what is to become of an assignment; the outcome is open where it is to move. ok is false for one that the
// ask is not about.
func (m *mover) fromGrant(h authz.Held, id user.ID) (rec Record, ok bool) {
	rec = Record{Row: h.ID, UserID: id, User: h.User, Role: h.Role, Scope: h.Scope, grant: h.Grant, side: legacySide}
	org, isCourse := course(h.Scope)
	if !isCourse {
		org = legacy.OrgOf(h.Scope)
	}
	if !m.ours(org) {
		return rec, false
	}
	if m.ask.Canonical && !isCourse && m.ask.Org != "" {
		org = m.ask.Org
	}
	rec.legacy = legacy.Row{User: id, Org: org}
	if isCourse {
		rec.legacy.Course = h.Scope
	}
	role, mapped := legacy.Of(h.Role)
	rec.legacy.Role = role
	switch {
	case m.isExcluded(rec.legacy.Course):
		rec.Outcome, rec.Reason = Left, Overridden
	case !mapped:
		rec.Outcome, rec.Reason = Left, NoEquivalent
	case id == nobody:
		rec.Outcome, rec.Reason = Left, UserMissing
	}
	return rec, true
}

// giveBack makes the legacy rows: those that the assignment came from, else one of the course's own organization.
func (m *mover) giveBack(ctx context.Context, tx *db.Tx) error {
	from, derived := map[assignment][]legacy.Row{}, map[assignment]bool{}
	for _, s := range m.standing {
		k := s.assignment()
		switch s.outcome {
		case Derived:
			derived[k] = true
		default:
			from[k] = append(from[k], s.row)
		}
	}
	var rows []Record // one for each row to be made
	var owner []int   // places of the records that they are of
	for i := range m.out.Records {
		r := &m.out.Records[i]
		if r.Outcome != "" {
			continue
		}
		k := r.assignment()
		if derived[k] && len(from[k]) == 0 {
			r.Outcome = Dropped
			continue
		}
		given := from[k]
		if len(given) == 0 {
			given = []legacy.Row{r.legacy}
		}
		for _, row := range given {
			one := *r
			one.legacy = row
			rows, owner = append(rows, one), append(owner, i)
		}
		r.legacy = given[0]
		if len(given) > 0 && r.legacy.Org != given[0].Org {
			r.Note = OrgMismatch
		}
	}
	if err := m.insert(ctx, tx, pointers(rows, func(*Record) bool { return true }), Moved); err != nil {
		return err
	}
	for j, one := range rows {
		if r := &m.out.Records[owner[j]]; r.Outcome != Moved {
			r.Outcome = one.Outcome
		}
	}
	return nil
}
