package roleshift

import (
	"context"
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

// load reads what stands on the source's side, in the scopes of records: those of an organization by one range of the index,
// as long lists of texts cost some servers seconds.
func (m *mover) load(ctx context.Context, tx *db.Tx, on side, records []Record) error {
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
		var s standing
		var outcome, role string
		if err := r.Scan(&s.id, &outcome, &s.role, &s.scope, &s.row.User, &s.row.Org, &s.row.Course, &role); err != nil {
			return err
		}
		if met[s.scope] {
			s.outcome, s.row.Role = Outcome(outcome), legacy.Role(role)
			m.standing = append(m.standing, s)
		}
		return nil
	}
	const query = "SELECT id, outcome, role, scope, user_id, org, course_id, legacy_role FROM " + detailTable + " WHERE side = ? AND standing = ? AND scope "
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

// Details returns what became of each row of a run, in the order of the rows, at most limit from behind the one of id after.
func Details(ctx context.Context, q db.Querier, run, after int64, limit int) (list []Record, last int64, err error) {
	list, err = db.All(ctx, q, "SELECT id, side, outcome, reason, note, user_id, username, legacy_role, role, scope, row_id, org, course_id FROM "+detailTable+
		" WHERE run_id = ? AND id > ? ORDER BY id LIMIT ?", []any{run, after, limit}, func(r *db.Row) (rec Record, err error) {
		var on, outcome, role string
		if err := r.Scan(&last, &on, &outcome, &rec.Reason, &rec.Note, &rec.UserID, &rec.User, &role, &rec.grant.Role, &rec.Scope, &rec.Row,
			&rec.legacy.Org, &rec.legacy.Course); err != nil {
			return rec, err
		}
		rec.side, rec.Outcome, rec.legacy.Role, rec.legacy.User = side(on), Outcome(outcome), legacy.Role(role), rec.UserID
		rec.Role = role
		if rec.side == legacySide && rec.Outcome != Derived || rec.side == authzSide && rec.Outcome == Derived {
			rec.Role = rec.grant.Role
		}
		if rec.Outcome == Error {
			rec.Text, rec.Note = rec.Note, ""
		}
		return rec, nil
	})
	return list, last, err
}
