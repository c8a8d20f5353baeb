package roleshift

import (
	"context"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/slug"
)

// source is a row to move: of legacy rows or of assignments, by the direction.
type source struct {
	row  legacy.Row
	held authz.Held
}

func (s source) id() int64 { return s.row.ID + s.held.ID } // one of the two is 0

// sources reads rows of the ask's scope from behind after, by id.
func sources(ctx context.Context, q db.Querier, a Ask, after int64, limit int) (list []source, last int64, more bool, err error) {
	if a.Direction == Rollback {
		held, last, more, err := authz.CoursePage(ctx, q, a.Org, a.course(), after, limit)
		for _, h := range held {
			list = append(list, source{held: h})
		}
		return list, last, more, err
	}
	rows, last, more, err := legacy.Page(ctx, q, a.selection(), after, limit)
	for _, r := range rows {
		list = append(list, source{row: r})
	}
	return list, last, more, err
}

// waits reports whether a source must not be copied before the turn, as its copy would count at once: a role in the whole
// organization, which holds in courses on the other side too, and one in a course that is there already.
func (s source) waits(a Ask, early map[string]bool, fold bool) bool {
	if a.Org == "" {
		return false
	}
	key, wide := s.row.Course, s.row.Course == "" && s.row.Org != ""
	if a.Direction == Rollback {
		_, ok := course(s.held.Scope)
		key, wide = s.held.Scope, !ok
	}
	if fold && len(early) > 0 {
		key = slug.Fold(key)
	}
	return wide || early[key]
}

// place makes targets of sources, and notes what becomes of each. wide are roles in organizations of which others are derived.
func (m *mover) place(ctx context.Context, tx *db.Tx, list []source) (wide []Record, err error) {
	if m.ask.Direction == Rollback {
		held := make([]authz.Held, len(list))
		for i, s := range list {
			held[i] = s.held
		}
		return m.backHeld(ctx, tx, held)
	}
	rows := make([]legacy.Row, len(list))
	for i, s := range list {
		rows[i] = s.row
	}
	return m.forwardRows(ctx, tx, rows)
}

// copy makes targets of one batch. The last batch ends the step.
func (w *Worker) copy(ctx context.Context) error {
	var last int64
	var more bool
	var n int
	copied := int64(0)
	return w.step(ctx, func(tx *db.Tx, s *stepping) error {
		if err := w.measure(ctx, tx); err != nil {
			return err
		}
		ask, early, err := w.now(ctx, tx)
		if err != nil {
			return err
		}
		var list, now []source
		if list, last, more, err = sources(ctx, tx, ask, w.pace.after, w.o.Rows); err != nil {
			return err
		}
		fold := tx.Engine().MySQLFamily()
		for _, src := range list {
			if !src.waits(ask, early, fold) {
				now = append(now, src)
			}
		}
		n = len(list)
		m := newMover(tx, ask, w.run.ID)
		m.paged = true
		if _, err := m.place(ctx, tx, now); err != nil {
			return err
		}
		s.took(m)
		if err := m.save(ctx, tx); err != nil {
			return err
		}
		if !more {
			copied, err = maxRecord(ctx, tx, w.run.ID)
		}
		return err
	}, func(p *pace) {
		p.after, p.done = last, p.done+int64(n)
		if !more {
			p.step, p.after, p.copied = stepTurn, 0, copied
		}
	})
}

func maxRecord(ctx context.Context, q db.Querier, run int64) (int64, error) {
	id, _, err := db.One(ctx, q, "SELECT id FROM "+detailTable+" WHERE run_id = ? ORDER BY id DESC LIMIT 1", []any{run}, db.Value[int64])
	return id, err
}

// measure has PostgreSQL count rows when a step begins, and each time that they have become twice as many: one that thinks a
// table is small reads it from end to end for each batch.
func (w *Worker) measure(ctx context.Context, tx *db.Tx) error {
	batch := w.pace.done / int64(w.o.Rows)
	if tx.Engine() != db.PostgreSQL || batch&(batch-1) != 0 {
		return nil
	}
	if err := authz.Measure(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "ANALYZE "+detailTable)
	return err
}
