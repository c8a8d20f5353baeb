package takeover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/lease"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/ddl"
)

// LeaseName is the lease that keeps a second run, and servers that start, out while tables change
// (content-migrations.md §3.4).
const LeaseName = "schema"

// Run says how a plan is carried out.
type Run struct {
	LockTimeout time.Duration          // how long one attempt waits for what others have locked; 0 is 5 s
	Wait        bool                   // wait for another run to end instead of being refused
	Waiting     func(lease.Holder)     // told of the run that is waited for; may be nil
	Blocked     func(ddl.Blocker)      // told of each session that is in the way; may be nil
	Done        func(Step, int, int)   // told of each step that is done, its number and how many there are; may be nil
	TookOver    func(lease.Holder)     // told whose run was found dead; may be nil
	Checks      func([]schema.Finding) // told what the check at the end found; may be nil

	// Around is given the work when all checks have passed and nobody else is at it, and does it: what it returns is what
	// the work has returned. So others can see the run and end it. It is not called where nothing is to do; nil does the work.
	Around func(ctx context.Context, steps int, work func(context.Context) error) error
}

// around lets the work be done.
func (r *Run) around(ctx context.Context, steps int, work func(context.Context) error) error {
	if r.Around == nil {
		return work(ctx)
	}
	return r.Around(ctx, steps, work)
}

// Migrate brings a database to where the options say. What it did is the plan that it returns: its steps were carried
// out. A database that cannot be taken over is fault.Refused, with the plan beside the error, and nothing has been
// written; rows that referred to none before, of which NewPlan warns, are not looked for. Stopped at any moment, it goes on
// where it was when it is called again.
func Migrate(ctx context.Context, d *db.DB, o Options, r Run) (p *Plan, err error) {
	o.quick = true // NewPlan warns who asks it
	p, err = settled(ctx, d, o)
	if err != nil {
		return nil, err
	}
	if p.Refusal != nil || len(p.Steps) == 0 {
		return p, p.Refusal
	}
	l, err := lease.Take(ctx, d, LeaseName, lease.Options{What: "lectern db migrate", Wait: r.Wait, Waiting: r.Waiting})
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, l.Release(context.WithoutCancel(ctx))) }()
	if l.From != nil && r.TookOver != nil {
		r.TookOver(*l.From)
	}
	if p, err = settled(ctx, d, o); err != nil { // somebody may have been at it before the lease was ours
		return nil, err
	}
	if p.Refusal != nil || len(p.Steps) == 0 {
		return p, p.Refusal
	}
	err = r.around(ctx, len(p.Steps), func(ctx context.Context) error { return carry(ctx, d, o, r, p, l.Check) })
	return p, err
}

// settled is NewPlan that is patient: a node of a cluster ends transactions that only read, too, when it gets to tables that another one
// has changed.
func settled(ctx context.Context, d *db.DB, o Options) (p *Plan, err error) {
	const attempts, pause = 40, 250 * time.Millisecond
	for attempt := 1; ; attempt++ {
		p, err = NewPlan(ctx, d, o)
		if !errors.Is(err, db.ErrRetry) || !d.Engine().MySQLFamily() || attempt == attempts {
			return p, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// carry carries a plan out, and looks whether everything is there afterwards.
func carry(ctx context.Context, d *db.DB, o Options, r Run, p *Plan, held func(context.Context) error) error {
	count := p.copied()
	before, err := takeCensus(ctx, d, count)
	if err != nil {
		return err
	}
	n := 0
	run := runner{d: d, dialect: schema.DialectOf(d), codes: p.codes, catalog: o.Catalog, held: held,
		patience: ddl.Patience{Lock: r.LockTimeout, Blocked: r.Blocked},
		done: func(s Step) {
			if n++; r.Done != nil {
				r.Done(s, n, len(p.Steps))
			}
		}}
	if err := run.run(ctx, p.todo); err != nil {
		return err
	}
	after, err := takeCensus(ctx, d, count)
	if err != nil {
		return err
	}
	if err := before.compare(after); err != nil {
		return fmt.Errorf("the tables are migrated, but %w", err)
	}
	if p.State, err = schema.Recognize(ctx, d); err == nil && o.To == "" && p.content && p.State.Content != "C14" {
		err = fault.Errorf(fault.Internal, "database", "every step is done, yet the state is %s: %s", p.State.Content, p.State.Reason).
			WithNext("somebody changed tables meanwhile: look at lectern db status, and restore the backup if it is broken")
	}
	return err
}
