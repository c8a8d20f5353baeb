package app

import (
	"context"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/lease"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/ddl"
	"github.com/openlectern/lectern/schema/inspect"
	"github.com/openlectern/lectern/schema/takeover"
)

// Step is a step of a plan as people are told of it.
type Step struct {
	ID         string        // the row of Django's ledger
	SQL        []string      // the statements, in their order
	Locks      string        // whom it keeps waiting
	Rewrite    bool          // copies a table, so that it takes the longer the more rows there are
	Reversible bool          // db revert-names leads back over it
	Estimate   time.Duration // from the number of rows, to tell a second from an hour
	Took       time.Duration // of Rehearse: how long it really took; 0 where it was not carried out
}

// Takeover says what to do with a database and how (cli.md, db plan and db migrate).
type Takeover struct {
	takeover.Options
	LockTimeout time.Duration // how long one attempt waits for what others have locked; 0 is 5 s
	Wait        bool          // wait for another run instead of being refused
	Progress    Progress      // told of each step that is done; may be nil
	Note        func(string)  // told of what keeps it waiting; may be nil
}

// PlanTakeover says what Migrate would do, and writes nothing. A database that Migrate would refuse is described with the
// findings, beside fault.Refused.
func PlanTakeover(ctx context.Context, c Config, t Takeover) (*Database, error) {
	c.Write, c.Existing, c.DryRun = false, true, true
	return onPlan(ctx, c, "PlanTakeover", func(d *db.DB) (*takeover.Plan, error) { return takeover.NewPlan(ctx, d, t.Options) })
}

// Migrate brings the tables of a database to today's (content-migrations.md). The steps of what it returns were carried
// out; in a dry run they would be.
func Migrate(ctx context.Context, c Config, t Takeover) (*Database, error) {
	if c.DryRun {
		return PlanTakeover(ctx, c, t)
	}
	c.Write, c.Existing = true, true
	return onPlan(ctx, c, "Migrate", func(d *db.DB) (*takeover.Plan, error) {
		return takeover.Migrate(ctx, d, t.Options, t.seen(d, c, MigrateJob))
	})
}

// Rehearse carries Migrate out on a copy of the tables that is removed again, and says how long each step took, what the
// tables hold, and what was not as it should be afterwards. Nothing of the original is written.
func Rehearse(ctx context.Context, c Config, t Takeover) (*Database, error) {
	c.Write, c.Existing, c.DryRun = false, true, false
	place, _ := c.paths()
	var out *takeover.Rehearsal
	found, err := onPlan(ctx, c, "Rehearse", func(d *db.DB) (*takeover.Plan, error) {
		var err error
		if out, err = takeover.Rehearse(ctx, d, place, t.Options, t.run()); out == nil {
			return nil, err
		}
		return out.Plan, err
	})
	if found == nil || out == nil {
		return found, err
	}
	found.Findings, found.Sums, found.Copied = append([]schema.Finding{}, out.Findings...), out.Sums, out.Copied
	for i := range min(len(out.Took), len(found.Steps)) {
		found.Steps[i].Took = out.Took[i]
	}
	return found, err
}

// RevertNames gives the tables their names of before the merge again, the way back from openedx_content 0003.
func RevertNames(ctx context.Context, c Config, t Takeover) (*Database, error) {
	c.Write, c.Existing = !c.DryRun, true
	return onPlan(ctx, c, "RevertNames", func(d *db.DB) (*takeover.Plan, error) {
		if c.DryRun {
			return takeover.RevertPlan(ctx, d)
		}
		return takeover.RevertNames(ctx, d, t.seen(d, c, RevertNamesJob))
	})
}

// DropOwn removes Lectern's own tables and leaves Open edX's as they are; Dropped of what it returns tells what there was.
// In a dry run, what there is.
func DropOwn(ctx context.Context, c Config, t Takeover) (*Database, error) {
	c.Write, c.Existing = !c.DryRun, true
	return noted(onDatabase(ctx, c, "DropOwn", func(ctx context.Context, d *db.DB, found *Database) (err error) {
		found.Dropped, err = takeover.DropOwn(ctx, d, t.run(), c.DryRun)
		return err
	}))
}

// tell tells of what keeps the run waiting.
func (t *Takeover) tell(text string) {
	if t.Note != nil {
		t.Note(text)
	}
}

// run passes on what a run tells.
func (t *Takeover) run() takeover.Run {
	note := t.tell
	r := takeover.Run{LockTimeout: t.LockTimeout, Wait: t.Wait,
		Waiting:  func(h lease.Holder) { note("waiting for " + h.String()) },
		TookOver: func(h lease.Holder) { note("going on where " + h.String() + " was stopped") },
		Blocked:  func(b ddl.Blocker) { note("waiting for " + b.String()) },
	}
	if t.Progress != nil {
		r.Done = func(s takeover.Step, n, of int) { t.Progress("migrating", n, of) }
	}
	return r
}

// onPlan makes a plan or carries it out, and describes it with the database.
func onPlan(ctx context.Context, c Config, name string, do func(*db.DB) (*takeover.Plan, error)) (*Database, error) {
	var refused error
	found, err := onDatabase(ctx, c, name, func(ctx context.Context, d *db.DB, found *Database) error {
		sizes, err := inspect.Sizes(ctx, d, schema.OfContent)
		if err != nil {
			return err
		}
		p, err := do(d)
		if p == nil {
			return err
		}
		found.Findings = append(found.Findings, p.Findings...)
		found.Codes = p.Codes
		for i := range p.Steps {
			found.Steps = append(found.Steps, describe(&p.Steps[i], d.Engine(), sizes))
		}
		refused = err
		if refused == nil {
			refused = p.Refusal
		}
		if fault.Is(refused, fault.Refused) {
			return nil // the document is wanted, too
		}
		return refused
	})
	if err != nil {
		return found, err
	}
	return found, refused
}

func describe(s *takeover.Step, e db.Engine, sizes map[string]inspect.Size) Step {
	out := Step{ID: s.ID(), Locks: s.Locks(e), Rewrite: s.Rewrites(), Reversible: s.Reversible(), Estimate: s.Estimate(sizes)}
	for _, st := range s.Statements {
		out.SQL = append(out.SQL, st.SQL)
	}
	return out
}

// Blocked returns the error for a command that finds the tables being changed, nil when nobody is at it. A server that
// starts asks it.
func Blocked(ctx context.Context, q db.Querier) error {
	h, err := lease.Held(ctx, q, takeover.LeaseName)
	if err != nil || h == nil {
		return err
	}
	return fault.Errorf(fault.Refused, "database", "its tables are being changed by %s", h).
		WithNext("wait until that is done: lectern job list --status running shows how far it is")
}
