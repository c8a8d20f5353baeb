package authz

import (
	"context"
	"encoding/json"
	"time"

	"github.com/openlectern/lectern/db"
)

const (
	auditTable = "openedx_authz_roleassignmentaudit"
	noteTable  = "lectern_authzaudit"
)

// operation is what a row of the audit says was done (authz.md §9).
type operation string

const (
	created operation = "created"
	deleted operation = "deleted"
)

const maxReason = 500

// standing is an assignment as it was or became, for who wants it back as it was.
type standing struct {
	Rules       []int64    `json:"rules"`             // ids in casbin_rule, several where it was there more than once
	Scope       *int64     `json:"scope,omitempty"`   // ids of the rows its extended row named
	Subject     *int64     `json:"subject,omitempty"` //
	Since       *time.Time `json:"since,omitempty"`
	Description *string    `json:"description,omitempty"`
	Metadata    *string    `json:"metadata,omitempty"` // the JSON text
}

// standingOf describes the equal rows of one rule.
func standingOf(rows []row) standing {
	var s standing
	for _, r := range rows {
		s.Rules = append(s.Rules, r.id)
		if e := r.ext; e != nil && s.Since == nil {
			since := e.created.UTC()
			s.Scope, s.Subject, s.Since, s.Description, s.Metadata = e.scope, e.subject, &since, e.description, e.metadata
		}
	}
	return s
}

// record writes the audit of rows, of which equal ones follow one another and are one assignment, and puts off what Open
// edX has no columns for beside it (db.Tx.Later).
func record(ctx context.Context, tx *db.Tx, op operation, rows []row, o Options) error {
	var groups [][]row
	for i, start := 0, 0; i < len(rows); i++ {
		if i+1 == len(rows) || rows[i+1].rule != rows[start].rule {
			groups = append(groups, rows[start:i+1])
			start = i + 1
		}
	}
	var actor *int64
	if o.Actor != 0 {
		id := int64(o.Actor)
		actor = &id
	}
	ids, err := tx.InsertIDs(ctx, auditTable, []string{"operation", "subject", "role", "scope", "actor_id", "timestamp"}, len(groups), func(i int, v []any) {
		r := groups[i][0].rule
		v[0], v[1], v[2], v[3], v[4], v[5] = string(op), r.subject, r.role, r.scope, actor, tx.Now()
	})
	if err != nil {
		return err
	}
	reason := []rune(o.Reason)
	reason = reason[:min(len(reason), maxReason)]
	var run *int64
	if o.Run != 0 {
		run = &o.Run
	}
	notes := make([][2]*string, len(groups))
	for i, g := range groups {
		text, err := json.Marshal(standingOf(g))
		if err != nil {
			return err
		}
		s := string(text)
		if op == created {
			notes[i][1] = &s
		} else {
			notes[i][0] = &s
		}
	}
	return tx.Later(nil, func() error {
		return tx.Insert(ctx, noteTable, []string{"audit_id", "reason", "run_id", "before_row", "after_row"}, len(groups), func(i int, v []any) {
			v[0], v[1], v[2], v[3], v[4] = ids[i], string(reason), run, notes[i][0], notes[i][1]
		})
	})
}
