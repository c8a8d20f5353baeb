package authz

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

// Entry is one row of the audit: a grant that was made or taken back (authz.md §9).
type Entry struct {
	ID      int64
	Created bool // made; else taken back
	Grant   Grant
	Actor   user.ID // 0: nobody, or not known
	At      time.Time
	// What Lectern keeps besides; empty for what Python wrote.
	Reason        string
	Run           int64           // the run of a move of roles, 0 for none
	Before, After json.RawMessage // the assignment as it was, or became; null where there was none
}

// AuditFilter says which entries are asked for. Empty fields are no condition.
type AuditFilter struct {
	User, Role, Scope string    // external keys, compared by bytes
	Since             time.Time // entries of this moment and later
	Run               int64
	Limit             int   // at most so many, 0 for 1,000
	Older             int64 // only entries behind the one of this id in the order of the answer, for paging
}

const defaultEntries = 1000

// Audit returns entries, newest first.
func Audit(ctx context.Context, q db.Querier, f AuditFilter) ([]Entry, error) {
	where, args := []string{"1 = 1"}, []any{}
	exactly := func(column, value string) {
		where, args = append(where, column+" = ?"), append(args, value) // by the index
		if q.Engine().MySQLFamily() {                                   // and by letter case
			where, args = append(where, "CAST("+column+" AS BINARY) = CAST(? AS BINARY)"), append(args, value)
		}
	}
	if f.User != "" {
		exactly("a.subject", userPrefix+f.User)
	}
	if f.Role != "" {
		exactly("a.role", rolePrefix+f.Role)
	}
	if f.Scope != "" {
		namespace, _, _ := strings.Cut(f.Scope, ":")
		exactly("a.scope", namespace+"^"+f.Scope)
	}
	if !f.Since.IsZero() {
		where, args = append(where, "a.timestamp >= ?"), append(args, f.Since)
	}
	if f.Run != 0 {
		where, args = append(where, "n.run_id = ?"), append(args, f.Run)
	}
	if f.Older != 0 {
		at, found, err := db.One(ctx, q, "SELECT timestamp FROM "+auditTable+" WHERE id = ?", []any{f.Older}, db.Value[time.Time])
		if err != nil || !found {
			return []Entry{}, err
		}
		where, args = append(where, "(a.timestamp < ? OR (a.timestamp = ? AND a.id < ?))"), append(args, at, at, f.Older)
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultEntries
	}
	entries, err := db.All(ctx, q, "SELECT a.id, a.operation, a.subject, a.role, a.scope, a.actor_id, a.timestamp, n.reason, n.run_id, n.before_row, n.after_row FROM "+
		auditTable+" a LEFT JOIN "+noteTable+" n ON n.audit_id = a.id WHERE "+strings.Join(where, " AND ")+
		" ORDER BY a.timestamp DESC, a.id DESC LIMIT ?", append(args, limit), scanEntry)
	if entries == nil {
		entries = []Entry{}
	}
	return entries, err
}

func scanEntry(r *db.Row) (Entry, error) {
	var e Entry
	var op string
	var of rule
	var actor, run *int64
	var reason, before, after *string
	if err := r.Scan(&e.ID, &op, &of.subject, &of.role, &of.scope, &actor, &e.At, &reason, &run, &before, &after); err != nil {
		return Entry{}, err
	}
	e.Created, e.Grant = op == string(created), of.grant()
	if actor != nil {
		e.Actor = user.ID(*actor)
	}
	if run != nil {
		e.Run = *run
	}
	if reason != nil {
		e.Reason = *reason
	}
	for _, x := range []struct {
		to   *json.RawMessage
		from *string
	}{{&e.Before, before}, {&e.After, after}} {
		if x.from != nil {
			*x.to = json.RawMessage(*x.from)
		}
	}
	return e, nil
}
