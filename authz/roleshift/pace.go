package roleshift

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/lease"
)

const paceTable = "lectern_authzshift"

// step is what a run in batches is at. A run that died is taken up at its step.
type step string

const (
	stepCopy  step = "copy"  // targets are made; the sources count
	stepTurn  step = "turn"  // all are made; what has changed meanwhile is caught up, and the flag turned
	stepClean step = "clean" // the targets count; sources are deleted
	stepSpend step = "spend" // what earlier runs have kept for giving back is marked as given
	stepUndo  step = "undo"  // it is given up before the turn: targets are deleted
)

// pace is the row that says how far a run is.
type pace struct {
	step    step
	attempt int64     // how often it was taken up
	after   int64     // the source row, or in later steps the record, up to which the step is done
	copied  int64     // the last record that the copy made: these are in the order of their source rows
	done    int64     // rows
	total   int64     // rows, about
	version uuid.UUID // of the policy, as the run last saw it
	dirty   bool      // others have changed assignments of the scope, so that it has to be looked at whether all targets are there
}

func readPace(ctx context.Context, q db.Querier, run int64) (p pace, found bool, err error) {
	return db.One(ctx, q, "SELECT step, attempt, after_id, copied, done, total, version, dirty FROM "+paceTable+" WHERE run_id = ?", []any{run}, func(r *db.Row) (p pace, err error) {
		var at string
		err = r.Scan(&at, &p.attempt, &p.after, &p.copied, &p.done, &p.total, &p.version, &p.dirty)
		p.step = step(at)
		return p, err
	})
}

// write keeps the pace, if the run was not taken up by another since; ok tells.
func (p pace) write(ctx context.Context, tx *db.Tx, run, attempt int64) (ok bool, err error) {
	n, err := tx.Exec(ctx, "UPDATE "+paceTable+" SET step = ?, attempt = ?, after_id = ?, copied = ?, done = ?, total = ?, version = ?, dirty = ? WHERE run_id = ? AND attempt = ?",
		string(p.step), p.attempt, p.after, p.copied, p.done, p.total, p.version, p.dirty, run, attempt)
	return n > 0, err
}

// insert begins a run: the database refuses a second one at its scope (authz-migration.md §14, M-41). A row of one that was closed
// behind its back is no more.
func (p pace) insert(ctx context.Context, tx *db.Tx, run *Run) error {
	scope := run.Kind + ":" + strings.ToLower(run.Key)
	if _, err := tx.Exec(ctx, "DELETE FROM "+paceTable+" WHERE scope = ? AND NOT EXISTS (SELECT 1 FROM "+runTable+" r WHERE r.id = run_id AND r.status = ?)",
		scope, string(Running)); err != nil {
		return err
	}
	err := tx.Insert(ctx, paceTable, []string{"run_id", "scope", "step", "attempt", "after_id", "copied", "done", "total", "version", "dirty"}, 1, func(_ int, v []any) {
		v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9] = run.ID, scope, string(p.step), p.attempt, p.after, p.copied, p.done, p.total, p.version, p.dirty
	})
	return db.Raced(err)
}

// Turn is the change of the flag that a run in batches makes when all is copied.
type Turn struct {
	Course string `json:"course,omitempty"` // or
	Org    string `json:"org,omitempty"`
	On     bool   `json:"on,omitempty"`
	Drop   bool   `json:"drop,omitempty"`
	By     int64  `json:"by,omitempty"`
	Note   string `json:"note,omitempty"`
}

// TurnOf returns the change of a scope's flag.
func TurnOf(s flags.Scope, c flags.Change) *Turn {
	return &Turn{Course: s.Course(), Org: s.Org(), On: c.On, Drop: c.Drop, By: c.By, Note: c.Note}
}

func (t *Turn) change() flags.Change {
	return flags.Change{On: t.On, Drop: t.Drop, By: t.By, Note: t.Note}
}

// Scope returns the scope of the flag that an ask is about.
func (a Ask) Scope() (flags.Scope, error) {
	if a.Org != "" {
		return flags.ForOrg(a.Org)
	}
	key, err := keys.ParseCourse(a.Courses[0])
	if err != nil {
		return flags.Scope{}, err
	}
	return flags.ForCourse(key)
}

// ofOrg returns the organization whose roles the ask touches, that of its course for a course.
func (a Ask) ofOrg() string {
	if a.Org != "" {
		return a.Org
	}
	return legacy.OrgOf(a.Courses[0])
}

// leaseName is the lease of whoever works at an organization in batches: its runs and those of its courses follow one another
// (M-42). Letter case does not tell organizations apart, as it does not for some databases.
func leaseName(org string) string {
	const prefix, most = "authz shift ", 200
	org = strings.ToLower(org)
	if utf8.RuneCountInString(org) > most {
		h := fnv.New64a()
		_, _ = h.Write([]byte(org)) // it never fails
		org = fmt.Sprintf("%s#%x", string([]rune(org)[:most]), h.Sum64())
	}
	return prefix + org
}

// abandoned reports whether a run that is said to work is one in batches that nobody works at.
func abandoned(ctx context.Context, q db.Querier, run int64, ask Ask, holding bool) (bool, error) {
	_, found, err := readPace(ctx, q, run)
	if err != nil || !found || holding {
		return found, err
	}
	h, err := lease.Held(ctx, q, leaseName(ask.ofOrg()))
	return h == nil, err
}
