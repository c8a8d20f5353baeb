package lease

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// DefaultTerm is how long a lease lasts without being renewed (content-migrations.md §3.4).
const DefaultTerm = 30 * time.Second

// Options say how to take a lease.
type Options struct {
	What string        // what the holder does, told to those who are refused
	Term time.Duration // how long it lasts without being renewed, which happens every third of it; default DefaultTerm
	Wait bool          // wait until it is free, else one that is held is refused
	// Waiting is told for whom Take waits: when it begins to, and again when the holder has become another. It may be nil.
	Waiting func(Holder)
}

// Lease is a lease that was taken. A goroutine renews it until Release. It is safe for concurrent use.
type Lease struct {
	From *Holder // from whom it was taken over, who was gone; nil when it was free

	d    *db.DB
	name string
	id   identity
	term time.Duration
	stop context.CancelFunc
	done chan struct{} // closed when the renewing has stopped
	lost chan struct{} // closed when the lease was found lost

	mu      sync.Mutex
	reason  error     // guarded by mu: why it was lost, or that it was released
	renewed time.Time // guarded by mu: by our clock, before the last renewal that succeeded
}

// Take takes the lease of that name, up to 255 characters that do not end in a space; it makes the table where the database
// has none. When another holds it, it is fault.Refused with the [Holder] as data, or with Wait Take waits until ctx ends.
// The lease outlives ctx: it ends with Release.
//
// On SQLite neither Take nor Release may be called inside a transaction or Session of the same DB, which would wait for
// itself.
func Take(ctx context.Context, d *db.DB, name string, o Options) (*Lease, error) {
	if name == "" || utf8.RuneCountInString(name) > 255 || strings.HasSuffix(name, " ") {
		return nil, fmt.Errorf("lease: %q is no name", name)
	}
	if o.Term <= 0 {
		o.Term = DefaultTerm
	}
	if err := makeTable(ctx, d); err != nil {
		return nil, err
	}
	l := &Lease{d: d, name: name, id: own(), term: o.Term, done: make(chan struct{}), lost: make(chan struct{})}
	l.id.serial = leases.add()
	if err := l.take(ctx, o); err != nil {
		// What was not heard of may have been saved all the same; then the row is known as left over.
		leases.drop(l.id.serial)
		return nil, err
	}
	on, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	go l.keep(on)
	return l, nil
}

// take tries until the row is ours.
func (l *Lease) take(ctx context.Context, o Options) error {
	var told identity
	for {
		by, err := l.try(ctx, o.What)
		switch {
		case err != nil:
			return fmt.Errorf("take lease %s: %w", l.name, err)
		case by == nil:
			return nil
		case !o.Wait:
			return refusal(l.name, by)
		}
		if id := parse(by.holder); o.Waiting != nil && id != told {
			told = id
			o.Waiting(by.who())
		}
		const pause = 500 * time.Millisecond
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)): // those that wait together do not ask together
		}
	}
}

// try takes the row unless another has it, and then returns that one's.
func (l *Lease) try(ctx context.Context, what string) (by *row, err error) {
	var began time.Time
	err = l.d.Update(ctx, func(tx *db.Tx) error {
		by, l.From, began = nil, nil, time.Now()
		r, found, err := read(ctx, tx, l.name)
		if err != nil {
			return err
		}
		var was *row
		switch {
		case !found:
			if r.read, err = clock(ctx, tx); err != nil {
				return err
			}
		case !r.free():
			by = &r
			return nil
		default:
			h := r.who()
			was, l.From = &r, &h
		}
		return claim(ctx, tx, l.name, was, row{holder: l.id.String(), what: what, taken: r.read, ends: r.read.Add(l.term)})
	})
	l.renewed = began
	return by, err
}

// refusal tells who holds the lease.
func refusal(name string, by *row) error {
	h := by.who()
	next := "wait for it with --wait, or see to it that the process ends"
	if parse(by.holder).fate() == unknown {
		next = fmt.Sprintf("wait for it with --wait; if that process is gone, it can be taken over from %s", h.Until.UTC().Format("15:04:05 UTC"))
	}
	return &fault.Error{Kind: fault.Refused, Thing: "lock " + name, Text: "is held by " + h.String(), Next: next, Data: h}
}

// Lost is closed when renewing or Check has found that the lease was lost: another has it, its row is gone, or on a server
// it could not be renewed for its whole term.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Check returns nil while the lease is held, and is to be called before each step of the work: it reads one row. On a
// server the lease then lasts for another half of its term at least; where less was left Check renews it. On SQLite it
// only reads, so it may be called while a transaction of the holder runs. A lost lease is fault.Conflict and [ErrLost].
func (l *Lease) Check(ctx context.Context) error {
	if err := l.ended(); err != nil {
		return err
	}
	r, found, err := read(ctx, l.d, l.name)
	switch {
	case err != nil:
		return fmt.Errorf("check lease %s: %w", l.name, err)
	case !found:
		return l.lose("its row is gone", nil)
	case r.holder != l.id.String():
		h := r.who()
		return l.lose("it was taken over by "+h.String(), nil)
	case l.d.Engine() != db.SQLite && r.ends.Sub(r.read) < l.term/2:
		return l.renew(ctx)
	}
	return nil
}

// Release gives the lease back, also when ctx has ended, and stops renewing it. One that was lost stays with whom it is.
// After an error the row may still be there: the next Take takes it over.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	<-l.done
	l.mu.Lock()
	if l.reason == nil {
		l.reason = errors.New("lease " + l.name + ": was released")
	}
	l.mu.Unlock()
	defer leases.drop(l.id.serial)
	const longest = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	defer cancel()
	// In a transaction, which on a cluster begins with what was committed on any node.
	err := l.d.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM lectern_lock WHERE name = ? AND holder = ?", l.name, l.id.String())
		return err
	})
	if err != nil {
		return fmt.Errorf("release lease %s: %w", l.name, err)
	}
	return nil
}
