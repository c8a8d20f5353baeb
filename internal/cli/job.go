package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/job"
)

// jobList is the document of the jobs.
type jobList struct {
	Jobs []jobLine `json:"jobs"`
}

// jobLine is a job in a list.
type jobLine struct {
	ID       int64        `json:"id"`
	Kind     string       `json:"kind"`
	Thing    string       `json:"thing"`
	Status   job.Status   `json:"status"`
	Progress job.Progress `json:"progress"`
	By       *string      `json:"by"`
	Created  stamp        `json:"created"`
	Started  *stamp       `json:"started"`
	Finished *stamp       `json:"finished"`
	Error    *job.Error   `json:"error"`
	Command  bool         `json:"command"` // it is or was the work of a command, which only the command can do again
	Attempt  int          `json:"attempt"`
	Worker   string       `json:"worker"`
	Cancel   bool         `json:"cancel"` // its end was asked for
}

func newJobLine(j app.Job) jobLine {
	return jobLine{j.ID, j.Kind, j.Thing, j.Status, j.Progress, j.Name, stamp(j.Created), stampOf(j.Started), stampOf(j.Finished), j.Error,
		j.Foreground, j.Attempt, j.Worker, j.Cancel}
}

// far says how far a job is.
func (l jobLine) far() string {
	switch {
	case l.Status == job.Running && l.Progress.Step != "":
		return describe(l.Progress.Step, l.Progress.Done, l.Progress.Total, 0, 0)
	case l.Error != nil:
		return l.Error.Message
	}
	return ""
}

func (d jobList) text(w *textWriter) {
	if len(d.Jobs) == 0 {
		w.line("no jobs")
		return
	}
	w.row("JOB", "STATUS", "KIND", "THING", "BY", "CREATED (UTC)", "")
	for _, l := range d.Jobs {
		by := "-"
		if l.By != nil {
			by = *l.By
		}
		w.row(l.ID, l.Status, l.Kind, l.Thing, by, l.Created.short(), l.far())
	}
}

// shownJob is the document of one job.
type shownJob struct {
	jobLine
	Arguments any        `json:"arguments"`
	Result    any        `json:"result"` // what the command of that name prints, or near to it; null for none
	Files     []job.File `json:"files"`
	Log       []logLine  `json:"log"`
}

type logLine struct {
	At   stamp  `json:"at"`
	Line string `json:"line"`
}

func newShownJob(j app.Job, log []job.Line) shownJob {
	d := shownJob{jobLine: newJobLine(j), Arguments: j.Arguments, Files: j.Files, Log: make([]logLine, len(log))}
	if j.Result != nil {
		d.Result = j.Result
	}
	for i, l := range log {
		d.Log[i] = logLine{stamp(l.At), l.Text}
	}
	return d
}

func (d shownJob) text(w *textWriter) {
	w.line("job %d: %s of %s is %s", d.ID, d.Kind, plain(d.Thing), d.Status)
	if d.By != nil {
		w.line("  asked for by %s", plain(*d.By))
	}
	if d.Worker != "" {
		w.line("  attempt %d, by %s", d.Attempt, plain(d.Worker))
	}
	if s := d.far(); s != "" {
		w.line("  %s", plain(s))
	}
	if d.Error != nil && d.Error.Next != "" {
		w.line("  next: %s", plain(d.Error.Next))
	}
	for _, f := range d.Files {
		w.line("  made %s, %d bytes, sha256 %s", f.Name, f.Bytes, f.SHA256)
	}
	for _, l := range d.Log {
		w.line("  %s %s", l.At.short(), plain(l.Line))
	}
	if d.Result != nil {
		w.line("%s", d.Result)
	}
}

// workedJobs is the document of a worker when it ends.
type workedJobs struct {
	Done   int `json:"done"`
	Failed int `json:"failed"`
}

func (d workedJobs) text(w *textWriter) {
	w.line("%s done, %d failed", count(d.Done, "job", "jobs"), d.Failed)
}

func (c *cli) jobCommand() *cobra.Command {
	return c.family("job", "See long work, stop it, and try it again",
		verb{c.jobListCommand(), jobList{}}, verb{c.jobShowCommand(), shownJob{}},
		verb{c.jobChangeCommand("cancel", "Ask for the end of a job",
			`Cancel ends a job that waits at once; who does one that runs hears of it within about a second, and leaves things as they were
before it, or such that another run goes on with it. The job of a command ends the command.`, (*app.App).CancelJob), jobList{}},
		verb{c.jobChangeCommand("retry", "Put a job that failed or was cancelled into the queue again",
			`Retry lets a job be done again, by a server or by lectern job work, with what it was given the first time. A job of a command
cannot be: run the command again.`, (*app.App).RetryJob), jobList{}},
		verb{c.jobWorkCommand(), workedJobs{}})
}

func (c *cli) jobListCommand() *cobra.Command {
	var f job.Filter
	var states []string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List jobs, the newest first",
		Long: `List shows long work: what servers do for people, and the imports, exports, backups, restores and prunes of commands. Jobs that have
ended are kept for a month. With --as only the user's own, unless the user is staff.`,
		Args: cobra.NoArgs,
		Example: `  lectern job list
  lectern job list --status running --status queued`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, s := range states {
				one := job.Status(s)
				if !validStatus(one) {
					return usage("--status", "%q is none", s).WithNext("states: queued, running, done, failed, cancelled")
				}
				f.Status = append(f.Status, one)
			}
			if f.Limit < 0 {
				return usage("--limit", "it is negative")
			}
			return c.withJobs(cmd.Context(), reading, func(a *app.App) error {
				list, err := a.Jobs(cmd.Context(), f)
				if err != nil {
					return err
				}
				d := jobList{make([]jobLine, len(list))}
				for i, j := range list {
					d.Jobs[i] = newJobLine(j)
				}
				return c.print(d)
			})
		},
	}
	cmd.Flags().StringSliceVar(&states, "status", nil, "only in a `state`: queued, running, done, failed or cancelled")
	cmd.Flags().StringVar(&f.Kind, "kind", "", "only of a `kind`, such as \"course import\"")
	cmd.Flags().IntVar(&f.Limit, "limit", 50, "the newest so `many`; 0 for all")
	return cmd
}

// withJobs is with for what concerns jobs alone: also while the tables are changed, which is a job, too.
func (c *cli) withJobs(ctx context.Context, use use, fn func(*app.App) error) error {
	conf := c.config(use)
	conf.OnlyJobs = true
	a, err := app.Open(ctx, conf)
	if err != nil {
		return err
	}
	return errors.Join(fn(a), a.Close())
}

func validStatus(s job.Status) bool {
	for _, known := range job.Statuses {
		if s == known {
			return true
		}
	}
	return false
}

// jobID reads the number of a job.
func jobID(text string) (int64, error) {
	ids, err := rowIDs([]string{text})
	if err != nil {
		return 0, usage(text, "it is not the number of a job").WithNext("see what there is with: lectern job list")
	}
	return ids[0], nil
}

func (c *cli) jobShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show a job with its log and result",
		Args:    cobra.ExactArgs(1),
		Example: `  lectern job show 12`,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := jobID(args[0])
			if err != nil {
				return err
			}
			return c.withJobs(cmd.Context(), reading, func(a *app.App) error {
				j, err := a.Job(cmd.Context(), id)
				if err != nil {
					return err
				}
				log, err := a.JobLog(cmd.Context(), id)
				if err != nil {
					return err
				}
				return c.print(newShownJob(j, log))
			})
		},
	}
}

// jobChange is a use case that changes one job.
type jobChange func(*app.App, context.Context, int64) (app.Job, error)

func (c *cli) jobChangeCommand(name, short, long string, do jobChange) *cobra.Command {
	return &cobra.Command{
		Use:     name + " ID",
		Short:   short,
		Long:    long,
		Args:    cobra.ExactArgs(1),
		Example: `  lectern job ` + name + ` 12`,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := jobID(args[0])
			if err != nil {
				return err
			}
			return c.withJobs(cmd.Context(), writing, func(a *app.App) error {
				j, err := do(a, cmd.Context(), id)
				if err != nil {
					return err
				}
				return c.print(jobList{[]jobLine{newJobLine(j)}})
			})
		},
	}
}

func (c *cli) jobWorkCommand() *cobra.Command {
	var w app.JobWorker
	cmd := &cobra.Command{
		Use:   "work [--once]",
		Short: "Do the jobs that wait, without a server",
		Long: `Work does jobs of the queue until it is stopped, as servers do; with --once those that wait now. It does jobs whose files lie in its own
data folder. When it is stopped, what it was at goes back into the queue.`,
		Args:    cobra.NoArgs,
		Example: `  lectern job work --once`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if w.Workers <= 0 {
				return usage("--workers", "it must be positive")
			}
			var d workedJobs
			ended := make(chan job.Status, 1)
			counted := make(chan struct{})
			go func() {
				defer close(counted)
				for s := range ended {
					switch s {
					case job.Done:
						d.Done++
					case job.Failed:
						d.Failed++
					}
				}
			}()
			w.Ended = func(j job.Job, err error) {
				ended <- j.Status
				c.tell("%s", endOf(j, err))
			}
			w.Trouble = func(err error) { c.tell("lectern: %s", plain(err.Error())) }
			err := c.with(cmd.Context(), writing, func(a *app.App) error { return a.WorkJobs(cmd.Context(), w) })
			close(ended)
			<-counted
			if err != nil {
				return err
			}
			return c.print(d)
		},
	}
	cmd.Flags().BoolVar(&w.Once, "once", false, "do what waits now, and end")
	cmd.Flags().IntVar(&w.Workers, "workers", 2, "`number` of jobs at the same time")
	return cmd
}

// endOf says in a line how a job has ended.
func endOf(j job.Job, err error) string {
	s := fmt.Sprintf("job %d: %s of %s: %s", j.ID, j.Kind, plain(j.Thing), j.Status)
	if j.Started != nil && j.Finished != nil {
		s += " after " + j.Finished.Sub(*j.Started).Round(time.Millisecond).String()
	}
	if err != nil && j.Status == job.Failed {
		text := err.Error()
		var f *fault.Error
		if errors.As(err, &f) {
			text = f.Error()
		}
		s += ": " + plain(strings.TrimSpace(text))
	}
	return s
}
