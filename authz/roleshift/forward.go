package roleshift

import (
	"context"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

// forward makes assignments of legacy rows.
func (m *mover) forward(ctx context.Context, tx *db.Tx) error {
	var s legacy.Selection
	if s.Org, s.Only = m.ask.Org, m.ask.Only; s.Org == "" {
		s.Courses = m.ask.Courses
		if m.ask.Derive {
			s.Wide = m.ask.orgs()
		}
	}
	rows, err := legacy.Select(ctx, tx, s)
	if err != nil {
		return err
	}
	wide, err := m.forwardRows(ctx, tx, rows)
	if err != nil {
		return err
	}
	if m.ask.Org != "" {
		wide = inOrganizations(m.out.Records)
		err = m.deriveRows(ctx, tx, wide)
	} else {
		err = m.deriveGrants(ctx, tx, wide, m.ask.Courses)
	}
	if err != nil || m.ask.Keep {
		return err
	}
	var gone []int64
	for _, r := range m.out.Records {
		if r.Outcome == Moved || r.Outcome == Merged || r.Outcome == Dropped {
			gone = append(gone, r.Row)
		}
	}
	return legacy.Delete(ctx, tx, gone)
}

// forwardRows makes assignments of rows, and returns besides them the roles in organizations of which others are derived.
func (m *mover) forwardRows(ctx context.Context, tx *db.Tx, rows []legacy.Row) (wide []Record, err error) {
	names, err := namesOf(ctx, tx, rows)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		rec, ok := m.fromLegacy(r, names[r.User])
		switch {
		case !ok:
		case r.Course == "" && m.ask.Org == "":
			wide = append(wide, rec)
		case m.wanted(r.ID):
			m.out.Records = append(m.out.Records, rec)
		}
	}
	if err := m.load(ctx, tx, legacySide, m.out.Records); err != nil {
		return nil, err
	}
	m.dropDerived()
	moving := pointers(m.out.Records, func(r *Record) bool { return r.Outcome == "" })
	return wide, m.assign(ctx, tx, moving, Moved, Merged)
}

// fromLegacy says what is to become of a row; the outcome is open where it is to move. ok is false for a row that the ask is
// not about.
func (m *mover) fromLegacy(r legacy.Row, name string) (rec Record, ok bool) {
	rec = Record{Row: r.ID, UserID: r.User, User: name, Role: string(r.Role), legacy: r, side: authzSide}
	leave := func(reason string) (Record, bool) {
		rec.Outcome, rec.Reason = Left, reason
		return rec, true
	}
	org, sc := r.Org, r.Course
	if r.Course != "" {
		if org, ok = course(r.Course); !ok {
			return leave(NotEligible)
		}
	} else if r.Org == "" {
		return leave(NotEligible)
	}
	switch {
	case r.Course == "" && m.ask.Canonical && m.ask.Org != "":
		org = m.ask.Org
	case !m.ours(org):
		return rec, false
	}
	if r.Course == "" {
		sc = all(org)
	}
	if r.Org != org {
		rec.Note = OrgMismatch
	}
	role, mapped := r.Role.Counterpart()
	if !mapped {
		return leave(UnknownRole)
	}
	rec.Scope = sc
	switch {
	case m.isExcluded(r.Course):
		return leave(Overridden)
	case name == "":
		return leave(UserMissing)
	}
	rec.grant = authz.Grant{User: name, Role: role, Scope: sc}
	return rec, true
}

// dropDerived marks the rows that were derived when their course left its organization's side: they go, and nothing becomes
// of them.
func (m *mover) dropDerived() {
	derived := map[legacy.Row]bool{}
	for _, s := range m.standing {
		if s.outcome == Derived {
			derived[s.row] = true
		}
	}
	for i := range m.out.Records {
		r := &m.out.Records[i]
		row := r.legacy
		row.ID = 0
		if r.Outcome == "" && r.legacy.Course != "" && derived[row] {
			r.Outcome = Dropped
		}
	}
}

// deriveGrants gives the people of organizations, by their roles there, equal assignments in courses on the other side.
func (m *mover) deriveGrants(ctx context.Context, tx *db.Tx, wide []Record, courses []string) error {
	var list []Record
	for _, c := range courses {
		org, ok := course(c)
		if !ok {
			continue
		}
		for _, w := range wide {
			role, mapped := w.mapped()
			if !mapped || w.User == "" || !m.of(w, org) {
				continue
			}
			d := Record{Row: w.Row, UserID: w.UserID, User: w.User, Role: role, Scope: c, side: authzSide, grant: authz.Grant{User: w.User, Role: role, Scope: c}}
			d.legacy = legacy.Row{User: w.UserID, Org: org, Course: c, Role: w.legacy.Role}
			list = append(list, d)
		}
	}
	return m.addDerived(list, func(records []*Record) error { return m.assign(ctx, tx, records, Derived, Merged) })
}

// addDerived makes what is derived. What is there anyway is none.
func (m *mover) addDerived(list []Record, make func([]*Record) error) error {
	if err := make(pointers(list, func(*Record) bool { return true })); err != nil {
		return err
	}
	for _, r := range list {
		if r.Outcome == Derived || r.Outcome == Error {
			m.out.Records = append(m.out.Records, r)
		}
	}
	return nil
}

// mapped returns the role of assignments of a record about a role in an organization.
func (r Record) mapped() (role string, ok bool) { return r.legacy.Role.Counterpart() }

// of reports whether a role in an organization holds in one of this spelling. Legacy rows do in any letter case.
func (m *mover) of(wide Record, org string) bool {
	return equalOrg(wide.legacy.Org, org)
}

// deriveRows gives the people of the organization legacy rows in the courses that stay on that side.
func (m *mover) deriveRows(ctx context.Context, tx *db.Tx, wide []Record) error {
	if m.ask.Keep || !m.ask.Derive {
		return nil // those kept still count there
	}
	return m.deriveRowsIn(ctx, tx, wide, m.ask.Excluded)
}

func (m *mover) deriveRowsIn(ctx context.Context, tx *db.Tx, wide []Record, courses []string) error {
	var list []Record
	for _, c := range courses {
		org, ok := course(c)
		if !ok {
			continue
		}
		for _, w := range wide {
			if _, mapped := w.mapped(); !mapped || w.UserID == 0 {
				continue
			}
			d := Record{Row: w.Row, UserID: w.UserID, User: w.User, Role: string(w.legacy.Role), Scope: c, side: legacySide}
			d.legacy = legacy.Row{User: w.UserID, Org: org, Course: c, Role: w.legacy.Role}
			role, _ := w.mapped()
			d.grant = authz.Grant{User: w.User, Role: role, Scope: c}
			list = append(list, d)
		}
	}
	return m.addDerived(list, func(records []*Record) error { return m.insert(ctx, tx, records, Derived) })
}

// insert makes the legacy rows of records that are not there yet, and notes done or merged.
func (m *mover) insert(ctx context.Context, tx *db.Tx, records []*Record, done Outcome) error {
	if len(records) == 0 {
		return nil
	}
	all := make([]legacy.Row, len(records))
	for i, r := range records {
		all[i] = r.legacy
	}
	have, err := m.present(ctx, tx, selectionOf(all), records)
	if err != nil {
		return err
	}
	there := map[legacy.Row]bool{}
	for _, r := range have {
		there[m.plain(r)] = true
	}
	var rows []legacy.Row
	for _, r := range records {
		if r.Outcome = Merged; !there[m.plain(r.legacy)] {
			r.Outcome = done
			there[m.plain(r.legacy)] = true
			rows = append(rows, r.legacy)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return legacy.Insert(ctx, tx, rows)
}

// present reads the legacy rows of a selection that could be those of records.
func (m *mover) present(ctx context.Context, tx *db.Tx, s legacy.Selection, records []*Record) ([]legacy.Row, error) {
	const few = 8
	if !m.paged || len(s.Courses) > few {
		return legacy.Select(ctx, tx, s)
	}
	// A course with very many people: only those in question.
	met := map[user.ID]bool{}
	var people []user.ID
	for _, r := range records {
		if !met[r.legacy.User] {
			met[r.legacy.User] = true
			people = append(people, r.legacy.User)
		}
	}
	var have []legacy.Row
	for _, c := range s.Courses {
		rows, err := legacy.OfUsers(ctx, tx, c, people)
		if err != nil {
			return nil, err
		}
		have = append(have, rows...)
	}
	if len(s.Wide) == 0 {
		return have, nil
	}
	rows, err := legacy.Select(ctx, tx, legacy.Selection{Wide: s.Wide})
	return append(have, rows...), err
}

// plain returns what rows that the database takes for one have in common.
func (m *mover) plain(r legacy.Row) legacy.Row {
	return legacy.Row{User: r.User, Org: m.folded(r.Org), Course: m.folded(r.Course), Role: legacy.Role(m.folded(string(r.Role)))}
}

// nobody is the id of no user.
const nobody user.ID = 0
