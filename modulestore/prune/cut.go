package prune

import (
	"bufio"
	"container/heap"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// Cut notes that versions before a structure were pruned (PR-8). It lies in a collection of ours: the structure goes on naming a
// predecessor that is gone. While that one is there the note says nothing, so one may be written before the deletes and may be left
// behind by an undo.
type Cut struct {
	ID      modulestore.ID // the structure behind the gap
	Before  modulestore.ID // the one in front of it, zero where nothing older is left
	Removed int            // how many were between, by all plans together
	Plan    string         // digest of the last of them
}

func cutOf(d bson.Doc) Cut {
	n, _ := d.Lookup("removed").Int()
	return Cut{modulestore.IDOf(d.Lookup("_id")), modulestore.IDOf(d.Lookup("before")), int(n), d.Lookup("plan").String()}
}

// doc is the note as it is stored; a reader that knows nothing of it finds no course in it.
func (c Cut) doc() (bson.Doc, error) {
	d, err := driver.Marshal(driver.D{{Key: "_id", Value: driver.ObjectID(c.ID)}, {Key: "before", Value: orNull(c.Before)},
		{Key: "removed", Value: int64(c.Removed)}, {Key: "plan", Value: c.Plan}})
	return d, err
}

func orNull(id modulestore.ID) any {
	if id.IsZero() {
		return nil
	}
	return driver.ObjectID(id)
}

func idText(id modulestore.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

// readCuts lets the histories go on behind the gaps that earlier plans left.
func (p *planner) readCuts(ctx context.Context) (err error) {
	s := newSorter(byID)
	if err := p.db.Cuts(ctx, func(c Cut) error {
		return s.add(record{id: c.ID, previous: c.Before, size: uint32(c.Removed)})
	}); err != nil {
		return err
	}
	if p.cuts, err = s.finish(); err != nil {
		return err
	}
	return p.cuts.each(func(c *record) error {
		i, err := p.table.find(c.id)
		if err != nil || i < 0 {
			return err // pruned itself since
		}
		r, err := p.table.peek(i)
		if err != nil {
			return err
		}
		if at, err := p.table.find(r.previous); err != nil || at >= 0 || r.previous.IsZero() {
			return err // put back since
		}
		r.previous, r.noted = c.previous, true
		return p.table.poke(i, r)
	})
}

// open is a structure that stays, on the way to the one before it that stays too.
type open struct {
	id, next modulestore.ID
	removed  int  // so far
	now      bool // some of them by this plan
}

// opens is a heap, newest next first.
type opens []*open

func (o opens) Len() int           { return len(o) }
func (o opens) Less(i, j int) bool { return compareIDs(o[i].next, o[j].next) > 0 }
func (o opens) Swap(i, j int)      { o[i], o[j] = o[j], o[i] }
func (o *opens) Push(x any)        { *o = append(*o, x.(*open)) }
func (o *opens) Pop() any {
	old := *o
	last := old[len(old)-1]
	*o = old[:len(old)-1]
	return last
}

// cutter is one run of newCuts.
type cutter struct {
	*planner
	waiting opens
	out     *sorter
}

// newCuts returns where this plan cuts histories, ordered by id, once it is known what stays. It goes through all structures as
// walkHistories does.
func (p *planner) newCuts(ctx context.Context) (*table, error) {
	c := &cutter{planner: p, out: newSorter(byID)}
	for i := range p.current {
		p.current[i] = 0xff
	}
	for _, id := range sortedIDs(p.newer()) {
		if err := c.follow(&open{id: id, next: p.extra[id].Previous}); err != nil {
			return nil, err
		}
	}
	for i := p.table.n - 1; i >= 0; i-- {
		if i%4096 == 0 {
			p.Progress.tell("looking for gaps", p.table.n-i, p.table.n)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		r, err := p.table.record(i)
		if err != nil {
			return nil, err
		}
		now := *r
		p.current = now.id
		for len(c.waiting) > 0 && compareIDs(c.waiting[0].next, now.id) >= 0 {
			o := heap.Pop(&c.waiting).(*open)
			if o.next != now.id {
				continue // it is not there, and no note says what was: what would be noted is not known
			}
			if now.stays {
				if err := c.end(o); err != nil {
					return nil, err
				}
				continue
			}
			if err := c.pass(o, &now); err != nil {
				return nil, err
			}
			if err := c.follow(o); err != nil {
				return nil, err
			}
		}
		if now.stays {
			o := &open{id: now.id, next: now.previous}
			if now.noted {
				if o.removed, err = p.between(now.id); err != nil {
					return nil, err
				}
			}
			if err := c.follow(o); err != nil {
				return nil, err
			}
		}
	}
	return c.out.finish()
}

func (p *planner) newer() map[modulestore.ID]bool {
	ids := map[modulestore.ID]bool{}
	for id := range p.extra {
		ids[id] = true
	}
	return ids
}

// pass counts a structure that goes, and what was pruned before it.
func (c *cutter) pass(o *open, r *record) error {
	o.removed, o.now, o.next = o.removed+1, true, r.previous
	if !r.noted {
		return nil
	}
	n, err := c.between(r.id)
	o.removed += n
	return err
}

// follow waits for the next structure; one that was passed already is looked at at once, as in push.
func (c *cutter) follow(o *open) error {
	for seen := 0; ; seen++ {
		_, young := c.extra[o.next]
		switch {
		case young || o.next.IsZero():
			return c.end(o)
		case seen > c.table.n: // a circle
			return nil
		}
		if compareIDs(o.next, c.current) < 0 {
			heap.Push(&c.waiting, o)
			return nil
		}
		i, err := c.table.find(o.next)
		if err != nil || i < 0 {
			return err
		}
		r, err := c.table.peek(i)
		if err != nil {
			return err
		}
		if r.stays {
			return c.end(o)
		}
		if err := c.pass(o, &r); err != nil {
			return err
		}
	}
}

// end is told that next stays, or that there is none.
func (c *cutter) end(o *open) error {
	if !o.now {
		return nil
	}
	return c.out.add(record{id: o.id, previous: o.next, size: uint32(o.removed)})
}

// between returns how many earlier plans removed before a structure.
func (p *planner) between(id modulestore.ID) (int, error) {
	i, err := p.cuts.find(id)
	if err != nil || i < 0 {
		return 0, err
	}
	r, err := p.cuts.peek(i)
	return int(r.size), err
}

// cutLine is a line of an archive's cuts.jsonl: a note, and the one that it takes the place of.
type cutLine struct {
	ID      string   `json:"id"`
	Before  string   `json:"before"`
	Removed int      `json:"removed"`
	Was     *cutLine `json:"was,omitempty"`
	Plan    string   `json:"plan,omitempty"` // of was alone
}

const cutsName = "cuts.jsonl"

// cutsAtOnce is how many notes are read and written together.
const cutsAtOnce = 1000

func lineOf(c Cut) cutLine {
	return cutLine{ID: idText(c.ID), Before: idText(c.Before), Removed: c.Removed}
}

func (l *cutLine) cut(plan string) (c Cut, err error) {
	c.Removed, c.Plan = l.Removed, plan
	if c.ID, err = parseID(l.ID); err == nil && l.Before != "" {
		c.Before, err = parseID(l.Before)
	}
	return c, err
}

// note writes the notes of a plan, first into the archive with those that they replace, then into the database. It may be run again.
func (w *worker) note(ctx context.Context) error {
	if w.plan.Cuts == 0 {
		return nil
	}
	if !w.store.noted {
		if err := w.store.putCuts(func(put func([]cutLine) error) error {
			var some []cutLine
			flush := func() error {
				present, err := presentCuts(ctx, w.db, some)
				if err != nil {
					return err
				}
				for i := range some {
					if c, there := present[some[i].ID]; there {
						was := lineOf(c)
						was.Plan, some[i].Was = c.Plan, &was
					}
				}
				err = put(some)
				some = some[:0]
				return err
			}
			err := w.plan.readCuts(func(c Cut) error {
				if some = append(some, lineOf(c)); len(some) < cutsAtOnce {
					return nil
				}
				return flush()
			})
			if err != nil {
				return err
			}
			return flush()
		}); err != nil {
			return err
		}
		if err := w.store.write(line{Note: "cuts"}); err != nil {
			return err
		}
		w.store.noted = true
	}
	return w.store.eachCuts(func(some []cutLine) error {
		present, err := presentCuts(ctx, w.db, some)
		if err != nil {
			return err
		}
		var docs []bson.Doc
		var old []modulestore.ID
		for i := range some {
			c, err := some[i].cut(w.plan.SHA256)
			if err != nil {
				return err
			}
			is, there := present[some[i].ID]
			if there && is == c {
				continue
			}
			if there {
				old = append(old, c.ID)
			}
			d, err := c.doc()
			if err != nil {
				return err
			}
			docs = append(docs, d)
		}
		return replaceCuts(ctx, w.db, old, docs)
	})
}

// unnote puts back the notes of before a plan, those of histories with these originals, of all for nil. What another plan wrote since
// stays.
func unnote(ctx context.Context, db Database, a *archive, originals map[modulestore.ID]bool) error {
	if !a.noted {
		return nil
	}
	return a.eachCuts(func(some []cutLine) error {
		present, err := presentCuts(ctx, db, some)
		if err != nil {
			return err
		}
		wanted := map[modulestore.ID]bool{}
		if originals != nil {
			ids, err := idsOf(some)
			if err != nil {
				return err
			}
			if err := db.Headers(ctx, ids, func(h Header) error {
				wanted[h.ID] = originals[h.Original]
				return nil
			}); err != nil {
				return err
			}
		}
		var docs []bson.Doc
		var old []modulestore.ID
		for i := range some {
			l := &some[i]
			c, err := l.cut("")
			if err != nil {
				return err
			}
			is, there := present[l.ID]
			if originals != nil && !wanted[c.ID] || there && is.Plan != a.head.Plan {
				continue
			}
			if there {
				old = append(old, c.ID)
			}
			if l.Was == nil {
				continue
			}
			if c, err = l.Was.cut(l.Was.Plan); err != nil {
				return err
			}
			d, err := c.doc()
			if err != nil {
				return err
			}
			docs = append(docs, d)
		}
		return replaceCuts(ctx, db, old, docs)
	})
}

// settle takes the notes back of histories of which something stayed against the plan: they would pass over it. Their gaps are found
// by the next plan without a note.
func (w *worker) settle(ctx context.Context, items func(func(string, item) error) error) error {
	left := 0
	for _, b := range w.store.batches {
		left += b.Left + b.PutBack
	}
	if left == 0 || !w.store.noted {
		return nil
	}
	originals, ids := map[modulestore.ID]bool{}, map[modulestore.ID]bool{}
	look := func() error {
		err := w.db.Headers(ctx, ids, func(h Header) error {
			originals[h.Original] = true
			return nil
		})
		clear(ids)
		return err
	}
	err := items(func(collection string, it item) error {
		if collection != modulestore.CollectionStructures {
			return nil
		}
		if ids[it.id] = true; len(ids) < maxBatch {
			return nil
		}
		return look()
	})
	if err != nil {
		return err
	}
	if err := look(); err != nil {
		return err
	}
	return unnote(ctx, w.db, w.store, originals)
}

func idsOf(some []cutLine) (map[modulestore.ID]bool, error) {
	ids := make(map[modulestore.ID]bool, len(some))
	for i := range some {
		id, err := parseID(some[i].ID)
		if err != nil {
			return nil, err
		}
		ids[id] = true
	}
	return ids, nil
}

func presentCuts(ctx context.Context, db Database, some []cutLine) (map[string]Cut, error) {
	ids, err := idsOf(some)
	if err != nil {
		return nil, err
	}
	present := make(map[string]Cut, len(some))
	err = db.Documents(ctx, modulestore.CollectionCuts, ids, func(d bson.Doc) error {
		c := cutOf(d)
		present[c.ID.String()] = c
		return nil
	})
	return present, err
}

func replaceCuts(ctx context.Context, db Database, old []modulestore.ID, docs []bson.Doc) error {
	if _, err := db.Delete(ctx, modulestore.CollectionCuts, old); err != nil {
		return err
	}
	_, err := db.Insert(ctx, modulestore.CollectionCuts, docs)
	return err
}

// putCuts writes the file of notes and waits until it is on the disk.
func (a *archive) putCuts(fill func(put func([]cutLine) error) error) (err error) {
	path := filepath.Join(a.dir, cutsName)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	err = fill(func(some []cutLine) error {
		for i := range some {
			if err := enc.Encode(&some[i]); err != nil {
				return fault.Errorf(fault.Unavailable, path, "%w", err).WithNext("make room and run it again: it goes on")
			}
		}
		return nil
	})
	return errors.Join(err, w.Flush(), f.Sync(), f.Close(), syncFolder(a.dir))
}

// eachCuts reads the file of notes, some at a time.
func (a *archive) eachCuts(fn func(some []cutLine) error) error {
	path := filepath.Join(a.dir, cutsName)
	f, err := os.Open(path)
	if err != nil {
		return fault.Errorf(fault.Unavailable, path, "%w", err).WithNext("take the archive from a backup")
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing is lost when closing fails
	dec := json.NewDecoder(bufio.NewReader(f))
	var some []cutLine
	for {
		var l cutLine
		err := dec.Decode(&l)
		if err != nil && !errors.Is(err, io.EOF) {
			return fault.Errorf(fault.Invalid, path, "%w", err).WithNext("take the archive from a backup")
		}
		if err == nil {
			some = append(some, l)
		}
		if len(some) == cutsAtOnce || err != nil && len(some) > 0 {
			if err := fn(some); err != nil {
				return err
			}
			some = some[:0]
		}
		if err != nil {
			return nil
		}
	}
}
