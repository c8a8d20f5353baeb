package app

import (
	"context"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/schema/inspect"
	"github.com/openlectern/lectern/schema/takeover"
	"github.com/openlectern/lectern/user"
)

// notedSoon is how long a change of tables waits until it may write down that it works. It goes on without, as its lease
// tells of it, too.
const notedSoon = 10 * time.Second

// seen is run, and keeps what is done to the tables as a job, so that others see how far it is, can end it, and find out
// when it was killed. The tables of jobs are made first, as nothing else of a database of another age is ours; none of the steps
// is about them. Where they cannot be there the work is done all the same.
func (t *Takeover) seen(d *db.DB, c Config, kind string) takeover.Run {
	r := t.run()
	var at *job.Run // while the steps are carried out as a job
	done := r.Done
	r.Done = func(s takeover.Step, n, of int) {
		if at != nil {
			at.Logf("%s is done", s.ID())
			at.Progress(changingTables, n, of)
		}
		if done != nil {
			done(s, n, of)
		}
	}
	r.Around = func(ctx context.Context, steps int, work func(context.Context) error) error {
		by, err := t.keeper(ctx, d, c, r)
		if err != nil {
			t.tell("it cannot be seen in lectern job list: " + err.Error())
			return work(ctx)
		}
		if by == nil {
			return work(ctx)
		}
		q := newQueue(d, c.jobs())
		q.Within = notedSoon
		return recorded(ctx, q, job.New{Kind: kind, Thing: d.Name(), By: *by, Arguments: struct{}{}}, func(ctx context.Context, run *job.Run) (job.Outcome, error) {
			if run == nil {
				t.tell("it cannot be seen in lectern job list: the table of jobs cannot be written now")
			} else {
				at = run
				run.Progress(changingTables, 0, steps)
			}
			return job.Outcome{}, work(ctx)
		})
	}
	return r
}

const changingTables = "migrating"

// keeper makes the tables of jobs ready, and returns who asks for the work, 0 for the operator of the system; nil where the
// tables cannot be there.
func (t *Takeover) keeper(ctx context.Context, d *db.DB, c Config, r takeover.Run) (by *int64, err error) {
	there, err := takeover.ProvideJobs(ctx, d, r)
	if err != nil || !there {
		return nil, err
	}
	by = new(int64)
	if c.User != "" {
		u, err := user.ByName(ctx, d, c.User)
		if err != nil {
			return nil, err
		}
		*by = int64(u.ID)
	}
	return by, nil
}

// hasJobs reports whether a database, whatever its age, has the tables of jobs.
func hasJobs(ctx context.Context, q db.Querier) (bool, error) {
	names, err := inspect.Names(ctx, q)
	return names[job.Table] && names[job.LogTable] && user.There(names), err
}
