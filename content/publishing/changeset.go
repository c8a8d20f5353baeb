package publishing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/db"
)

// Meta says when, by whom and why drafts were changed. At is the transaction's clock when zero.
type Meta struct {
	At      time.Time
	By      UserID
	Kind    Kind
	Message string // at most 500 characters
	Source  string // where the change came from, at most 500 characters
}

// ChangeSet is one draft change log being made: what the reference calls a bulk draft context (content-model.md §6),
// carried as a value. It is valid inside the function given to [Change] only.
type ChangeSet struct {
	tx     *db.Tx
	u      *unit
	pkg    PackageID
	meta   Meta
	log    int64 // the row of the log, 0 until it is needed
	uuid   uuid.UUID
	moves  []move           // in the order of first touch
	places map[EntityID]int // of an entity in moves
	nested bool             // another change set of the package was opened inside
	closed bool
}

// move is what a change set did to the draft of one entity so far.
type move struct {
	entity  EntityID
	st      *state
	old     VersionID // before the change set touched it
	new     VersionID // where the change set put it last; an inner change set may have moved it on
	before  RecordID  // that the draft pointed to then
	record  RecordID  // the stored record of this log, 0 when there is none
	pending bool      // differs from what is stored
	dropped bool      // moved back and then touched again: a later move stands for the entity
}

// effective reports whether the move leaves a record.
func (m *move) effective() bool { return !m.dropped && m.new != m.old }

// node describes the move for the log.
func (m *move) node() node {
	return node{
		entity: m.entity, old: m.old, new: m.new, now: m.st.draft, direct: true,
		row: m.st.row, record: m.record, stored: !m.pending, aimed: m.record != 0 && m.st.record == m.record,
	}
}

// Change runs fn with a change set of the package and then writes one log with a record for every entity whose draft
// is another than before, and for everything that depends on one (content-model.md §5-§8). It returns nil and leaves
// no log when nothing changed. The package is locked first.
//
// A Change inside another's fn has a log of its own, whatever the package; the inner ends first. A dependency cycle
// among drafts at the end is fault.Invalid.
func Change(ctx context.Context, tx *db.Tx, pkg PackageID, m Meta, fn func(*ChangeSet) error) (*ChangeLog, error) {
	if err := checkMeta(m.Message, m.Source); err != nil {
		return nil, err
	}
	if err := Lock(ctx, tx, pkg); err != nil {
		return nil, err
	}
	m.At = moment(tx, m.At)
	u := unitOf(tx)
	// An outer log begins before an inner one, and what it did is visible inside.
	for _, outer := range u.open {
		outer.nested = outer.nested || outer.pkg == pkg
		if err := outer.begin(ctx); err != nil {
			return nil, err
		}
		if err := outer.flush(ctx); err != nil {
			return nil, err
		}
	}
	c := &ChangeSet{tx: tx, u: u, pkg: pkg, meta: m, places: map[EntityID]int{}}
	depth := len(u.open)
	u.open = append(u.open, c)
	defer func() {
		u.open = u.open[:depth]
		c.closed = true
	}()
	if err := fn(c); err != nil {
		return nil, err
	}
	for _, outer := range u.open[:depth] {
		if err := outer.flush(ctx); err != nil {
			return nil, err
		}
	}
	return c.finish(ctx)
}

// Tx returns the transaction of the change set.
func (c *ChangeSet) Tx() *db.Tx { return c.tx }

// Package returns the package whose drafts are changed.
func (c *ChangeSet) Package() PackageID { return c.pkg }

// At returns the time of the log, which is also that of new versions.
func (c *ChangeSet) At() time.Time { return c.meta.At }

// By returns the user of the log, who also makes the new versions.
func (c *ChangeSet) By() UserID { return c.meta.By }

var errClosed = errors.New("publishing: the change set is closed")

// touch moves the draft of an entity whose state is known.
func (c *ChangeSet) touch(e EntityID, st *state, v VersionID) {
	if st.draft == v && st.row {
		return
	}
	i, ok := c.places[e]
	before := st.record
	if ok && !c.moves[i].effective() && v != c.moves[i].old {
		// Its record was cancelled; a new one comes after those made meanwhile (content-model.md §5).
		c.moves[i].dropped = true
		before = c.moves[i].before
		ok = false
	}
	if !ok {
		i = len(c.moves)
		c.places[e] = i
		c.moves = append(c.moves, move{entity: e, st: st, old: st.draft, before: before})
	}
	st.draft = v
	c.moves[i].new = v
	c.moves[i].pending = true
}

// begin writes the row of the log.
func (c *ChangeSet) begin(ctx context.Context) error {
	if c.log != 0 {
		return nil
	}
	c.uuid = uuids(1)[0]
	ids, err := c.tx.InsertIDs(ctx, "openedx_content_draftchangelog",
		[]string{"uuid", "changed_at", "changed_by_id", "learning_package_id"}, 1, func(_ int, v []any) {
			v[0], v[1], v[2], v[3] = c.uuid, c.meta.At, null(c.meta.By), c.pkg
		})
	if err != nil {
		return fmt.Errorf("draft log: %w", err)
	}
	c.log = ids[0]
	return nil
}

// Flush writes the pointers moved so far, so that reads in the same transaction see them. Side effects and digests
// still wait for the end of the change set.
func (c *ChangeSet) Flush(ctx context.Context) error {
	if c.closed {
		return errClosed
	}
	return c.flush(ctx)
}

func (c *ChangeSet) flush(ctx context.Context) error {
	var nodes []node
	for i := range c.moves {
		if m := &c.moves[i]; m.pending && m.effective() {
			nodes = append(nodes, m.node())
		}
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	return c.write(ctx, nodes)
}

// finish computes side effects and digests, writes what is not written yet and closes the log.
func (c *ChangeSet) finish(ctx context.Context) (*ChangeLog, error) {
	if err := c.settle(ctx); err != nil {
		return nil, err
	}
	g := newGraph(&drafts, len(c.moves))
	for i := range c.moves {
		if m := &c.moves[i]; m.effective() {
			n := m.node()
			n.deps, n.depsKnown = c.u.depsOf(n.now)
			n.apart = m.st.fresh && !m.st.other && !c.nested && (m.st.namer == nil || m.st.namer == c)
			n.restored = m.old == 0 && m.new != 0 && m.before != 0
			g.add(n)
		}
	}
	if len(g.nodes) == 0 {
		if c.log != 0 {
			if _, err := c.tx.Exec(ctx, `DELETE FROM openedx_content_draftchangelog WHERE id = ?`, c.log); err != nil {
				return nil, fmt.Errorf("draft log: %w", err)
			}
		}
		return nil, nil
	}
	if err := g.solve(ctx, c.tx); err != nil {
		return nil, err
	}
	if err := c.write(ctx, g.nodes); err != nil {
		return nil, err
	}
	if err := g.writeEdges(ctx, c.tx); err != nil {
		return nil, err
	}
	if err := c.annotate(ctx); err != nil {
		return nil, err
	}
	if err := c.u.tell(ctx, c.tx, outbox.DraftsChanged, c.pkg, c.meta.At, c.meta.By, c.log); err != nil {
		return nil, err
	}
	l := &ChangeLog{ID: c.log, UUID: c.uuid, Package: c.pkg, At: c.meta.At, By: c.meta.By}
	l.Records, l.SideEffects = g.report()
	return l, nil
}

func checkMeta(message, source string) error {
	if err := checkText("message", message, maxTitle); err != nil {
		return err
	}
	return checkText("source", source, maxRef)
}

// unique returns the sorted distinct ids of list.
func unique[T ~int64](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
