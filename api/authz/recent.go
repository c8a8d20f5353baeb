package authzapi

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// recent keeps what was read of the database for a short while, where reading it for each request would cost more than
// everything else. It is safe for concurrent use.
//
// What takes less than cheap to read is not kept, unless always is set. Of the rest, what is older than fresh is read again by the request
// that finds it so, while others go on with what there is for as long again; so at most a twentieth of one core's time
// goes into reading, however long that takes.
type recent[T any] struct {
	load   func(context.Context) (T, error)
	always bool // what was read is kept however cheap it was

	reading sync.Mutex // held by who reads
	last    atomic.Pointer[reading[T]]
}

type reading[T any] struct {
	value T
	began time.Time
	cost  time.Duration
}

const (
	cheap    = 10 * time.Millisecond
	fresh    = 2 * time.Second
	costLess = 20
)

// good is how long what was read may be used.
func (r *recent[T]) good(of *reading[T]) time.Duration {
	if of.cost < cheap && !r.always {
		return 0
	}
	return max(fresh, costLess*of.cost)
}

// get returns the value, read for this call or a short while ago.
func (r *recent[T]) get(ctx context.Context) (v T, err error) {
	now := time.Now()
	if last := r.last.Load(); last != nil {
		age, good := now.Sub(last.began), r.good(last)
		if age < good {
			return last.value, nil
		}
		if age < 2*good {
			if !r.reading.TryLock() {
				return last.value, nil
			}
			defer r.reading.Unlock()
			return r.read(ctx)
		}
	}
	return r.since(ctx, now)
}

// again returns a value that was read after the call.
func (r *recent[T]) again(ctx context.Context) (T, error) { return r.since(ctx, time.Now()) }

// since returns a value of which reading began at a time or later. Of several that wait for it one reads.
func (r *recent[T]) since(ctx context.Context, t time.Time) (T, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	if last := r.last.Load(); last != nil && !last.began.Before(t) {
		return last.value, nil
	}
	return r.read(ctx)
}

// read reads, with the lock held.
func (r *recent[T]) read(ctx context.Context) (v T, err error) {
	began := time.Now()
	if v, err = r.load(ctx); err != nil {
		return v, err
	}
	r.last.Store(&reading[T]{value: v, began: began, cost: time.Since(began)})
	return v, nil
}
