package prune

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/openlectern/lectern/fault"
)

// claimFor is how long a database is claimed without being renewed: so long another archive has to wait after a crash.
const claimFor = time.Minute

// claim is the right of one archive to write to a database. Two archives would each take the other's deletes for their own; the
// lock on an archive's folder does not keep them apart, and the two may be on different machines.
type claim struct {
	db         Database
	holder, by string
	renewed    atomic.Int64 // when, in nanoseconds since began
	began      time.Time
	stop       context.CancelCauseFunc
	done       chan struct{}
}

// newHolder names an archive among all that ever claim a database.
func newHolder() string { return rand.Text() }

// claimed claims a database for an archive, and renews that until end is called. The context ends when somebody else has it.
func claimed(ctx context.Context, db Database, head headLine, by string) (context.Context, *claim, error) {
	if host, err := os.Hostname(); err == nil {
		by += "@" + host
	}
	c := &claim{db: db, holder: head.Holder, by: by, began: time.Now(), done: make(chan struct{})}
	if c.holder == "" { // of an archive that was made before there were claims
		c.holder = head.Plan
	}
	if err := c.renew(ctx); err != nil {
		return nil, nil, err
	}
	ctx, c.stop = context.WithCancelCause(ctx)
	go func() {
		defer close(c.done)
		tick := time.NewTicker(claimFor / 4)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				// A server that is away for a while is told to the work itself.
				if err := c.renew(ctx); fault.Is(err, fault.Conflict) {
					c.stop(err)
					return
				}
			}
		}
	}()
	return ctx, c, nil
}

func (c *claim) renew(ctx context.Context) error {
	began := time.Since(c.began)
	if err := c.db.Claim(ctx, c.holder, c.by, claimFor); err != nil {
		return err
	}
	c.renewed.Store(int64(began))
	return nil
}

// check is asked before each write: a process that was stopped for a while may have lost its claim.
func (c *claim) check(ctx context.Context) error {
	if time.Since(c.began)-time.Duration(c.renewed.Load()) < claimFor/2 {
		return nil
	}
	return c.renew(ctx)
}

// end gives the claim back. err is how the work ended; where that was because the claim was lost it says so.
func (c *claim) end(ctx context.Context, err error) error {
	lost := context.Cause(ctx)
	c.stop(nil)
	<-c.done
	if fault.Is(lost, fault.Conflict) {
		return lost
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return errors.Join(err, c.db.Release(ctx, c.holder))
}
