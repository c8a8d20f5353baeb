package publishing

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/db"
)

// settle stores what moves that came to nothing leave behind: a Draft row without version where there was none, and the
// removal of records written before (content-model.md §5).
func (c *ChangeSet) settle(ctx context.Context) error {
	var bare []EntityID
	var back []*move
	for i := range c.moves {
		m := &c.moves[i]
		switch {
		case !m.pending || m.effective():
			continue
		case m.record != 0:
			back = append(back, m)
		case m.dropped:
		case !m.st.row:
			bare = append(bare, m.entity)
			m.st.row = true
		}
		m.pending = false
	}
	if len(bare) > 0 {
		if err := c.tx.Insert(ctx, "openedx_content_draft", []string{"entity_id", "version_id", "draft_log_record_id"}, len(bare),
			func(i int, v []any) { v[0], v[1], v[2] = bare[i], nil, nil }); err != nil {
			return fmt.Errorf("drafts: %w", err)
		}
	}
	if len(back) == 0 {
		return nil
	}
	entities := make([]EntityID, len(back))
	records := make([]RecordID, len(back))
	for i, m := range back {
		entities[i], records[i] = m.entity, m.record
	}
	// The draft goes back to the entity's remaining record with the greatest id, which an inner change set of the same
	// package may have made.
	remaining := map[EntityID]RecordID{}
	err := db.QueryIn(ctx, c.tx, `SELECT entity_id, MAX(id) FROM openedx_content_draftchangelogrecord
		WHERE draft_change_log_id <> ? AND entity_id IN (?...) GROUP BY entity_id`, entities, []any{c.log}, func(r *db.Row) error {
		var e, id int64
		err := r.Scan(&e, &id)
		remaining[EntityID(e)] = RecordID(id)
		return err
	})
	if err == nil {
		err = c.tx.UpdateRows(ctx, "openedx_content_draft", "entity_id", []string{"version_id", "draft_log_record_id"}, len(back),
			func(i int, v []any) {
				v[0], v[1], v[2] = back[i].entity, null(back[i].st.draft), null(remaining[back[i].entity])
			})
	}
	if err == nil {
		_, err = db.ExecIn(ctx, c.tx, `DELETE FROM openedx_content_draftchangelogrecord WHERE id IN (?...)`, records, nil)
	}
	if err != nil {
		return fmt.Errorf("cancelled draft changes: %w", err)
	}
	for _, m := range back {
		m.st.record, m.record = remaining[m.entity], 0
	}
	return nil
}

// write stores records and drafts of nodes, and notes in the states and moves what is stored.
func (c *ChangeSet) write(ctx context.Context, nodes []node) error {
	if len(nodes) == 0 {
		return nil
	}
	if err := c.begin(ctx); err != nil {
		return err
	}
	if err := drafts.store(ctx, c.tx, c.log, nodes); err != nil {
		return err
	}
	for i := range nodes {
		n := &nodes[i]
		if st := c.u.states[n.entity]; st != nil && n.aimed {
			st.record, st.row = n.record, true
		}
		if n.direct {
			m := &c.moves[c.places[n.entity]]
			m.record, m.pending = n.record, false
		}
	}
	return nil
}

// annotate stores what the log's own table has no room for.
func (c *ChangeSet) annotate(ctx context.Context) error {
	m := c.meta
	if (m.Kind == "" || m.Kind == KindOther) && m.Message == "" && m.Source == "" {
		return nil
	}
	if m.Kind == "" {
		m.Kind = KindOther
	}
	err := c.tx.Insert(ctx, "lectern_changelog", []string{"draft_change_log_id", "kind", "message", "source"}, 1, func(_ int, v []any) {
		v[0], v[1], v[2], v[3] = c.log, string(m.Kind), m.Message, m.Source
	})
	if err != nil {
		return fmt.Errorf("draft log: %w", err)
	}
	return nil
}
