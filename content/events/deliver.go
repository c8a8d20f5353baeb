package events

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/db"
)

// Deliverer sends what is in the outbox to the webhooks. Any number of them may run on one database: a delivery is sent
// by whoever claims it. Fields must not change after the first call; its methods are safe for concurrent use.
type Deliverer struct {
	DB      *db.DB
	Client  *http.Client  // default: one that follows no redirects
	Timeout time.Duration // of an attempt, from request to answer; default 10 s
	Workers int           // attempts at the same time for one webhook, each for another package; default 4
	Poll    time.Duration // between looks for new events; default 1 s
	Keep    time.Duration // how long delivered events are kept; default [DefaultKeep], negative: for ever
	// Pause returns how long to wait after the n-th failed attempt; default [Pause].
	Pause    func(n int) time.Duration
	OnResult func(Result) // told of each attempt, from several goroutines; may be nil
	OnError  func(error)  // told what kept Run from its work; may be nil
}

// DefaultKeep is how long delivered events are kept.
const DefaultKeep = 30 * 24 * time.Hour

// DefaultAttempts is after how many attempts an event is given up: with [Pause], after about a day.
const DefaultAttempts = 35

const (
	firstPause = time.Second
	maxPause   = time.Hour
	// leaseMargin is how much longer a claim lasts than an attempt: time to store how it ended, and for clocks that differ.
	leaseMargin = 10 * time.Second
	// laneRun is how many events of one package are sent before others have their turn.
	laneRun     = 100
	queueSize   = 500 // heads of lanes read at a time
	sweepEvery  = time.Hour
	sweepBatch  = 500
	maxTrouble  = time.Minute // pause of Run after a failure of the database
	defaultPoll = time.Second
)

// Pause is the pause after the n-th failed attempt: a second, doubled each time up to an hour, a fifth more or less.
func Pause(n int) time.Duration {
	p := maxPause
	if n < 13 { // 2^12 s is more than an hour
		p = min(firstPause<<max(n-1, 0), maxPause)
	}
	return time.Duration(float64(p) * (0.8 + 0.4*rand.Float64())).Truncate(time.Millisecond)
}

func (d *Deliverer) timeout() time.Duration {
	if d.Timeout > 0 {
		return d.Timeout
	}
	return 10 * time.Second
}

// lease is how long a claim lasts. Reading a long event may take as long as sending it.
func (d *Deliverer) lease() time.Duration { return 2*d.timeout() + leaseMargin }

var plain = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (d *Deliverer) client() *http.Client {
	if d.Client != nil {
		return d.Client
	}
	return plain
}

func (d *Deliverer) workers() int {
	if d.Workers > 0 {
		return d.Workers
	}
	return 4
}

// Report counts what was done.
type Report struct {
	Sent, Failed, Dead int   // attempts: arrived, failed, and of the failed those that were the last
	Swept              int64 // old events removed
}

// Once sends everything that is due, and what becomes due meanwhile, removes old events and returns. It returns early,
// without an error of its own, when ctx ends: what is being sent then is finished first.
func (d *Deliverer) Once(ctx context.Context) (Report, error) {
	s := d.newShift()
	for ctx.Err() == nil {
		taken, err := s.pass(ctx)
		if err = errors.Join(err, s.takeErr()); err != nil {
			s.wait()
			return s.report, err
		}
		if s.busy() {
			<-s.ended
		} else if taken == 0 {
			break
		}
	}
	s.wait()
	if err := s.takeErr(); err != nil || ctx.Err() != nil {
		return s.report, err
	}
	swept, err := d.Sweep(ctx)
	s.report.Swept = swept
	return s.report, err
}

// Run sends events until ctx ends, and then returns when what is being sent is finished, at most about the timeout later.
// Failures of the database are told to OnError and waited out.
func (d *Deliverer) Run(ctx context.Context) Report {
	s := d.newShift()
	poll := d.Poll
	if poll <= 0 {
		poll = defaultPoll
	}
	var swept time.Time
	trouble := poll
	for ctx.Err() == nil {
		_, err := s.pass(ctx)
		if err == nil {
			err = s.takeErr()
		}
		if err == nil && time.Since(swept) > sweepEvery {
			var n int64
			n, err = d.Sweep(ctx)
			s.report.Swept += n
			swept = time.Now()
		}
		pause := poll
		if err != nil && ctx.Err() == nil {
			if d.OnError != nil {
				d.OnError(err)
			}
			pause, trouble = trouble, min(2*trouble, maxTrouble)
		} else {
			trouble = poll
		}
		ended := s.ended // a worker is free
		if err != nil {
			ended = nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case <-ended:
		}
	}
	s.wait()
	return s.report
}

// Sweep removes events that were delivered, or that nobody wanted, and are older than Keep, in bounded batches, and
// returns how many went.
func (d *Deliverer) Sweep(ctx context.Context) (removed int64, err error) {
	keep := d.Keep
	if keep == 0 {
		keep = DefaultKeep
	}
	for keep > 0 {
		n, err := outbox.Sweep(ctx, d.DB, keep, sweepBatch)
		removed += n
		if err != nil || n < sweepBatch {
			return removed, err
		}
	}
	return removed, nil
}

// shift is one run of a deliverer.
type shift struct {
	d      *Deliverer
	queue  map[int64][]outbox.Delivery // heads of lanes that were due, by webhook; only pass uses it
	group  sync.WaitGroup
	ended  chan struct{} // a lane has ended since this was last read
	mu     sync.Mutex    // guards the rest
	at     map[int64]int // lanes being worked on, by webhook
	report Report
	err    error
}

func (d *Deliverer) newShift() *shift {
	return &shift{d: d, queue: map[int64][]outbox.Delivery{}, ended: make(chan struct{}, 1), at: map[int64]int{}}
}

func (s *shift) wait() { s.group.Wait() }

func (s *shift) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.at) > 0
}

func (s *shift) takeErr() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.err
	s.err = nil
	return err
}

func (s *shift) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = errors.Join(s.err, err)
}

// pass gives new events to the webhooks and starts work on as many lanes as there are free workers. It looks for many lanes
// at a time and returns how many it took of those; what has changed since shows when they are claimed.
func (s *shift) pass(ctx context.Context) (taken int, err error) {
	if err := outbox.RouteAll(ctx, s.d.DB); err != nil {
		return 0, err
	}
	type lane struct {
		webhook *outbox.Webhook
		first   outbox.Delivery
	}
	var lanes []lane
	err = s.d.DB.View(ctx, func(tx *db.Tx) error {
		webhooks, err := outbox.Webhooks(ctx, tx)
		if err != nil {
			return err
		}
		for i := range webhooks {
			w := &webhooks[i]
			s.mu.Lock()
			free := s.d.workers() - s.at[w.ID]
			s.mu.Unlock()
			if !w.Active {
				delete(s.queue, w.ID)
				continue
			}
			if free <= 0 {
				continue
			}
			if len(s.queue[w.ID]) == 0 {
				if s.queue[w.ID], err = outbox.Due(ctx, tx, w.ID, tx.Now(), queueSize); err != nil {
					return err
				}
			}
			queue := s.queue[w.ID]
			n := min(free, len(queue))
			for _, x := range queue[:n] {
				lanes = append(lanes, lane{w, x})
			}
			s.queue[w.ID] = queue[n:]
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, l := range lanes {
		claimed, err := s.claim(ctx, l.first)
		if err != nil {
			return 0, err
		}
		if claimed != nil { // else another deliverer was first
			s.start(ctx, l.webhook, claimed)
		}
	}
	return len(lanes), nil
}

func (s *shift) claim(ctx context.Context, x outbox.Delivery) (claimed *outbox.Delivery, err error) {
	err = s.d.DB.Update(ctx, func(tx *db.Tx) (err error) {
		claimed, err = outbox.Claim(ctx, tx, x, s.d.lease())
		return err
	})
	return claimed, err
}

func (s *shift) start(ctx context.Context, w *outbox.Webhook, claimed *outbox.Delivery) {
	s.mu.Lock()
	s.at[w.ID]++
	s.mu.Unlock()
	s.group.Go(func() {
		if err := s.lane(ctx, w, claimed); err != nil {
			s.fail(err)
		}
		s.mu.Lock()
		if s.at[w.ID]--; s.at[w.ID] == 0 {
			delete(s.at, w.ID)
		}
		s.mu.Unlock()
		select {
		case s.ended <- struct{}{}:
		default:
		}
	})
}

// lane sends events of one package to one webhook, in order, until one fails or there is none.
func (s *shift) lane(ctx context.Context, w *outbox.Webhook, c *outbox.Delivery) error {
	d := s.d
	// What has begun is finished, whoever wants to stop.
	on := context.WithoutCancel(ctx)
	for n := 1; c != nil; n++ {
		if ctx.Err() != nil {
			return d.DB.Update(on, func(tx *db.Tx) error { return outbox.Release(on, tx, c) })
		}
		start := time.Now()
		event, a := d.send(on, w, c)
		if errors.Is(a.err, errBuild) {
			return errors.Join(a.err, d.DB.Update(on, func(tx *db.Tx) error { return outbox.Release(on, tx, c) }))
		}
		r := Result{Webhook: w.ID, Event: event, Attempt: c.Attempts, Status: a.status, Took: time.Since(start), Err: a.err}
		r.Dead = a.err != nil && w.Attempts > 0 && c.Attempts >= w.Attempts
		var next *outbox.Delivery
		err := d.DB.Update(on, func(tx *db.Tx) (err error) {
			next = nil
			if a.err != nil {
				return outbox.Failed(on, tx, c, a.err.Error(), max(d.pause(c.Attempts), a.after), r.Dead)
			}
			if err := outbox.Done(on, tx, c); err != nil || n >= laneRun || ctx.Err() != nil {
				return err
			}
			head, found, err := outbox.Next(on, tx, c)
			if err != nil || !found {
				return err
			}
			next, err = outbox.Claim(on, tx, head, d.lease())
			return err
		})
		if err != nil {
			return err
		}
		s.count(r)
		if d.OnResult != nil {
			d.OnResult(r)
		}
		c = next
	}
	return nil
}

func (d *Deliverer) pause(n int) time.Duration {
	if d.Pause != nil {
		return d.Pause(n)
	}
	return Pause(n)
}

func (s *shift) count(r Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Err == nil:
		s.report.Sent++
	default:
		s.report.Failed++
		if r.Dead {
			s.report.Dead++
		}
	}
}
