package prune

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// ApplyOptions say how to carry out a plan.
type ApplyOptions struct {
	Archive    string        // the folder for what is deleted
	Restorable time.Duration // how long undo works
	By         string        // who does it
	Batch      int           // documents in a batch, 0 means 200
	Rate       int64         // bytes in a second, 0 means any
	Registry   Registry      // the database of the LMS, of a plan that was made with one
	// SignedBy are the keys of which one must have signed the plan; none means that any plan may be applied.
	SignedBy []ed25519.PublicKey
	// Pause, if not nil, is asked before each batch and returns when work may go on.
	Pause    func(ctx context.Context) error
	Progress Progress
	Now      func() time.Time
	// Sleep is how to rest between batches, nil means by the clock.
	Sleep func(ctx context.Context, d time.Duration) error
}

const (
	defaultBatch = 200
	maxBatch     = 1000
)

// Result is what applying did, over all runs of it.
type Result struct {
	Courses     []Applied         `json:"courses"`
	Remove      int               `json:"remove"` // structures
	Definitions int               `json:"definitions"`
	Bytes       int64             `json:"bytes"` // of the documents that went
	Left        int               `json:"left"`  // documents that were needed by then, or whose course had moved
	PutBack     int               `json:"put_back"`
	Relinked    int               `json:"relinked"` // by a plan of the reference tool
	Skipped     []string          `json:"skipped"`  // courses that moved since the plan
	Until       time.Time         `json:"restorable_until"`
	Before      map[string]Weight `json:"before"`
	After       map[string]Weight `json:"after"`
}

// Applied is what happened to one course.
type Applied struct {
	Key         string `json:"key"`
	Remove      int    `json:"remove"`
	BytesBefore int64  `json:"bytes_before"`
	BytesAfter  int64  `json:"bytes_after"`
}

// worker is one run of Apply.
type worker struct {
	ApplyOptions
	db    Database
	plan  *Plan
	watch *watch
	store *archive
	claim *claim
	pace  pace
	n     int // of the batch
	total int
	did   int
}

// Apply carries out a plan in batches: what goes is copied into the archive, the heads are looked at, it is deleted, and the
// heads are looked at again; what became needed in between is put back. A course whose heads are not those of the plan is
// skipped. Killed at any moment it is run again with the same archive, and goes on. One archive works on a database at a time; another
// one is fault.Conflict.
func Apply(ctx context.Context, db Database, p *Plan, o ApplyOptions) (r *Result, err error) {
	if p.Database != db.Name() {
		return nil, fault.Errorf(fault.Refused, p.path, "the plan is of %s, this is %s", p.Database, db.Name()).WithNext("give the database that the plan was made of")
	}
	if p.Registry != "" && (o.Registry == nil || o.Registry.Name() != p.Registry) {
		return nil, fault.Errorf(fault.Refused, p.path, "the plan was made with the LMS's database %s, which has to be asked again", p.Registry).WithNext("add --lms with the address of that database")
	}
	if err := p.CheckSigner(o.SignedBy); err != nil {
		return nil, err
	}
	return carryOut(ctx, db, p, nil, p.read, o)
}

// ApplyCompat carries out a plan of the reference tool as that does: first the new predecessors, then the deletes. But
// everything that a head leads to by then stays, and all of it goes into an archive.
func ApplyCompat(ctx context.Context, db Database, c *CompatPlan, o ApplyOptions) (*Result, error) {
	text, err := c.Text()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	p := &Plan{Database: db.Name(), SHA256: hex.EncodeToString(sum[:]), Remove: len(c.Delete)}
	return carryOut(ctx, db, p, c.UpdateParents, func(each func(string, item) error) error {
		for _, text := range c.Delete {
			id, err := parseID(text)
			if err == nil {
				err = each(modulestore.CollectionStructures, item{-1, id})
			}
			if err != nil {
				return err
			}
		}
		return nil
	}, o)
}

func carryOut(ctx context.Context, db Database, p *Plan, parents [][2]string, items func(func(string, item) error) error, o ApplyOptions) (r *Result, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Batch == 0 {
		o.Batch = defaultBatch
	}
	o.Batch = min(o.Batch, maxBatch)
	now := o.Now().UTC()
	w := &worker{ApplyOptions: o, db: db, plan: p, pace: pace{rate: o.Rate, sleep: o.Sleep}, total: p.Remove + p.Definitions.Remove}
	if w.watch, err = newWatch(db, p, o); err != nil {
		return nil, err
	}
	w.store, err = openArchive(o.Archive, headLine{p.SHA256, db.Name(), o.By, now, now.Add(o.Restorable), o.Batch, newHolder()})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.store.close()) }()
	if ctx, w.claim, err = claimed(ctx, db, w.store.head, o.By); err != nil {
		return nil, err
	}
	defer func() { err = w.claim.end(ctx, err) }()
	if p.path != "" && !w.store.done {
		if p, err = w.store.keepPlan(p); err != nil {
			return nil, err
		}
		w.plan, items = p, p.read
	}
	w.Batch = w.store.head.Size // batches are cut as they were before
	what := "apply plan " + p.SHA256
	if p.SignedBy != "" {
		what += " signed by " + p.SignedBy
	}
	if err := w.store.audit(o.By, what, now); err != nil {
		return nil, err
	}
	r = &Result{Until: w.store.head.Until}
	if r.Before, err = db.Weigh(ctx); err != nil {
		return nil, err
	}
	if !w.store.done {
		if err := w.relink(ctx, parents); err != nil {
			return nil, err
		}
		if err := w.note(ctx); err != nil {
			return nil, err
		}
		if err := w.work(ctx, items); err != nil {
			return nil, err
		}
		if err := w.settle(ctx, items); err != nil {
			return nil, err
		}
		if err := w.store.write(line{Note: "done", At: o.Now().UTC()}); err != nil {
			return nil, err
		}
	}
	if r.After, err = db.Weigh(ctx); err != nil {
		return nil, err
	}
	w.report(r)
	return r, w.store.audit(o.By, "done", o.Now().UTC())
}

// relink does what the reference tool does first. What the predecessors were is in the ledger before.
func (w *worker) relink(ctx context.Context, parents [][2]string) error {
	if !w.store.relinked && len(parents) > 0 {
		w.store.relinks = nil // what a killed run did not write to the end it did not act upon
		to := map[modulestore.ID]string{}
		ids := map[modulestore.ID]bool{}
		for _, pair := range parents {
			id, err := parseID(pair[0])
			if err != nil {
				return err
			}
			to[id], ids[id] = pair[1], true
		}
		var lines []line
		err := w.db.Headers(ctx, ids, func(h Header) error {
			lines = append(lines, line{Relink: &relinkLine{h.ID.String(), h.Previous.String(), to[h.ID]}})
			return nil
		})
		if err != nil {
			return err
		}
		if err := w.store.write(append(lines, line{Note: "relinks"})...); err != nil {
			return err
		}
		for _, l := range lines {
			if l.Relink != nil {
				w.store.relinks = append(w.store.relinks, *l.Relink)
			}
		}
	}
	return relinkAll(ctx, w.db, w.store.relinks, false)
}

// relinkAll sets predecessors, or sets them back.
func relinkAll(ctx context.Context, db Database, list []relinkLine, back bool) error {
	for _, l := range list {
		id, err := parseID(l.ID)
		if err != nil {
			return err
		}
		var from, to modulestore.ID
		if l.From != "" {
			if from, err = parseID(l.From); err != nil {
				return err
			}
		}
		if to, err = parseID(l.To); err != nil {
			return err
		}
		if back {
			from, to = to, from
		}
		if err := db.Relink(ctx, id, from, to); err != nil {
			return err
		}
	}
	return nil
}

// work cuts the plan into batches, structures before definitions.
func (w *worker) work(ctx context.Context, items func(func(string, item) error) error) error {
	var some []item
	in := modulestore.CollectionStructures
	flush := func() error {
		if len(some) == 0 {
			return nil
		}
		err := w.batch(ctx, in, some)
		some = some[:0]
		return err
	}
	err := items(func(collection string, it item) error {
		if collection != in {
			if err := flush(); err != nil {
				return err
			}
			in = collection
			if err := w.learnUses(ctx, items); err != nil {
				return err
			}
		}
		some = append(some, it)
		if len(some) < w.Batch {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// learnUses reads the definitions of the structures that the plan wanted to go and that are still there.
func (w *worker) learnUses(ctx context.Context, items func(func(string, item) error) error) error {
	if err := w.watch.look(ctx); err != nil {
		return err
	}
	ids := map[modulestore.ID]bool{}
	err := items(func(collection string, it item) error {
		if collection != modulestore.CollectionStructures {
			return nil
		}
		ids[it.id] = true
		if len(ids) < maxBatch {
			return nil
		}
		err := w.watch.use(ctx, ids)
		clear(ids)
		return err
	})
	if err != nil {
		return err
	}
	return w.watch.use(ctx, ids)
}

// look asks for the heads, and in the second part for what they use.
func (w *worker) look(ctx context.Context, collection string) error {
	if err := w.watch.look(ctx); err != nil || collection == modulestore.CollectionStructures {
		return err
	}
	if len(w.watch.unread) == 0 {
		return nil
	}
	return w.watch.use(ctx, map[modulestore.ID]bool{})
}

// batch removes some documents, or ends what a run that was killed had begun.
func (w *worker) batch(ctx context.Context, collection string, some []item) error {
	n := w.n
	w.n++
	w.did += len(some)
	var b batchLine
	if n < len(w.store.batches) {
		if b = w.store.batches[n]; b.State == checked {
			return nil
		}
	} else {
		if w.Pause != nil {
			if err := w.Pause(ctx); err != nil {
				return err
			}
		}
		b = batchLine{N: n, State: archived, Collection: collection}
		if err := w.look(ctx, collection); err != nil {
			return err
		}
		ids := map[modulestore.ID]bool{}
		for _, it := range some {
			if w.watch.may(collection, it) {
				ids[it.id] = true
			}
		}
		var docs []bson.Doc
		if err := w.db.Documents(ctx, collection, ids, func(d bson.Doc) error {
			docs = append(docs, bytes.Clone(d))
			return nil
		}); err != nil {
			return err
		}
		if err := w.store.put(&b, docs); err != nil {
			return err
		}
		if err := w.store.batch(b); err != nil {
			return err
		}
	}
	w.Progress.tell("removing documents", w.did, w.total)
	return w.remove(ctx, b, some)
}

// remove deletes what has been archived, and looks again.
func (w *worker) remove(ctx context.Context, b batchLine, some []item) error {
	docs, err := w.store.docs(b)
	if err != nil {
		return err
	}
	sizes := map[modulestore.ID]int{}
	byID := map[modulestore.ID]bson.Doc{}
	for _, d := range docs {
		id := modulestore.IDOf(d.Lookup("_id"))
		sizes[id], byID[id] = len(d), d
	}
	if err := w.look(ctx, b.Collection); err != nil {
		return err
	}
	var gone []item
	var ids []modulestore.ID
	for _, it := range some {
		if byID[it.id] != nil && w.watch.may(b.Collection, it) {
			gone, ids = append(gone, it), append(ids, it.id)
		}
	}
	if err := w.claim.check(ctx); err != nil {
		return err
	}
	began := time.Now()
	if _, err := w.db.Delete(ctx, b.Collection, ids); err != nil {
		return err
	}
	took := time.Since(began)
	// Of a batch that a killed run began, any of the archived documents may be gone already: all are looked at.
	if err := w.look(ctx, b.Collection); err != nil {
		return err
	}
	var back []bson.Doc
	for _, it := range some {
		if d := byID[it.id]; d != nil && w.watch.lacks(b.Collection, it.id) {
			back = append(back, d)
		}
	}
	if b.PutBack, err = w.db.Insert(ctx, b.Collection, back); err != nil {
		return err
	}
	b.Left, b.Deleted = len(some)-len(gone), len(gone)-b.PutBack
	var bytes int64
	for _, it := range gone {
		bytes += int64(sizes[it.id])
		if it.course < 0 || w.watch.lacks(b.Collection, it.id) {
			continue
		}
		i := slices.Index(b.Courses, it.course)
		if i < 0 {
			i = len(b.Courses)
			b.Courses, b.Gone, b.GoneBytes = append(b.Courses, it.course), append(b.Gone, 0), append(b.GoneBytes, 0)
		}
		b.Gone[i]++
		b.GoneBytes[i] += sizes[it.id]
	}
	b.State = checked
	if err := w.store.batch(b); err != nil {
		return err
	}
	return w.pace.rest(ctx, took, bytes)
}

// report adds up the ledger.
func (w *worker) report(r *Result) {
	r.Courses, r.Skipped = []Applied{}, []string{}
	gone, bytes := map[int]int{}, map[int]int64{}
	for _, b := range w.store.batches {
		if b.Collection == modulestore.CollectionStructures {
			r.Remove += b.Deleted
		} else {
			r.Definitions += b.Deleted
		}
		r.Left += b.Left
		r.PutBack += b.PutBack
		if b.Documents > 0 {
			r.Bytes += b.Bytes
		}
		for i, c := range b.Courses {
			gone[c] += b.Gone[i]
			bytes[c] += int64(b.GoneBytes[i])
		}
	}
	r.Relinked = len(w.store.relinks)
	for i, c := range w.plan.Courses {
		if w.watch.moved[i] {
			r.Skipped = append(r.Skipped, c.Key)
		}
		before := c.BytesKept + c.Bytes
		if before > 0 || gone[i] > 0 {
			r.Courses = append(r.Courses, Applied{c.Key, gone[i], before, max(before-bytes[i], 0)})
		}
	}
}

// Undone is what undo put back.
type Undone struct {
	Structures  int `json:"structures"`
	Definitions int `json:"definitions"`
	Relinked    int `json:"relinked"`
}

// Undo puts everything back that is in an archive and not in the database, definitions first, so that no structure is ever
// incomplete. It may be run again.
func Undo(ctx context.Context, db Database, dir, by string, now time.Time, progress Progress) (u *Undone, err error) {
	a, err := openArchive(dir, headLine{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	if a.head.Database != db.Name() {
		return nil, fault.Errorf(fault.Refused, dir, "the archive is of %s, this is %s", a.head.Database, db.Name()).WithNext("give the database that was pruned")
	}
	if !a.expired.IsZero() {
		return nil, fault.Errorf(fault.Refused, dir, "it expired: its documents were removed at %s, as its time ran out at %s", a.expired.Format(time.RFC3339), a.head.Until.Format(time.RFC3339)).
			WithNext("load a backup of the database")
	}
	if now.After(a.head.Until) {
		return nil, fault.Errorf(fault.Refused, dir, "its time ran out at %s", a.head.Until.Format(time.RFC3339)).WithNext("its dump can still be loaded with mongorestore")
	}
	ctx, claim, err := claimed(ctx, db, a.head, by)
	if err != nil {
		return nil, err
	}
	defer func() { err = claim.end(ctx, err) }()
	if err := a.audit(by, "undo plan "+a.head.Plan, now); err != nil {
		return nil, err
	}
	if err := a.write(line{Note: "undone", At: now.UTC()}); err != nil { // from here on apply does not go on
		return nil, err
	}
	u = &Undone{}
	for _, collection := range []string{modulestore.CollectionDefinitions, modulestore.CollectionStructures} {
		for i, b := range a.batches {
			if b.Collection != collection {
				continue
			}
			progress.tell("putting back batches", i+1, len(a.batches))
			docs, err := a.docs(b)
			if err != nil {
				return nil, err
			}
			if err := claim.check(ctx); err != nil {
				return nil, err
			}
			n, err := db.Insert(ctx, collection, docs)
			if err != nil {
				return nil, err
			}
			if collection == modulestore.CollectionStructures {
				u.Structures += n
			} else {
				u.Definitions += n
			}
		}
	}
	if err := unnote(ctx, db, a, nil); err != nil {
		return nil, err
	}
	u.Relinked = len(a.relinks)
	if err := relinkAll(ctx, db, a.relinks, true); err != nil {
		return nil, err
	}
	return u, a.write(line{Note: "restored", At: now.UTC()})
}
