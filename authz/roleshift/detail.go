package roleshift

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

const detailTable = "lectern_authzrunrecord"

// standing is what an earlier move made on a side, and has not been undone since.
type standing struct {
	id      int64
	outcome Outcome
	role    string // of assignments
	scope   string
	row     legacy.Row // of the other side, or, where it was derived there, of this one; without an id
}

// assignment is what a row of legacy roles and its counterpart have in common.
type assignment struct {
	user  user.ID
	role  string // of assignments
	scope string
}

func (s standing) assignment() assignment { return assignment{s.row.User, s.role, s.scope} }

func (r *Record) assignment() assignment { return assignment{r.UserID, r.grant.Role, r.Scope} }

// load reads what stands on the source's side, in the scopes of records: those of an organization by one range of the index,
// as long lists of texts cost some servers seconds.
func (m *mover) load(ctx context.Context, tx *db.Tx, on side, records []Record) error {
	if m.paged {
		return m.loadPage(ctx, tx, on, records)
	}
	first := "course-v1:" + m.ask.Org + "+"
	met := map[string]bool{}
	var scopes []string
	for _, r := range records {
		if sc := r.Scope; sc != "" && !met[sc] {
			met[sc] = true
			if m.ask.Org == "" || !strings.HasPrefix(sc, first) {
				scopes = append(scopes, sc)
			}
		}
	}
	note := func(r *db.Row) error {
		s, err := scanStanding(r)
		if err == nil && met[s.scope] {
			m.standing = append(m.standing, s)
		}
		return err
	}
	const query = standingRows + " AND scope "
	args := []any{string(on), true}
	if m.ask.Org != "" {
		const behind = "," // the character that comes after +
		err := tx.Query(ctx, query+">= ? AND scope < ?", append(args, first, strings.TrimSuffix(first, "+")+behind), note)
		if err != nil {
			return err
		}
	}
	return db.QueryIn(ctx, tx, query+"IN (?...)", scopes, args, note)
}

const standingRows = "SELECT id, outcome, role, scope, user_id, org, course_id, legacy_role FROM " + detailTable + " WHERE side = ? AND standing = ?"

func scanStanding(r *db.Row) (s standing, err error) {
	var outcome, role string
	err = r.Scan(&s.id, &outcome, &s.role, &s.scope, &s.row.User, &s.row.Org, &s.row.Course, &role)
	s.outcome, s.row.Role = Outcome(outcome), legacy.Role(role)
	return s, err
}

// loadPage is load for some of the rows of a scope: what stands for other people is not wanted, and may be very much.
func (m *mover) loadPage(ctx context.Context, tx *db.Tx, on side, records []Record) error {
	people, scopes := map[user.ID]bool{}, map[string]bool{}
	for _, r := range records {
		if r.Scope != "" {
			people[r.UserID], scopes[r.Scope] = true, true
		}
	}
	note := func(r *db.Row) error {
		s, err := scanStanding(r)
		if err == nil && people[s.row.User] && scopes[s.scope] {
			m.standing = append(m.standing, s)
		}
		return err
	}
	const few = 8
	if len(scopes) > few {
		return db.QueryIn(ctx, tx, standingRows+" AND scope IN (?...)", slices.Sorted(maps.Keys(scopes)), []any{string(on), true}, note)
	}
	for _, sc := range slices.Sorted(maps.Keys(scopes)) {
		err := db.QueryIn(ctx, tx, standingRows+" AND scope = ? AND user_id IN (?...)", slices.Sorted(maps.Keys(people)), []any{string(on), true, sc}, note)
		if err != nil {
			return err
		}
	}
	return nil
}

// close keeps each row as it was, and notes which details of earlier moves this one has undone. Where the sources are kept
// nothing was.
func (m *mover) close(ctx context.Context, tx *db.Tx) error {
	if !m.ask.Keep {
		type of struct {
			user  user.ID
			role  legacy.Role
			scope string
		}
		stays := map[of]bool{}
		for _, r := range m.out.Records {
			if r.Outcome == Left || r.Outcome == Error {
				stays[of{r.UserID, r.legacy.Role, r.Scope}] = true
			}
		}
		for _, s := range m.standing {
			if !stays[of{s.row.User, s.row.Role, s.scope}] {
				m.spent = append(m.spent, s.id)
			}
		}
		if _, err := db.ExecIn(ctx, tx, "UPDATE "+detailTable+" SET standing = ? WHERE id IN (?...)", m.spent, []any{false}); err != nil {
			return err
		}
	}
	if m.run == 0 {
		return nil
	}
	return m.save(ctx, tx)
}

// save writes the details of the run.
func (m *mover) save(ctx context.Context, tx *db.Tx) error {
	return saveDetails(ctx, tx, m.run, m.out.Records, !m.ask.Keep)
}

func saveDetails(ctx context.Context, tx *db.Tx, run int64, records []Record, stand bool) error {
	return tx.Insert(ctx, detailTable, []string{"run_id", "side", "standing", "outcome", "reason", "note", "user_id", "username", "legacy_role", "role",
		"scope", "row_id", "org", "course_id"}, len(records), func(i int, v []any) {
		r := &records[i]
		made := r.Outcome == Moved || r.Outcome == Merged || r.Outcome == Derived
		note := r.Note
		if r.Text != "" {
			note = r.Text
		}
		role := r.grant.Role
		v[0], v[1], v[2], v[3], v[4], v[5] = run, string(r.side), stand && made, string(r.Outcome), r.Reason, note
		v[6], v[7], v[8], v[9], v[10] = int64(r.UserID), r.User, string(r.legacy.Role), role, cut(r.Scope, 500)
		v[11], v[12], v[13] = r.Row, r.legacy.Org, r.legacy.Course
	})
}

// cut keeps what a column has room for.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// kept is a record as the database has it.
type kept struct {
	id int64
	Record
}

const detailColumns = "SELECT id, side, outcome, reason, note, user_id, username, legacy_role, role, scope, row_id, org, course_id FROM " + detailTable

func scanDetail(r *db.Row) (k kept, err error) {
	var on, outcome, role string
	rec := &k.Record
	if err := r.Scan(&k.id, &on, &outcome, &rec.Reason, &rec.Note, &rec.UserID, &rec.User, &role, &rec.grant.Role, &rec.Scope, &rec.Row,
		&rec.legacy.Org, &rec.legacy.Course); err != nil {
		return k, err
	}
	rec.side, rec.Outcome, rec.legacy.Role, rec.legacy.User = side(on), Outcome(outcome), legacy.Role(role), rec.UserID
	rec.grant.User, rec.grant.Scope = rec.User, rec.Scope
	rec.Role = role
	// What was derived, and goes or comes without a row at the source, is called as on its own side.
	own := rec.Outcome == Derived || rec.Outcome == Dropped && rec.Row == 0
	if (rec.side == authzSide) == own {
		rec.Role = rec.grant.Role
	}
	if rec.side == authzSide && rec.Outcome != Derived {
		rec.legacy.ID = rec.Row
	}
	if rec.Outcome == Error {
		rec.Text, rec.Note = rec.Note, ""
	}
	return k, nil
}

// details returns records of a run in their order, at most limit from behind the one of id after.
func details(ctx context.Context, q db.Querier, run, after int64, limit int) ([]kept, error) {
	return db.All(ctx, q, detailColumns+" WHERE run_id = ? AND id > ? ORDER BY id LIMIT ?", []any{run, after, limit}, scanDetail)
}

// Details returns what became of each row of a run, in the order of the rows, at most limit from behind the one of id after.
func Details(ctx context.Context, q db.Querier, run, after int64, limit int) (list []Record, last int64, err error) {
	all, err := details(ctx, q, run, after, limit)
	for _, k := range all {
		list, last = append(list, k.Record), k.id
	}
	return list, last, err
}
