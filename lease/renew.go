package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// keep renews the lease every third of its term, and more often after a failure.
//
// On a server a lease that could not be renewed for its whole term is given up, as others may have taken it. It is tried
// once more before that, so that a process that was stopped for a while goes on where nobody has. On SQLite only the row
// tells: while a long transaction of this process keeps the one writer busy, the renewal waits, but nobody else can write
// either.
func (l *Lease) keep(ctx context.Context) {
	defer close(l.done)
	timer := time.NewTimer(l.term / 3)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.lost:
			return
		case <-timer.C:
		}
		err := l.attempt(ctx)
		switch {
		case err == nil:
			timer.Reset(l.term / 3)
			continue
		case ctx.Err() != nil, errors.Is(err, ErrLost):
			return
		case l.d.Engine() != db.SQLite && l.left() <= 0:
			_ = l.lose(fmt.Sprintf("it could not be renewed for %s", l.term), err) // Check tells
			return
		}
		timer.Reset(l.term / 12)
	}
}

// left returns how long the lease lasts by our clock.
func (l *Lease) left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term - time.Since(l.renewed)
}

// attempt renews, but does not wait for a server beyond the end of the lease.
func (l *Lease) attempt(ctx context.Context) error {
	if l.d.Engine() == db.SQLite {
		return l.renew(ctx)
	}
	longest := l.left()
	if longest <= 0 || longest > l.term/3 {
		longest = l.term / 3
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return l.renew(ctx)
}

// renew moves the end of the lease to a term from now, if the row is still ours.
func (l *Lease) renew(ctx context.Context) error {
	var began time.Time
	var by *Holder
	ours := false
	err := l.d.Update(ctx, func(tx *db.Tx) error {
		ours, by, began = false, nil, time.Now()
		now, err := clock(ctx, tx)
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, "UPDATE lectern_lock SET ends_at = ? WHERE name = ? AND holder = ?", now.Add(l.term), l.name, l.id.String())
		if err != nil || n > 0 {
			ours = n > 0
			return err
		}
		r, found, err := read(ctx, tx, l.name)
		if found {
			h := r.who()
			by = &h
		}
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("renew lease %s: %w", l.name, err)
	case ours:
		l.mu.Lock()
		defer l.mu.Unlock()
		if began.After(l.renewed) {
			l.renewed = began
		}
		return nil
	case by != nil:
		return l.lose("it was taken over by "+by.String(), nil)
	}
	return l.lose("its row is gone", nil)
}

// ended returns why the lease is no longer held.
func (l *Lease) ended() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reason
}

// lose notes that the lease was lost, and returns the error for it. The first reason counts.
func (l *Lease) lose(why string, cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason == nil {
		l.reason = &fault.Error{Kind: fault.Conflict, Thing: "lock " + l.name, Text: "was lost: " + why,
			Next: "run the command again when nobody else works on the database; what is done stays done", Err: errors.Join(ErrLost, cause)}
		close(l.lost)
	}
	return l.reason
}
