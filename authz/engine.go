package authz

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// Engine holds the current [Index] of a database and keeps it current. Make one with [NewEngine]. It is safe for
// concurrent use; Index never waits.
//
// How far it may be behind: not at all for changes given to Apply; for those of other processes, the pause of Watch and
// the time that one look takes (a small query, and the lists of changed rows), or the time of loading everything where
// the writer left no list, as Python and plain SQL do. Changes of casbin_rule that give the policy no new version (authz.md
// §7) are seen when Watch loads everything for no other reason, which is every minute, or so seldom that it takes at most
// a two-hundredth of the time; a list of changed rows says nothing of them. Who is a super admin has no version at all: Refresh always
// asks, Watch asks so often that it takes at most a fiftieth of the time, so each time on most sites and every five
// seconds where the table of users takes 100 ms to look through.
type Engine struct {
	db      *db.DB
	now     func() time.Time
	current atomic.Pointer[Index]

	turn   chan struct{} // holds one: who has it may read the database for the engine
	asks   atomic.Uint64 // calls of Refresh so far
	served uint64        // guarded by turn: the last of them that a finished look has answered
	admins struct {      // guarded by turn
		read time.Time     // when they were last read
		took time.Duration // how long that took
	}
	loads struct { // guarded by turn
		began time.Time     // when everything was last loaded
		took  time.Duration // how long that took
	}

	seen atomic.Int64          // when the last look that went well began, in nanoseconds since 1970; 0 before the first
	last atomic.Pointer[error] // what the last look ended with

	publish sync.Mutex // guards replacing current, and recent
	recent  recent
}

// NewEngine makes the engine of a database. Its index is empty until the first Refresh or Watch.
func NewEngine(d *db.DB) *Engine {
	e := &Engine{db: d, now: time.Now, turn: make(chan struct{}, 1)}
	e.current.Store(NewIndex(nil))
	return e
}

// Index returns the current index. A request takes one and asks it everything, so that its answers belong together.
func (e *Engine) Index() *Index { return e.current.Load() }

// Loaded reports whether a policy has been read; before that everything is denied.
func (e *Engine) Loaded() bool { return e.seen.Load() != 0 }

// Staleness returns how long ago it was last certain that the index was current, and what has kept it from being so
// since, if anything has. Before the first look it is the time since 1970.
func (e *Engine) Staleness() (time.Duration, error) {
	var err error
	if last := e.last.Load(); last != nil {
		err = *last
	}
	return e.now().Sub(time.Unix(0, e.seen.Load())), err
}

// Refresh makes the index current: it holds at least what was committed when Refresh was called. Calls at the same time
// share one look at the database.
func (e *Engine) Refresh(ctx context.Context) error {
	ticket := e.asks.Add(1)
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-e.turn }()
	if e.served >= ticket { // by a look that began after we asked
		return nil
	}
	upTo := e.asks.Load()
	err := e.look(ctx, true)
	if err == nil {
		e.served = upTo
	}
	return err
}

// Watch makes the index current again and again, with that pause (half a second where it is not positive), until ctx
// ends. What goes wrong shows in Staleness; the index stays in use and the next look may go well.
func (e *Engine) Watch(ctx context.Context, every time.Duration) {
	if every <= 0 {
		every = DefaultPause
	}
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			return
		case e.turn <- struct{}{}:
			_ = e.look(ctx, false) // Staleness tells
			<-e.turn
		}
		pause.Reset(every)
	}
}

// DefaultPause is how often Watch looks (authz.md §7).
const DefaultPause = 500 * time.Millisecond

// adminShare bounds the part of Watch's time that goes into reading the super admins: one in so many.
const adminShare = 50

// How often Watch loads everything though no version asks for it: what some programs change without giving the policy a
// version, such as the reference where a person leaves, would else stay in force for as long as this process runs.
const (
	loadPause = time.Minute
	loadShare = 200 // one in so many parts of the time
)

// look compares the version and does what is to be done. The caller has the turn.
func (e *Engine) look(ctx context.Context, admins bool) (err error) {
	began := e.now()
	defer func() {
		e.last.Store(&err)
		if err == nil {
			e.seen.Store(began.UnixNano())
		}
	}()
	var next *Index
	var changed *adminRead
	loaded := time.Duration(-1) // how long loading everything took, if it was done
	err = e.db.View(ctx, func(tx *db.Tx) error {
		current := e.current.Load()
		version, err := Version(ctx, tx)
		if err != nil {
			return err
		}
		first := e.seen.Load() == 0
		due := !admins && began.Sub(e.loads.began) >= max(loadPause, loadShare*e.loads.took)
		if version != current.version || first || due {
			var chain []Change
			if !first && !due {
				if chain, err = changesBetween(ctx, tx, current.version, version); err != nil {
					return err
				}
			}
			if chain != nil {
				next = current
				for _, c := range chain {
					next = next.With(c.Version, c.Added, c.Removed)
				}
			} else {
				loading := e.now()
				if next, err = loadPolicy(ctx, tx, version); err != nil {
					return err
				}
				loaded = e.now().Sub(loading)
			}
		}
		if !admins && !first && began.Sub(e.admins.read) < adminShare*e.admins.took {
			return nil
		}
		changed = &adminRead{}
		changed.admins, err = loadAdmins(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	if loaded >= 0 {
		e.loads.began, e.loads.took = began, loaded
	}
	if changed != nil {
		e.admins.read, e.admins.took = began, e.now().Sub(began)
	}
	e.put(next, changed)
	return nil
}

// adminRead is what was read of the super admins.
type adminRead struct{ *admins }

// put makes next the current index, with the changes that were applied while it was read; nil keeps the policy. Without
// changed the super admins stay.
func (e *Engine) put(next *Index, changed *adminRead) {
	e.publish.Lock()
	defer e.publish.Unlock()
	current := e.current.Load()
	if changed != nil && changed.equal(current.admins) {
		changed = nil
	}
	if next == nil && changed == nil {
		return // who keeps what follows from an index goes by its address
	}
	y := *current
	if next != nil {
		y = *e.recent.follow(next)
	}
	y.admins = current.admins
	if changed != nil {
		y.admins = changed.admins
	}
	e.current.Store(&y)
}

// Apply makes a change of this process visible in it, after its transaction has committed. The zero Change, and one that
// the index holds already, are no-ops. Where the change follows one of another process that has not been seen yet, the
// database is asked.
func (e *Engine) Apply(ctx context.Context, c Change) error {
	if c.IsZero() {
		return nil
	}
	if e.apply(c) {
		return nil
	}
	return e.Refresh(ctx)
}

func (e *Engine) apply(c Change) bool {
	e.publish.Lock()
	defer e.publish.Unlock()
	current := e.current.Load()
	if current.version == c.Version {
		return true
	}
	e.recent.add(c)
	if current.version != c.Previous || !e.Loaded() {
		return false
	}
	e.current.Store(e.recent.follow(current))
	return true
}

// recent holds the last changes of this process, by the version they follow: what was read from the database may be from
// before them.
type recent struct {
	by    map[uuid.UUID]Change
	order []uuid.UUID
	rows  int
}

// maxRecentRows bounds what recent keeps, in rows. Without a change that it has lost, an index is behind until the next
// look at the database.
const maxRecentRows = 50_000

func (r *recent) add(c Change) {
	if r.by == nil {
		r.by = map[uuid.UUID]Change{}
	}
	if _, known := r.by[c.Previous]; known {
		return
	}
	r.by[c.Previous] = c
	r.order = append(r.order, c.Previous)
	r.rows += 1 + len(c.Added) + len(c.Removed)
	for r.rows > maxRecentRows && len(r.order) > 1 {
		old := r.by[r.order[0]]
		delete(r.by, r.order[0])
		r.order = r.order[1:]
		r.rows -= 1 + len(old.Added) + len(old.Removed)
	}
}

// follow returns x with all known changes that follow its version.
func (r *recent) follow(x *Index) *Index {
	for {
		c, ok := r.by[x.version]
		if !ok {
			return x
		}
		x = x.With(c.Version, c.Added, c.Removed)
	}
}
