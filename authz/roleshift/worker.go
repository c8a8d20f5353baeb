package roleshift

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/slug"
	"github.com/openlectern/lectern/lease"
)

// Batches say how a run in batches works. The zero value is good.
type Batches struct {
	Rows     int                                // of a transaction; default 4000
	Term     time.Duration                      // of the lease; default 5 minutes, renewed while it works (authz-migration.md §14, M-39)
	Progress func(step string, done, total int) // told after each batch; may be nil
	Changed  func(authz.Change) error           // told of each change of the policy once it is committed; may be nil
}

const (
	defaultRows = 4000
	defaultTerm = 5 * time.Minute
)

// Worker works at one run in batches, and holds its lease until Close. It is not safe for concurrent use.
type Worker struct {
	o       Batches
	d       *db.DB
	lease   *lease.Lease
	run     Run
	ask     Ask
	pace    pace
	touched bool     // others have changed assignments of the scope since this was last set to false
	cause   error    // for which it is given up, where it is not rows
	errors  []Record // that cannot move, of a turn that was undone: the first of nErrors
	nErrors int
}

// errTaken is what a run was taken up by another with, or was closed by hand.
var errTaken = errors.New("another works at the run, or has ended it")

// Start begins a run in batches. prepare tells what is asked, in the transaction that begins it; an ask without direction
// begins none, and the Worker is nil. A scope at which another run works is a *[Busy].
func Start(ctx context.Context, d *db.DB, org string, o Batches, prepare func(*db.Tx) (Ask, error)) (*Worker, error) {
	w := &Worker{o: o.filled(), d: d}
	if err := w.hold(ctx, org, 0); err != nil {
		return nil, err
	}
	err := d.Update(ctx, func(tx *db.Tx) (err error) {
		if err := alone(ctx, tx); err != nil {
			return err
		}
		version, err := authz.Turn(ctx, tx)
		if err != nil {
			return err
		}
		if w.ask, err = prepare(tx); err != nil || w.ask.Direction == "" {
			return err
		}
		if err := w.ask.check(); err != nil {
			return err
		}
		if err := free(ctx, tx, w.ask, true); err != nil {
			return err
		}
		run, err := start(ctx, tx, w.ask, Running)
		if err != nil {
			return err
		}
		w.run = *run
		if err := run.keepAsk(ctx, tx); err != nil {
			return err
		}
		total, err := Count(ctx, tx, w.ask, countMost)
		if err != nil {
			return err
		}
		w.pace = pace{step: stepCopy, attempt: 1, total: int64(total), version: version}
		return w.pace.insert(ctx, tx, run)
	})
	if err != nil || w.ask.Direction == "" {
		return nil, errors.Join(err, w.Close(ctx))
	}
	return w, nil
}

// ErrEnded says that a run that was to be taken up has ended: who found it left has looked while it did.
var ErrEnded = errors.New("the run has ended")

// Resume takes up a run in batches at which nobody works: where it stopped. One that somebody works at is a *[Busy], one that
// has ended, which is [ErrEnded], or is of another kind, Refused.
func Resume(ctx context.Context, d *db.DB, id int64, o Batches) (*Worker, error) {
	run, err := Find(ctx, d, id)
	if err != nil {
		return nil, err
	}
	thing := fmt.Sprintf("run %d", id)
	w := &Worker{o: o.filled(), d: d, run: run}
	if run.Status != Running {
		return nil, &fault.Error{Kind: fault.Refused, Thing: thing, Text: fmt.Sprintf("it is %s, and stays so", run.Status), Err: ErrEnded}
	}
	if _, found, err := readPace(ctx, d, id); err != nil || !found {
		if err == nil {
			err = fault.Errorf(fault.Refused, thing, "another program made it, and nobody can take it up").WithNext(fmt.Sprintf("if that program is gone: lectern authz runs %d --close", id))
		}
		return nil, err
	}
	if err := json.Unmarshal([]byte(run.ask), &w.ask); err != nil {
		return nil, fmt.Errorf("%s: %w", thing, err)
	}
	w.ask.Actor = run.Actor
	if err := w.hold(ctx, w.ask.ofOrg(), id); err != nil {
		return nil, err
	}
	err = d.Update(ctx, func(tx *db.Tx) error {
		p, found, err := readPace(ctx, tx, id)
		if err != nil {
			return err
		}
		if !found {
			return &fault.Error{Kind: fault.Refused, Thing: thing, Text: "it has ended meanwhile", Err: ErrEnded}
		}
		was := p.attempt
		p.attempt++
		w.pace = p
		ok, err := p.write(ctx, tx, id, was)
		if err == nil && !ok {
			err = fmt.Errorf("%s: %w", thing, errTaken)
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, w.Close(ctx))
	}
	return w, nil
}

func (o Batches) filled() Batches {
	if o.Rows <= 0 {
		o.Rows = defaultRows
	}
	if o.Term <= 0 {
		o.Term = defaultTerm
	}
	return o
}

// hold takes the lease of an organization.
func (w *Worker) hold(ctx context.Context, org string, run int64) (err error) {
	w.lease, err = lease.Take(ctx, w.d, leaseName(org), lease.Options{What: "moves roles of " + org, Term: w.o.Term})
	if held, ok := errors.AsType[*fault.Error](err); ok && held.Kind == fault.Refused {
		return &Busy{Run: run, err: fault.Errorf(fault.Conflict, "organization "+org, "roles of it are being moved: %s", held.Text).WithNext("wait until that is done: lectern authz runs --status running")}
	}
	return err
}

// Close gives the lease back. It is to be called once.
func (w *Worker) Close(ctx context.Context) error { return w.lease.Release(ctx) }

// Tell has progress told from now on; nil is nobody.
func (w *Worker) Tell(progress func(step string, done, total int)) { w.o.Progress = progress }

// ID returns the id of the run.
func (w *Worker) ID() int64 { return w.run.ID }

// Scope names the scope, as in "org ORG".
func (w *Worker) Scope() string { return w.ask.String() }

// Turned reports whether the flag was turned already: what is left to do can only be gone on with.
func (w *Worker) Turned() bool { return w.pace.step == stepClean || w.pace.step == stepSpend }

// Run works at the run until it has ended, and returns it as it ended. When ctx ends before that, the run stays where it is,
// to be taken up with [Resume] or taken back with TakeBack. Roles that cannot move, where it is not to keep going, are a
// *[Refusal]: everything is as before then, and the run is failed.
func (w *Worker) Run(ctx context.Context) (*Run, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		switch w.pace.step {
		case stepCopy:
			err = w.copy(ctx)
		case stepTurn:
			err = w.turn(ctx)
		case stepClean:
			err = w.clean(ctx)
		case stepSpend:
			return w.spend(ctx)
		case stepUndo:
			return w.undo(ctx, w.cause, false)
		default:
			return nil, fmt.Errorf("run %d: step %q is not known", w.run.ID, w.pace.step)
		}
		if err != nil {
			return nil, err
		}
		if w.o.Progress != nil {
			w.o.Progress(w.pace.step.text(), int(w.pace.done), int(max(w.pace.total, w.pace.done)))
		}
	}
}

func (s step) text() string {
	switch s {
	case stepCopy:
		return "copy roles"
	case stepTurn:
		return "catch up"
	case stepUndo:
		return "take back"
	}
	return "clean up"
}

// TakeBack ends the run as failed, with what was copied taken back. Where the flag was turned already it is gone on with, as
// people have their roles by the copies then. abandoned says that another has left it (authz-migration.md §14, M-40).
func (w *Worker) TakeBack(ctx context.Context, cause error, abandoned bool) (*Run, error) {
	if w.Turned() {
		return w.Run(ctx)
	}
	if w.pace.step != stepUndo {
		err := w.step(ctx, func(*db.Tx, *stepping) error { return nil }, func(p *pace) { p.step, p.after, p.done = stepUndo, 0, 0 })
		if err != nil {
			return nil, err
		}
	}
	return w.undo(ctx, cause, abandoned)
}

// stepping is what one transaction of a run does besides its statements.
type stepping struct {
	touched bool // others have changed assignments of the scope since the last look
	changes []authz.Change
}

func (s *stepping) took(m *mover) { s.changes = append(s.changes, m.out.Changes...) }

// step does one batch in a transaction of its own: it takes the turn to change the policy, sees that the run is still this
// worker's, does fn, and writes what next makes of the pace. fn may run again, and must set what it leaves behind.
func (w *Worker) step(ctx context.Context, fn func(tx *db.Tx, s *stepping) error, next func(p *pace)) error {
	if err := w.lease.Check(ctx); err != nil {
		return err
	}
	var p pace
	var s stepping
	var touched bool
	err := w.d.Update(ctx, func(tx *db.Tx) error {
		p, s, touched = w.pace, stepping{}, false
		version, err := authz.Turn(ctx, tx)
		if err != nil {
			return err
		}
		if status, found, err := db.One(ctx, tx, "SELECT status FROM "+runTable+" WHERE id = ?", []any{w.run.ID}, db.Value[string]); err != nil || !found || Status(status) != Running {
			return errors.Join(err, w.taken())
		}
		if version != p.version {
			if touched, err = authz.Touched(ctx, tx, p.version, version, w.ask.Org, w.ask.course()); err != nil {
				return err
			}
		}
		s.touched = touched || w.touched
		if err := fn(tx, &s); err != nil {
			return err
		}
		if p.version = version; len(s.changes) > 0 {
			p.version = s.changes[len(s.changes)-1].Version
		}
		p.dirty = p.dirty || touched
		next(&p)
		ok, err := p.write(ctx, tx, w.run.ID, w.pace.attempt)
		if err == nil && !ok {
			err = w.taken()
		}
		return err
	})
	if err != nil {
		return err
	}
	w.pace, w.touched = p, w.touched || touched
	return w.tell(s.changes)
}

func (w *Worker) taken() error {
	return &fault.Error{Kind: fault.Conflict, Thing: fmt.Sprintf("run %d", w.run.ID), Text: errTaken.Error(), Next: fmt.Sprintf("see how it stands: lectern authz runs %d", w.run.ID), Err: errTaken}
}

func (w *Worker) tell(changes []authz.Change) error {
	if w.o.Changed == nil {
		return nil
	}
	for _, c := range changes {
		if err := w.o.Changed(c); err != nil {
			return err
		}
	}
	return nil
}

// course returns the course of an ask for one, "" for one for an organization.
func (a Ask) course() string {
	if a.Org != "" {
		return ""
	}
	return a.Courses[0]
}

// selection is the ask's legacy rows.
func (a Ask) selection() legacy.Selection {
	if a.Org != "" {
		return legacy.Selection{Org: a.Org}
	}
	return legacy.Selection{Courses: a.Courses[:1]}
}

// now returns the ask as the flag's other overrides have it at present, and the courses whose own override has them on the
// side of the targets already: copies would count there at once, so they wait for the turn.
func (w *Worker) now(ctx context.Context, q db.Querier) (ask Ask, early map[string]bool, err error) {
	s, err := flags.Load(ctx, q, flags.Authoring)
	if err != nil {
		return ask, nil, err
	}
	return w.nowAt(s, q.Engine().MySQLFamily())
}

func (w *Worker) nowAt(s *flags.State, fold bool) (ask Ask, early map[string]bool, err error) {
	ask = w.ask
	scope, err := ask.Scope()
	if err != nil {
		return ask, nil, err
	}
	on := ask.Direction == Forward
	ask.Excluded = AskFor(s, scope, on, fold).Excluded
	early = map[string]bool{}
	if ask.Turn == nil || ask.Org == "" {
		return ask, early, nil
	}
	there := s.States().Courses.On
	if !on {
		there = s.States().Courses.Off
	}
	for _, c := range there {
		if fold {
			c = slug.Fold(c)
		}
		early[c] = true
	}
	return ask, early, nil
}
