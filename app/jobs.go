package app

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/user"
)

// Job is a job with the name of who asked for it.
type Job struct {
	job.Job
	Name *string // nil for the operator of the system, and for somebody who is no user any more
}

// NewJob is long work that somebody asks for.
type NewJob struct {
	Kind    string
	Options JobOptions
	Name    string    // of the file that Input is
	Input   io.Reader // what the kind is given: an archive, a backup, a plan
}

// Jobs lists jobs, the newest first: the actor's own, and all to operators.
func (a *App) Jobs(ctx context.Context, f job.Filter) ([]Job, error) {
	if err := a.may(ctx, "Jobs"); err != nil {
		return nil, err
	}
	all, err := a.allJobs(ctx, "Jobs")
	if err != nil {
		return nil, err
	}
	if !all {
		f.By = int64(a.actor.id)
	}
	list, err := a.jobs.List(ctx, f)
	if err != nil {
		return nil, err
	}
	return namedJobs(ctx, a.DB, list)
}

// CountJobs counts the jobs of everybody that wait, run, have failed, or are lost.
func (a *App) CountJobs(ctx context.Context) (job.Counts, error) {
	if err := a.may(ctx, "CountJobs"); err != nil {
		return job.Counts{}, err
	}
	return a.jobs.Count(ctx)
}

// allJobs reports whether the actor sees the jobs of others.
func (a *App) allJobs(ctx context.Context, name string) (bool, error) {
	if a.actor.system {
		return true, nil
	}
	who, err := a.guard().standing(ctx, a.actor, name)
	return err == nil && who.Admin(), err
}

// mayJob asks about a use case on one job: of others than operators it must be the actor's own. What is not shall not be
// known to exist.
func (a *App) mayJob(ctx context.Context, name string, id int64) (job.Job, error) {
	if err := a.may(ctx, name); err != nil {
		return job.Job{}, err
	}
	j, err := a.jobs.Get(ctx, id)
	if err != nil {
		return j, err
	}
	all, err := a.allJobs(ctx, name)
	if err == nil && !all && j.By != int64(a.actor.id) {
		_, err = a.jobs.Get(ctx, 0) // there is none, and that error is it
		var f *fault.Error
		if errors.As(err, &f) {
			f.Thing = jobName(id)
		}
	}
	return j, err
}

func namedJobs(ctx context.Context, q db.Querier, list []job.Job) ([]Job, error) {
	var ids []user.ID
	for _, j := range list {
		if j.By != 0 {
			ids = append(ids, user.ID(j.By))
		}
	}
	slices.Sort(ids)
	names, err := user.Names(ctx, q, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	out := make([]Job, len(list))
	for i, j := range list {
		out[i].Job = j
		if name, ok := names[user.ID(j.By)]; ok {
			out[i].Name = &name
		}
	}
	return out, nil
}

func (a *App) namedJob(ctx context.Context, j job.Job, err error) (Job, error) {
	if err != nil {
		return Job{}, err
	}
	list, err := namedJobs(ctx, a.DB, []job.Job{j})
	if err != nil {
		return Job{}, err
	}
	return list[0], nil
}

// Job returns a job as it stands.
func (a *App) Job(ctx context.Context, id int64) (Job, error) {
	j, err := a.mayJob(ctx, "Job", id)
	return a.namedJob(ctx, j, err)
}

// JobLog returns the log of a job, the oldest line first.
func (a *App) JobLog(ctx context.Context, id int64) ([]job.Line, error) {
	if _, err := a.mayJob(ctx, "JobLog", id); err != nil {
		return nil, err
	}
	return a.jobs.Log(ctx, id)
}

// CancelJob asks for the end of a job.
func (a *App) CancelJob(ctx context.Context, id int64) (Job, error) {
	j, err := a.mayJob(ctx, "CancelJob", id)
	if err == nil && !a.dryRun {
		j, err = a.jobs.Cancel(ctx, id)
		if err == nil && j.Kind == MigrateLibraryJob {
			err = a.cancelTask(ctx, j.UUID)
		}
	}
	return a.namedJob(ctx, j, err)
}

// RetryJob puts a job that failed or was cancelled into the queue again.
func (a *App) RetryJob(ctx context.Context, id int64) (Job, error) {
	j, err := a.mayJob(ctx, "RetryJob", id)
	if err == nil && j.Kind == MigrateLibraryJob && !j.Foreground {
		err = fault.Errorf(fault.Refused, jobName(id), "a task that has ended stays as it is").WithNext("ask for the migration once more")
	}
	if err == nil && !a.dryRun {
		j, err = a.jobs.Retry(ctx, id, jobKinds[j.Kind].again)
	}
	return a.namedJob(ctx, j, err)
}

// JobFile opens a file that a job has made; the caller closes it. Where it lies with another server it is Unavailable.
func (a *App) JobFile(ctx context.Context, id int64, name string) (*os.File, job.File, error) {
	j, err := a.mayJob(ctx, "JobFile", id)
	if err != nil {
		return nil, job.File{}, err
	}
	i := slices.IndexFunc(j.Files, func(f job.File) bool { return f.Name == name })
	if i < 0 {
		return nil, job.File{}, fault.Errorf(fault.NotFound, name, "%s has made no such file", jobName(id)).WithNext("see what it has made: its files")
	}
	f, err := os.Open(filepath.Join(a.folder.of(j.UUID), jobOutput, j.Files[i].Name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, job.File{}, fault.Errorf(fault.NotFound, name, "the file lies with another server, or is not there any more").
			WithNext("ask the server that made it; servers that share the data folder share the files")
	}
	return f, j.Files[i], err
}

// StartJob puts a job into the queue. What is not allowed now is refused here; that counts again when it is done. Others
// than operators must name the key of what they bring in.
func (a *App) StartJob(ctx context.Context, n NewJob) (out Job, err error) {
	if err := a.notOld(ctx, n.Kind, jobKinds[n.Kind].input, thePackage(n.Options.Key)); err != nil {
		return out, err
	}
	if err := a.may(ctx, "StartJob"); err != nil {
		return out, err
	}
	k, known := jobKinds[n.Kind]
	switch {
	case !known:
		return out, fault.Errorf(fault.Usage, n.Kind, "there is no such kind of job")
	case k.input != (n.Input != nil):
		return out, fault.Errorf(fault.Usage, n.Kind, "it needs a file, or takes none").WithNext("see the description of the kind")
	}
	if err := a.mayStart(ctx, n); err != nil {
		return out, err
	}
	if a.dryRun {
		return out, nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return out, err
	}
	besides := func(*db.Tx) error { return nil } // what is written with the row
	if n.Kind == MigrateLibraryJob {
		if besides, err = a.pendingTask(ctx, n.Options.Migration, id); err != nil {
			return out, err
		}
	}
	row := job.New{UUID: id, Kind: n.Kind, Thing: cmp.Or(n.Options.Key, plainName(n.Name)), By: int64(a.actor.id), Again: k.again,
		Arguments: jobArguments{n.Options, a.actor.system}}
	if n.Kind == MigrateLibraryJob {
		row.Thing = n.Options.Migration.Target
	}
	if n.Kind == BackupAllJob {
		row.Thing = "all packages"
	}
	if row.Place, err = a.folder.place(); err != nil {
		return out, err
	}
	if k.input {
		if _, err := a.folder.keep(id, n.Name, n.Input, a.uploads); err != nil {
			return out, err
		}
	}
	var j job.Job
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		if err := besides(tx); err != nil {
			return err
		}
		j, err = a.jobs.Add(ctx, tx, row)
		return err
	})
	if err != nil {
		return out, errors.Join(err, a.folder.remove(id))
	}
	a.jobs.Wake()
	return a.namedJob(ctx, j, nil)
}

// mayStart asks whether the actor may do what a job does.
func (a *App) mayStart(ctx context.Context, n NewJob) error {
	o := n.Options
	switch n.Kind {
	case ImportCourseJob, ImportLibraryJob:
		if o.Key == "" {
			return a.may(ctx, "BackupAll") // operators only
		}
		t, err := jobCourse(o.Key, n.Kind == ImportLibraryJob)
		if err == nil {
			_, err = a.mayMake(ctx, "Import", t)
		}
		return err
	case ExportCourseJob, ExportLibraryJob:
		t, err := jobCourse(o.Key, n.Kind == ExportLibraryJob)
		if err == nil && o.Format != "" && o.Format != "tar.gz" && o.Format != "zip" {
			err = fault.Errorf(fault.Usage, "format", "%q is neither tar.gz nor zip", o.Format)
		}
		if err == nil {
			err = a.may(ctx, "Export", t)
		}
		return err
	case BackupJob:
		return a.may(ctx, "Backup", thePackage(o.Key))
	case RestorePackageJob:
		t := thePackage(o.Key)
		if o.Key == "" || o.DeleteOld || t.name == "" {
			return a.may(ctx, "BackupAll")
		}
		_, err := a.mayMake(ctx, "RestorePackage", t)
		return err
	case PruneJob:
		return a.may(ctx, "ApplyPrune")
	case MigrateLibraryJob:
		_, err := a.mayMigrate(ctx, o.Migration)
		return err
	}
	return a.may(ctx, "BackupAll")
}

// jobCourse reads the key of a course or legacy library.
func jobCourse(text string, library bool) (t thing, err error) {
	key, err := keys.ParseCourse(text)
	if err != nil {
		return t, fault.Errorf(fault.Usage, "key", "%w", err).WithNext("name a course or library, such as course-v1:ORG+COURSE+RUN")
	}
	if key.IsCourse() == library {
		return t, fault.Errorf(fault.Usage, text, "it is the key of the other kind: courses and libraries have jobs of their own")
	}
	return theCourse(key)
}

// JobWorker says how [App.WorkJobs] works.
type JobWorker struct {
	Workers int                  // jobs at the same time; default 2
	Once    bool                 // return when nothing is left to do
	Ended   func(job.Job, error) // told of every job, with the cause of a failure; may be nil
	Trouble func(error)          // told what keeps it from its work; may be nil
}

// WorkJobs does jobs of the queue until ctx ends. It runs once at a time in a store.
func (a *App) WorkJobs(ctx context.Context, w JobWorker) error {
	if err := a.may(ctx, "WorkJobs"); err != nil || a.dryRun {
		return err
	}
	place, err := a.folder.place()
	if err != nil {
		return err
	}
	q := a.jobs
	q.Kinds, q.Place, q.Workers, q.Trouble = a.kinds(), place, w.Workers, w.Trouble
	q.Ended = func(j job.Job, err error) {
		if j.Status == job.Done { // others may be tried again, with what they were given
			if err := a.folder.forget(j.UUID); err != nil && w.Trouble != nil {
				w.Trouble(err)
			}
		}
		if w.Ended != nil {
			w.Ended(j, err)
		}
	}
	if err := a.sweepUploads(ctx); err != nil && w.Trouble != nil {
		w.Trouble(err)
	}
	if w.Once {
		return q.Once(ctx)
	}
	q.Work(ctx)
	return nil
}

// sweepUploads removes what was uploaded for jobs that never came to be.
func (a *App) sweepUploads(ctx context.Context) error {
	ids, err := a.folder.left()
	if err != nil || len(ids) == 0 {
		return err
	}
	known, err := job.Known(ctx, a.DB, ids)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if !known[id] {
			errs = append(errs, a.folder.remove(id))
		}
	}
	return errors.Join(errs...)
}

// newQueue returns the jobs of a store.
func newQueue(d *db.DB, f jobFolder) *job.Queue {
	q := &job.Queue{DB: d, Remove: f.remove}
	if d.Engine() == db.SQLite {
		q.Ask, q.Asked = f.ask, f.asked
	}
	return q
}

// jobName is what messages call a job.
func jobName(id int64) string { return "job " + strconv.FormatInt(id, 10) }

// notedWithin is how long a command that only reads waits until it may write down that it works.
const notedWithin = 2 * time.Second

// Recorded lets fn do what a command does, and keeps it as a job that others see and can cancel: the context of fn ends
// then. What fn returns is the job's result. Nothing is kept in a dry run, nor where the database cannot be written, or not
// soon, by a command that only reads.
func (a *App) Recorded(ctx context.Context, kind, about string, progress Progress, fn func(context.Context, Progress) (any, error)) error {
	q, done, err := a.recorder(ctx)
	if err != nil || q == nil {
		_, err := fn(ctx, progress)
		return err
	}
	defer done()
	err = recorded(ctx, q, job.New{Kind: kind, Thing: about, By: int64(a.actor.id), Arguments: struct{}{}}, func(ctx context.Context, r *job.Run) (out job.Outcome, err error) {
		if r == nil {
			out.Result, err = fn(ctx, progress)
			return out, err
		}
		out.Result, err = fn(ctx, func(step string, done, total int) {
			r.Progress(step, done, total)
			if progress != nil {
				progress(step, done, total)
			}
		})
		return out, err
	})
	if q.Within == 0 {
		_, _ = q.SweepSome(ctx, sweptWithCommand) // for sites without a server; what fails now is swept another time
	}
	return err
}

const sweptWithCommand = 20

// recorded lets work do what a command does and keeps it as a job; where it cannot be written down that it begins, work is
// done without one, and its run is nil.
func recorded(ctx context.Context, q *job.Queue, n job.New, work func(context.Context, *job.Run) (job.Outcome, error)) error {
	ran := false
	end, kept, err := q.Do(ctx, n, func(ctx context.Context, r *job.Run) (job.Outcome, error) {
		ran = true
		return work(ctx, r)
	})
	switch {
	case !kept && !ran && ctx.Err() == nil: // somebody else has the database for long
		_, err = work(ctx, nil)
	case kept && end.Status == job.Cancelled && ctx.Err() == nil && err != nil:
		err = &fault.Error{Kind: fault.Interrupted, Thing: jobName(end.ID), Text: "somebody has cancelled it", Next: "see who else works on this: lectern job list", Err: err}
	}
	return err
}

// recorder returns the queue to keep a command's work in, nil where that cannot be.
func (a *App) recorder(ctx context.Context) (q *job.Queue, done func(), err error) {
	switch {
	case a.dryRun || a.temp != "":
		return nil, nil, nil
	case a.reopen == nil:
		return a.jobs, func() {}, nil
	}
	limited, cancel := context.WithTimeout(ctx, notedWithin)
	defer cancel()
	d, err := a.reopen(limited)
	if err != nil {
		return nil, nil, err
	}
	q = newQueue(d, a.folder)
	q.Within = notedWithin
	return q, func() { _ = d.Close() }, nil
}
