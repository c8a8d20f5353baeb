package app

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/oldcourse"
	"github.com/openlectern/lectern/schema/inspect"
)

// gate is the one place that says whether an actor may do something (design.md §4, "Permissions, twice"). It looks at the
// authoring flag first: a course whose flag is off is decided by its legacy role rows, one whose flag is on, and every
// library, by assignments.
//
// Policy and flag are kept in memory, and can be behind by the pause of [App.Watch]. That never makes a no: before anybody
// is denied they are brought up to date and asked once more. So roles may move from one side of the flag to the other, and
// nobody is turned away between. Legacy rows and the person's account are read each time.
type gate struct {
	db      *db.DB
	engine  *authz.Engine
	flag    atomic.Pointer[flagState]
	legacy  atomic.Pointer[legacy.Policy]
	names   atomic.Pointer[tableNames]
	watched atomic.Bool // somebody keeps policy and flag current
	refused oldcourse.Counter
}

// flagState is the authoring flag and when it was read.
type flagState struct {
	*flags.State
	at time.Time
}

// tableNames are the tables that the database has, and when that was read: to ask a server for them costs more than
// most questions do.
type tableNames struct {
	names map[string]bool
	at    time.Time
}

// tables returns the tables that the database has, or had up to a minute ago. Tables are made and do not go.
func (g *gate) tables(ctx context.Context) (map[string]bool, error) {
	if n := g.names.Load(); n != nil && time.Since(n.at) < reread {
		return n.names, nil
	}
	now := time.Now()
	names, err := inspect.Names(ctx, g.db)
	if err == nil {
		g.names.Store(&tableNames{names, now})
	}
	return names, err
}

// reread is how old the flag may get even where nothing seems to have changed: what is altered by hand does not show.
const reread = time.Minute

func newGate(d *db.DB) *gate { return &gate{db: d, engine: authz.NewEngine(d)} }

// guard returns the gate of the store.
func (a *App) guard() *gate {
	if a.gate == nil {
		return newGate(a.DB)
	}
	return a.gate
}

// refresh brings flag and policy up to date, the flag first: a policy that is newer holds what moved with it.
func (g *gate) refresh(ctx context.Context) error {
	if err := g.refreshFlag(ctx); err != nil {
		return err
	}
	names, err := g.tables(ctx)
	if err != nil || !names[authz.NewestTable] {
		return err // nobody has assignments
	}
	return g.engine.Refresh(ctx)
}

func (g *gate) refreshFlag(ctx context.Context) error {
	if s := g.flag.Load(); s != nil && time.Since(s.at) < reread {
		if changed, err := s.Changed(ctx, g.db); err != nil || !changed {
			return err
		}
	}
	now := time.Now()
	return g.db.View(ctx, func(tx *db.Tx) error {
		s, err := flags.Load(ctx, tx, flags.Authoring)
		if err == nil {
			g.flag.Store(&flagState{s, now})
		}
		return err
	})
}

// Watch keeps what permissions are decided by current until ctx ends, looking every so often, half a second where every is
// not positive. Without it every use case looks for itself, which costs it a few small statements.
func (a *App) Watch(ctx context.Context, every time.Duration) error {
	if every <= 0 {
		every = authz.DefaultPause
	}
	g := a.guard()
	if err := g.refresh(ctx); err != nil {
		return err
	}
	g.watched.Store(true)
	defer g.watched.Store(false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.engine.Watch(ctx, every)
	}()
	defer func() { <-done }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			_ = g.refreshFlag(ctx) // the next look may go well; Staleness of the engine tells of a database that is away
		}
	}
}

// Engine returns the permissions engine of the store, which [App.Watch] keeps current.
func (a *App) Engine() *authz.Engine { return a.guard().engine }

// Authoring returns the flag that decides which side of permissions counts for a course (flags.Authoring), as fresh as the
// answers of the gate are.
func (a *App) Authoring(ctx context.Context) (*flags.State, error) {
	g := a.guard()
	if !g.watched.Load() || g.flag.Load() == nil {
		if err := g.refreshFlag(ctx); err != nil {
			return nil, err
		}
	}
	return g.flag.Load().State, nil
}
