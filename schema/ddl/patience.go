package ddl

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/openlectern/lectern/db"
)

// The defaults of a [Patience]: after some three minutes a person is asked.
const (
	DefaultLock  = 5 * time.Second
	DefaultTries = 12
	DefaultPause = 10 * time.Second
)

// Patience says how long to wait for what is in the way. The zero value has the defaults. It is safe for concurrent use if
// Blocked is.
type Patience struct {
	// Lock is how long one attempt waits for a lock, and so how long others queue behind it. The MySQL family has whole
	// seconds, of which it takes the next; where a statement needs several locks, each has this time.
	Lock  time.Duration
	Tries int           // attempts in all
	Pause time.Duration // between two of them, in which those that queued behind are served
	// Blocked is told of each attempt that failed over what another session has locked, in the goroutine of the caller. It
	// may be nil.
	Blocked func(Blocker)
}

func (p Patience) orDefaults() Patience {
	if p.Lock <= 0 {
		p.Lock = DefaultLock
	}
	if p.Tries <= 0 {
		p.Tries = DefaultTries
	}
	if p.Pause <= 0 {
		p.Pause = DefaultPause
	}
	return p
}

// Statement runs a statement by itself, which on the MySQL family is how those that change tables commit; on the others it
// is a Transaction of one statement. It must do all or nothing. When something is in the way at every attempt it is
// fault.Conflict with a [Blocker] as data, and nothing was done. Afterwards the session waits for locks no longer than p says.
func (p Patience) Statement(ctx context.Context, s *db.Session, sql string, args ...any) error {
	if !s.Engine().MySQLFamily() {
		return p.Transaction(ctx, s, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, sql, args...)
			return err
		})
	}
	return p.orDefaults().insist(ctx, s, sql, func() error {
		_, err := s.Exec(ctx, sql, args...)
		return err
	})
}

// Transaction runs fn in a transaction of the session, and again from its start when it waited for a lock in vain or lost
// to another transaction: like the function of [db.DB.Update], fn must have no effects outside. Errors are those of
// Statement.
func (p Patience) Transaction(ctx context.Context, s *db.Session, fn func(*db.Tx) error) error {
	p = p.orDefaults()
	began := false
	once := func() error {
		return s.Once(ctx, func(tx *db.Tx) error {
			began = true
			if tx.Engine() == db.PostgreSQL {
				if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", max(1, p.Lock.Milliseconds()))); err != nil {
					return err
				}
			}
			return fn(tx)
		})
	}
	if s.Engine() != db.SQLite {
		return p.insist(ctx, s, "", once)
	}
	return p.insist(ctx, s, "", func() error {
		// SQLite waits by itself, but cannot be interrupted then, so it is asked often. Once a transaction has begun nobody
		// else writes.
		began = false
		for start := time.Now(); ; {
			if err := once(); began || !errors.Is(err, db.ErrRetry) || time.Since(start) >= p.Lock || ctx.Err() != nil {
				return err
			}
		}
	})
}

// insist tries the unit until it succeeds or p is at its end. sql is its statement, "" when it has several.
func (p Patience) insist(ctx context.Context, s *db.Session, sql string, unit func() error) error {
	me, err := p.prepare(ctx, s)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		began := time.Now()
		seen := watch(ctx, s.DB(), me, p.Lock/3)
		err := unit()
		b := seen()
		if err == nil || !errors.Is(err, db.ErrRetry) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// A deadlock, or a lost race, is no reason to wait for long, and nobody is to blame.
		waited := b.Session != 0 || time.Since(began) >= min(p.Lock, longestBusy)/2
		pause := p.Pause
		if !waited {
			pause = min(p.Pause, 50*time.Millisecond+rand.N(200*time.Millisecond))
		}
		if try == p.Tries {
			pause = 0
		}
		if sql != "" {
			b.Waiting = sql
		}
		b.Attempt, b.Attempts, b.Again = try, p.Tries, pause
		if waited && p.Blocked != nil {
			p.Blocked(b)
		}
		if try == p.Tries {
			return p.gaveUp(s, b, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// longestBusy is how long SQLite waits by itself.
const longestBusy = 2 * time.Second

// prepare sets how long the session waits, and returns by what number the server knows it; SQLite knows none.
func (p Patience) prepare(ctx context.Context, s *db.Session) (me int64, err error) {
	who := "SELECT connection_id()"
	switch s.Engine() {
	case db.SQLite:
		_, err := s.Exec(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", max(1, min(p.Lock, longestBusy).Milliseconds())))
		return 0, err
	case db.PostgreSQL:
		who = "SELECT pg_backend_pid()"
	default:
		seconds := max(1, int64((p.Lock+time.Second-1)/time.Second))
		set := fmt.Sprintf("SET SESSION lock_wait_timeout = %d, innodb_lock_wait_timeout = %d", seconds, seconds)
		if _, err := s.Exec(ctx, set); err != nil {
			return 0, err
		}
	}
	me, _, err = db.One(ctx, s, who, nil, db.Value[int64])
	return me, err
}
