package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/lease"
)

// Kind is what a worker knows of one kind of job.
type Kind struct {
	// Run does the work, and returns what there is to tell of it, also beside an error. When ctx ends it returns soon; what
	// it has not finished then must be undone, or such that another run goes on with it.
	Run func(ctx context.Context, r *Run) (Outcome, error)
	// Again is how often a job is begun again by itself when its worker was lost. 0 is for what may do harm when it was
	// done already.
	Again int
}

// Outcome is what a job has come to. Result is written as JSON; nil is none.
type Outcome struct {
	Result any
	Files  []File
}

// Queue is the jobs of a database as one process works with them. Fields must not change after the first call; its methods
// are safe for concurrent use.
type Queue struct {
	DB    *db.DB
	Kinds map[string]Kind // those that Work does
	Place string          // where this process finds files of jobs; see [Job]

	Workers int           // jobs that Work does at the same time; default 2
	Poll    time.Duration // between looks into the table; default 1 s
	Term    time.Duration // of leases; default that of package lease
	Keep    time.Duration // how long jobs are kept when they have ended; default [DefaultKeep], negative: for ever

	// Within is how long Do waits until it can write down that it begins, and a few times as long at the end; 0 is as long
	// as transactions wait. It is for work that others' writing does not keep from being done.
	Within time.Duration

	// Remove removes the files of a job that is swept; nil when there are none.
	Remove func(uuid.UUID) error
	// Ask asks for the end of a job by another way than its row, which nobody can write while a long transaction has SQLite's
	// one lock, and Asked tells who runs the job whether that was done. Both may be nil.
	Ask   func(Job) error
	Asked func(Job) bool
	// Ended is told of every job that this process has run, with the cause of a failure. It may be nil.
	Ended func(Job, error)
	// Trouble is told what keeps Work from its work. It may be nil.
	Trouble func(error)

	mu   sync.Mutex     // guards the rest
	live map[int64]*Run // that this process runs
	wake chan struct{}
}

// DefaultKeep is how long jobs are kept when they have ended.
const DefaultKeep = 30 * 24 * time.Hour

const (
	defaultPoll    = time.Second
	defaultWorkers = 2
	maxThing       = 500 // characters, of the column
)

// New is a job to be made.
type New struct {
	UUID      uuid.UUID // names its folder of files; zero: one is made
	Kind      string
	Thing     string // cut where it is too long
	Place     string // see [Job]
	Arguments any    // written as JSON
	By        int64  // row of auth_user, 0 is nobody
	Again     int    // see [Kind]
}

func (n *New) job(now time.Time) (Job, error) {
	arguments, err := json.Marshal(n.Arguments)
	if err != nil {
		return Job{}, fmt.Errorf("arguments of job: %w", err)
	}
	j := Job{UUID: n.UUID, Kind: n.Kind, Thing: thing(n.Thing), Status: Queued, Place: n.Place, Arguments: arguments, By: n.By,
		Spare: n.Again, Created: now, Files: []File{}}
	if j.UUID == uuid.Nil {
		j.UUID, err = uuid.NewV7()
	}
	return j, err
}

// thing makes text fit for the column on every engine.
func thing(s string) string {
	s = strings.TrimRight(strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "?"), " ")
	if utf8.RuneCountInString(s) > maxThing {
		s = strings.TrimRight(string([]rune(s)[:maxThing-1]), " ") + "…"
	}
	return s
}

// Add puts a job into the queue, in the caller's transaction. Call [Queue.Wake] when that has committed, so that a worker
// of this process looks at once.
func (q *Queue) Add(ctx context.Context, tx *db.Tx, n New) (Job, error) {
	j, err := n.job(tx.Now())
	if err != nil {
		return j, err
	}
	return j, insert(ctx, tx, &j)
}

// Wake makes Work of this process look into the table at once.
func (q *Queue) Wake() {
	select {
	case q.waker() <- struct{}{}:
	default:
	}
}

func (q *Queue) waker() chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.wake == nil {
		q.wake = make(chan struct{}, 1)
	}
	return q.wake
}

// Get returns a job as it stands; NotFound when there is none.
func (q *Queue) Get(ctx context.Context, id int64) (Job, error) {
	j, err := get(ctx, q.DB, id)
	if err != nil {
		return j, err
	}
	one := []Job{j}
	err = q.present(ctx, one)
	return one[0], err
}

// List returns jobs, the newest first.
func (q *Queue) List(ctx context.Context, f Filter) ([]Job, error) {
	list, err := f.list(ctx, q.DB)
	if err != nil {
		return nil, err
	}
	return list, q.present(ctx, list)
}

// Log returns the lines of a job's log, the oldest first.
func (q *Queue) Log(ctx context.Context, id int64) ([]Line, error) { return lines(ctx, q.DB, id) }

// present makes of rows what is true: what this process runs is told from memory, and a job whose worker is gone is told
// as what it becomes, though nobody has written that yet.
func (q *Queue) present(ctx context.Context, list []Job) error {
	gone, err := q.gone(ctx, list)
	if err != nil {
		return err
	}
	// A lease goes after its row has ended. So rows are read once more, by a statement of its own that begins after the
	// leases were seen: what still says running then is lost, and the rest has ended just now.
	again := map[int64]Job{}
	var ids []int64
	for i := range list {
		if j := &list[i]; gone[j.lease(j.Attempt)] {
			ids = append(ids, j.ID)
		}
	}
	err = db.QueryIn(ctx, q.DB, "SELECT "+columns+" FROM lectern_job WHERE id IN (?...)", ids, nil, func(r *db.Row) error {
		j, err := scan(r)
		again[j.ID] = j
		return err
	})
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	for i := range list {
		j := &list[i]
		if now, ok := again[j.ID]; ok {
			same := now.Status == Running && now.Attempt == j.Attempt
			if *j = now; same {
				j.lost(j.Created)
				j.Finished = nil // nobody knows when
			}
		}
		if run := q.running(j); run != nil {
			j.Progress = run.now()
		}
	}
	return nil
}

// gone returns which leases of the running ones of jobs nobody holds.
func (q *Queue) gone(ctx context.Context, list []Job) (map[string]bool, error) {
	var names []string
	for i := range list {
		if j := &list[i]; j.Status == Running && q.running(j) == nil {
			names = append(names, j.lease(j.Attempt))
		}
	}
	free, err := lease.Free(ctx, q.DB, names)
	gone := map[string]bool{}
	for _, name := range free {
		gone[name] = true
	}
	return gone, err
}

// running returns the run of a job in this process, nil when there is none.
func (q *Queue) running(j *Job) *Run {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.live[j.ID]; r != nil && j.Status == Running && r.job.Attempt == j.Attempt {
		return r
	}
	return nil
}

// patience is how long Cancel waits for the database when who runs the job has heard of it already.
const patience = 2 * time.Second

// Cancel asks for a job's end. One that waits is cancelled at once; who runs one hears of it within about a second. A job
// that has ended is Refused.
func (q *Queue) Cancel(ctx context.Context, id int64) (Job, error) {
	j, err := get(ctx, q.DB, id)
	if err != nil {
		return j, err
	}
	told := false
	if r := q.running(&j); r != nil {
		r.stop(errCancelled)
		j, told = r.snapshot(), true
	} else if j.Status == Running && q.Ask != nil {
		if err := q.Ask(j); err != nil {
			return j, err
		}
		told = true
	}
	limited := ctx
	if told {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	written, err := q.cancel(limited, id)
	if err != nil && told && ctx.Err() == nil {
		j.Cancel = true
		return j, nil // it may have ended meanwhile, or the row cannot be written
	}
	return written, err
}

func (q *Queue) cancel(ctx context.Context, id int64) (j Job, err error) {
	err = q.DB.Update(ctx, func(tx *db.Tx) (err error) {
		if j, err = get(ctx, tx, id); err != nil {
			return err
		}
		was := j
		switch {
		case j.Status.Final():
			return refused(&j, "see how it ended: lectern job show "+strconv.FormatInt(id, 10), "it has ended: it is %s", j.Status)
		case j.Status == Queued:
			now := tx.Now()
			j.Status, j.Finished = Cancelled, &now
		}
		j.Cancel = true
		return raced(swap(ctx, tx, &was, &j))
	})
	return j, err
}

// Retry puts a job that failed or was cancelled into the queue again, with its arguments and files; again is that of
// its kind. Other jobs are Refused, and so are those of commands, which only the command can do.
func (q *Queue) Retry(ctx context.Context, id int64, again int) (Job, error) {
	var j Job
	if err := q.Settle(ctx, id); err != nil {
		return j, err
	}
	err := q.DB.Update(ctx, func(tx *db.Tx) (err error) {
		if j, err = get(ctx, tx, id); err != nil {
			return err
		}
		was := j
		switch {
		case j.Foreground:
			return refused(&j, "run the command again", "it was the work of a command")
		case j.Status != Failed && j.Status != Cancelled:
			return refused(&j, fmt.Sprintf("see how it stands: lectern job show %d", id), "it is %s", j.Status)
		}
		j.Status, j.Spare, j.Cancel, j.Error, j.Result, j.Files = Queued, again, false, nil, nil, []File{}
		j.Started, j.Finished, j.Progress, j.Worker = nil, nil, Progress{}, ""
		return raced(swap(ctx, tx, &was, &j))
	})
	if err == nil {
		q.Wake()
	}
	return j, err
}

// raced makes the transaction run again when the row has changed since it was read.
func raced(ok bool, err error) error {
	if err == nil && !ok {
		return errRaced
	}
	return err
}

var errRaced = fmt.Errorf("job: the row has changed since it was read: %w", db.ErrRetry)

// Settle writes what becomes of a job whose worker is gone. On others it does nothing.
func (q *Queue) Settle(ctx context.Context, id int64) error {
	j, err := get(ctx, q.DB, id)
	if err != nil {
		return err
	}
	_, err = q.settle(ctx, []Job{j})
	return err
}

// settle does that for those of some jobs whose leases nobody holds, and says whether there was any.
func (q *Queue) settle(ctx context.Context, list []Job) (any bool, err error) {
	gone, err := q.gone(ctx, list)
	if err != nil {
		return false, err
	}
	var errs []error
	for i := range list {
		if j := &list[i]; gone[j.lease(j.Attempt)] {
			buried, err := q.bury(ctx, j)
			any, errs = any || buried, append(errs, err)
		}
	}
	return any, errors.Join(errs...)
}
