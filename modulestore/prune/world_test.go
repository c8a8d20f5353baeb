package prune

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/expected"
	"github.com/openlectern/lectern/modulestore/split"
)

// memory is a database in memory. Before each call of it hook is called, by which others write or the process is killed.
type memory struct {
	docs  map[string]map[modulestore.ID]bson.Doc
	hook  func(call string) error
	claim memoryClaim
}

// memoryClaim is who has the database, and how often it said so: in the background, too.
type memoryClaim struct {
	mu     sync.Mutex
	holder string
	count  int
}

func (c *memoryClaim) get() (holder string, count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holder, c.count
}

func (c *memoryClaim) give(holder string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holder = holder
}

func newMemory() *memory {
	return &memory{docs: map[string]map[modulestore.ID]bson.Doc{modulestore.CollectionIndexes: {}, modulestore.CollectionStructures: {}, modulestore.CollectionDefinitions: {}, modulestore.CollectionCuts: {}}}
}

func (m *memory) call(name string) error {
	if m.hook == nil {
		return nil
	}
	return m.hook(name)
}

func (m *memory) all(collection string, fn func(bson.Doc) error) error {
	if err := m.call("read"); err != nil {
		return err
	}
	for _, id := range slices.SortedFunc(maps.Keys(m.docs[collection]), func(a, b modulestore.ID) int { return slices.Compare(a[6:], b[6:]) }) {
		if err := fn(m.docs[collection][id]); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Name() string { return "memory/edxapp" }
func (m *memory) Damage() int  { return 0 }
func (m *memory) Weigh(context.Context) (map[string]Weight, error) {
	return map[string]Weight{modulestore.CollectionStructures: {Documents: int64(len(m.docs[modulestore.CollectionStructures]))}}, nil
}
func (m *memory) Indexes(context.Context) (rows []split.Index, err error) {
	err = m.all(modulestore.CollectionIndexes, func(d bson.Doc) error {
		x, _ := split.IndexOf(d)
		rows = append(rows, x)
		return nil
	})
	return rows, err
}
func (m *memory) Structures(_ context.Context, each func(Header) error) error {
	return m.all(modulestore.CollectionStructures, func(d bson.Doc) error { return each(headerOf(d)) })
}
func (m *memory) Definitions(_ context.Context, each func(Header) error) error {
	return m.all(modulestore.CollectionDefinitions, func(d bson.Doc) error { return each(headerOf(d)) })
}
func (m *memory) Cuts(_ context.Context, each func(Cut) error) error {
	return m.all(modulestore.CollectionCuts, func(d bson.Doc) error { return each(cutOf(d)) })
}
func (m *memory) Headers(ctx context.Context, ids map[modulestore.ID]bool, each func(Header) error) error {
	return m.Documents(ctx, modulestore.CollectionStructures, ids, func(d bson.Doc) error { return each(headerOf(d)) })
}
func (m *memory) Documents(_ context.Context, collection string, ids map[modulestore.ID]bool, each func(bson.Doc) error) error {
	if err := m.call("read"); err != nil {
		return err
	}
	for _, id := range sortedIDs(ids) {
		if d := m.docs[collection][id]; d != nil {
			if err := each(d); err != nil {
				return err
			}
		}
	}
	return nil
}
func (m *memory) Kept(ctx context.Context, _ func(modulestore.ID) (bool, error), ids func(func(modulestore.ID) error) error, each func(bson.Doc) error) error {
	set := map[modulestore.ID]bool{}
	if err := ids(func(id modulestore.ID) error { set[id] = true; return nil }); err != nil {
		return err
	}
	return m.Documents(ctx, modulestore.CollectionStructures, set, each)
}
func (m *memory) Delete(_ context.Context, collection string, ids []modulestore.ID) (n int, err error) {
	for _, id := range ids {
		if err := m.call("delete"); err != nil { // the server may be killed between any two
			return n, err
		}
		if m.docs[collection][id] != nil {
			n++
		}
		delete(m.docs[collection], id)
	}
	return n, m.call("deleted")
}
func (m *memory) Insert(_ context.Context, collection string, docs []bson.Doc) (n int, err error) {
	for _, d := range docs {
		if err := m.call("insert"); err != nil {
			return n, err
		}
		if id := modulestore.IDOf(d.Lookup("_id")); m.docs[collection][id] == nil {
			m.docs[collection][id] = bytes.Clone(d)
			n++
		}
	}
	return n, nil
}
func (m *memory) Claim(_ context.Context, holder, _ string, _ time.Duration) error {
	if now, _ := m.claim.get(); now != holder { // what is renewed in the background is in nobody's turn
		if err := m.call("claim"); err != nil {
			return err
		}
	}
	m.claim.mu.Lock()
	defer m.claim.mu.Unlock()
	if m.claim.count++; m.claim.holder != "" && m.claim.holder != holder {
		return fault.Errorf(fault.Conflict, m.Name(), "another one works on it")
	}
	m.claim.holder = holder
	return nil
}
func (m *memory) Release(_ context.Context, holder string) error {
	if err := m.call("release"); err != nil {
		return err
	}
	if now, _ := m.claim.get(); now == holder {
		m.claim.give("")
	}
	return nil
}
func (m *memory) Relink(_ context.Context, id, from, to modulestore.ID) error {
	if err := m.call("relink"); err != nil {
		return err
	}
	d := m.docs[modulestore.CollectionStructures][id]
	if d == nil || modulestore.IDOf(d.Lookup("previous_version")) != from {
		return nil
	}
	var v driver.D
	if err := driver.Unmarshal(d, &v); err != nil {
		return err
	}
	for i := range v {
		if v[i].Key == "previous_version" {
			v[i].Value = oid(to)
		}
	}
	b, err := driver.Marshal(v)
	m.docs[modulestore.CollectionStructures][id] = b
	return err
}

func oid(id modulestore.ID) any {
	if id.IsZero() {
		return nil
	}
	return driver.ObjectID(id)
}

// site is what authors do with a database, in the steps of the real store: structures and definitions first, the index last.
type site struct {
	t     testing.TB
	put   func(collection string, id modulestore.ID, d bson.Doc) // replaces
	drop  func(collection string, id modulestore.ID)
	r     *rand.Rand
	now   time.Time
	n     uint32
	rows  map[string]*row
	facts map[modulestore.ID]fact // of all structures that ever were
	// late are writes that broke off before the index moved: the ones to come.
	late []func()
	pins []modulestore.ID
	// exists says whether a structure is there: authors cannot go back to what is gone.
	exists func(modulestore.ID) bool
	// lms is the database of the LMS, nil for a site that has its index in MongoDB alone. It is written first, and MongoDB's copy
	// is missed at times.
	lms *lms
}

type row struct {
	id   modulestore.ID
	key  [3]string
	head map[string]modulestore.ID
	// copied is what MongoDB's index has.
	copied map[string]modulestore.ID
}

func (r *row) index(head map[string]modulestore.ID, now time.Time) split.Index {
	key, err := keys.ParseCourse(r.name())
	if err != nil {
		panic(err)
	}
	return split.Index{ID: keys.Version(r.id), Key: key, Name: r.name(), Draft: head[split.DraftBranch], Published: head[split.PublishedBranch], LastUpdate: now}
}

func (r *row) name() string { return "course-v1:" + r.key[0] + "+" + r.key[1] + "+" + r.key[2] }

// lms is a Registry in memory.
type lms struct {
	rows  map[string]split.Index
	past  []past // oldest first
	named []named
	asked int
}

type past struct {
	x       split.Index
	deleted bool
}

type named struct {
	Reference
	on time.Time
}

func (l *lms) Name() string { return "lms" }
func (l *lms) Index(context.Context) (rows []split.Index, err error) {
	l.asked++
	rows = []split.Index{}
	for _, name := range slices.Sorted(maps.Keys(l.rows)) {
		rows = append(rows, l.rows[name])
	}
	return rows, nil
}
func (l *lms) History(_ context.Context, since time.Time, each func(split.Index, bool) error) error {
	for _, h := range slices.Backward(l.past) {
		if !h.x.LastUpdate.Before(since) {
			if err := each(h.x, h.deleted); err != nil {
				return err
			}
		}
	}
	return nil
}
func (l *lms) Named(_ context.Context, since time.Time, each func(Reference) error) error {
	for _, n := range l.named {
		if !n.on.Before(since) {
			if err := each(n.Reference); err != nil {
				return err
			}
		}
	}
	return nil
}

// withLMS lets a site have an SQL index.
func (s *site) withLMS() *site {
	s.lms = &lms{rows: map[string]split.Index{}}
	return s
}

// registry is the site's, nil for none.
func (s *site) registry() Registry {
	if s.lms == nil {
		return nil
	}
	return s.lms
}

type fact struct {
	previous, original, definition modulestore.ID
}

func newSite(t testing.TB, seed uint64, put func(string, modulestore.ID, bson.Doc), drop func(string, modulestore.ID)) *site {
	return &site{t: t, put: put, drop: drop, r: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), rows: map[string]*row{}, facts: map[modulestore.ID]fact{}}
}

func memorySite(t testing.TB, seed uint64) (*site, *memory) {
	m := newMemory()
	s := newSite(t, seed, func(c string, id modulestore.ID, d bson.Doc) { m.docs[c][id] = d }, func(c string, id modulestore.ID) { delete(m.docs[c], id) })
	s.exists = func(id modulestore.ID) bool { return m.docs[modulestore.CollectionStructures][id] != nil }
	return s, m
}

func (s *site) id() (id modulestore.ID) {
	s.n++
	binary.BigEndian.PutUint32(id[:], uint32(s.now.Unix()))
	id[4] = byte(s.r.IntN(4)) // several machines: ids of one second are in no order
	binary.BigEndian.PutUint32(id[8:], s.n)
	return id
}

func (s *site) wait(most time.Duration) { s.now = s.now.Add(time.Duration(s.r.Int64N(int64(most)))) }

// structure writes one with its definition, which may be that of the one before.
func (s *site) structure(previous modulestore.ID) modulestore.ID {
	old, id := s.facts[previous], s.id()
	f := fact{previous, old.original, old.definition}
	if previous.IsZero() {
		f.original = id
	}
	if f.definition.IsZero() || s.r.IntN(3) > 0 {
		f.definition = s.id()
		s.put(modulestore.CollectionDefinitions, f.definition, expected.Doc(s.t, driver.D{{Key: "_id", Value: oid(f.definition)}, {Key: "block_type", Value: "course"},
			{Key: "fields", Value: driver.D{}}, {Key: "edit_info", Value: driver.D{{Key: "edited_on", Value: s.now}}}}))
	}
	s.facts[id] = f
	s.put(modulestore.CollectionStructures, id, expected.Doc(s.t, driver.D{{Key: "_id", Value: oid(id)}, {Key: "previous_version", Value: oid(previous)},
		{Key: "original_version", Value: oid(f.original)}, {Key: "edited_on", Value: s.now}, {Key: "root", Value: driver.A{"course", "course"}},
		{Key: "blocks", Value: driver.A{driver.D{{Key: "block_type", Value: "course"}, {Key: "block_id", Value: "course"}, {Key: "definition", Value: oid(f.definition)}, {Key: "fields", Value: driver.D{}}}}}}))
	return id
}

func (s *site) save(r *row) {
	if s.lms != nil {
		x := r.index(r.head, s.now)
		s.lms.rows[x.Name] = x
		s.lms.past = append(s.lms.past, past{x: x})
		if s.r.IntN(3) == 0 && !x.Published.IsZero() {
			s.lms.named = append(s.lms.named, named{Reference{[]string{whyOutline, whyGrade}[s.r.IntN(2)], x.Published}, s.now})
		}
		if r.copied != nil && s.r.IntN(60) == 0 {
			return // logged by the platform, and no more (SP-5)
		}
	}
	r.copied = maps.Clone(r.head)
	heads := driver.D{}
	for _, branch := range slices.Sorted(maps.Keys(r.head)) {
		heads = append(heads, driver.E{Key: branch, Value: oid(r.head[branch])})
	}
	s.put(modulestore.CollectionIndexes, r.id, expected.Doc(s.t, driver.D{{Key: "_id", Value: oid(r.id)}, {Key: "org", Value: r.key[0]}, {Key: "course", Value: r.key[1]}, {Key: "run", Value: r.key[2]},
		{Key: "last_update", Value: s.now}, {Key: "versions", Value: heads}}))
}

func (s *site) some() *row {
	names := slices.Sorted(maps.Keys(s.rows))
	return s.rows[names[s.r.IntN(len(names))]]
}

func (s *site) add(head map[string]modulestore.ID) {
	id := s.id()
	name := fmt.Sprint("r", s.n)
	r := &row{id: id, key: [3]string{"O", "C", name}, head: head}
	s.rows[name] = r
	s.save(r)
}

// step does one thing.
func (s *site) step() {
	if len(s.rows) == 0 {
		s.add(map[string]modulestore.ID{split.DraftBranch: s.structure(modulestore.ID{}), split.PublishedBranch: s.structure(modulestore.ID{})})
		return
	}
	r := s.some()
	branch := []string{split.DraftBranch, split.DraftBranch, split.PublishedBranch}[s.r.IntN(3)]
	switch n := s.r.IntN(20); {
	case n < 11: // edit or publish
		r.head[branch] = s.structure(r.head[branch])
		s.save(r)
	case n < 12: // a write whose index row comes later, at most some hours
		id := s.structure(r.head[branch])
		key, began := r.key[2], s.now
		s.late = append(s.late, func() {
			if r := s.rows[key]; r != nil && s.now.Sub(began) < 12*time.Hour {
				r.head[branch] = id
				s.save(r)
			}
		})
	case n < 14: // roll back to an older structure that is there
		id := r.head[branch]
		if id.IsZero() {
			return
		}
		for range s.r.IntN(12) {
			if p := s.facts[id].previous; !p.IsZero() && s.there(p) {
				id = p
			}
		}
		r.head[branch] = id
		s.save(r)
	case n < 15: // both branches the same
		r.head[split.PublishedBranch] = r.head[split.DraftBranch]
		s.save(r)
	case n < 17: // re-run
		s.add(maps.Clone(r.head))
	case n < 18 && len(s.rows) > 2:
		delete(s.rows, r.key[2])
		if s.lms != nil {
			x := r.index(r.head, s.now)
			delete(s.lms.rows, x.Name)
			s.lms.past = append(s.lms.past, past{x, true})
		}
		s.drop(modulestore.CollectionIndexes, r.id)
	case n < 19:
		for _, late := range s.late {
			late()
		}
		s.late = nil
	default:
		s.add(map[string]modulestore.ID{split.DraftBranch: s.structure(modulestore.ID{})})
	}
}

func (s *site) there(id modulestore.ID) bool {
	if s.exists == nil {
		return true
	}
	return s.exists(id)
}

// heads returns everything that has to load.
func (s *site) heads() map[modulestore.ID]bool {
	all := map[modulestore.ID]bool{}
	for _, r := range s.rows {
		for _, id := range r.head {
			all[id] = true
		}
		for _, id := range r.copied {
			all[id] = true
		}
	}
	if s.lms != nil {
		for _, n := range s.lms.named {
			all[n.Version] = true
		}
	}
	for _, id := range s.pins {
		all[id] = true
	}
	return all
}

// whole says what of the heads and pins is missing.
func (s *site) whole(m *memory) error {
	for id := range s.heads() {
		if m.docs[modulestore.CollectionStructures][id] == nil {
			return fmt.Errorf("structure %s is gone", id)
		}
		if d := s.facts[id].definition; m.docs[modulestore.CollectionDefinitions][d] == nil {
			return fmt.Errorf("definition %s of %s is gone", d, id)
		}
	}
	return nil
}

// load reads all heads and pins with the reader that courses are converted with.
func (s *site) load(src modulestore.Source) {
	s.t.Helper()
	ids := slices.Collect(maps.Keys(s.heads()))
	store, err := split.Read(context.Background(), src, ids, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	rows, _, err := split.Indexes(context.Background(), src, nil)
	if err != nil || len(rows) != len(s.rows) {
		s.t.Fatal(len(rows), len(s.rows), err)
	}
	for _, id := range ids {
		b, err := store.Load(rows[0].Key, id)
		if err != nil {
			s.t.Errorf("%s does not load: %v", id, err)
			continue
		}
		if b.Structure.Count(modulestore.MissingDefinition)+b.Content.Count(modulestore.MissingDefinition) > 0 {
			s.t.Errorf("%s has lost a definition", id)
		}
	}
	if err := store.Close(); err != nil {
		s.t.Error(err)
	}
}

var errKilled = errors.New("killed")

func stored(m *memory) *expected.Memory {
	src := &expected.Memory{}
	for c, docs := range m.docs {
		for _, d := range docs {
			src.Docs = append(src.Docs, expected.Stored{Collection: c, Doc: d})
		}
	}
	return src
}

func noSleep(context.Context, time.Duration) error { return nil }
