package job

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/fault"
)

// Status is where a job stands (cli.md).
type Status string

// The states of a job. The last three are final, until somebody asks for another run.
const (
	Queued    Status = "queued"
	Running   Status = "running"
	Done      Status = "done"
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
)

// Statuses are all states, in the order of a job's life.
var Statuses = []Status{Queued, Running, Done, Failed, Cancelled}

// Final reports whether nothing will happen to the job by itself.
func (s Status) Final() bool { return s == Done || s == Failed || s == Cancelled }

// Job is one piece of long work.
type Job struct {
	ID         int64
	UUID       uuid.UUID // names its folder of files
	Kind       string    // what is done, such as "course import"
	Thing      string    // to what: a key, or the name of a file
	Status     Status
	Foreground bool   // done by the command that made it; nobody else can
	Place      string // where its files lie; only who works there can do it. "" is anywhere
	Attempt    int    // how often it was begun
	Spare      int    // how often it may be begun again by itself when its worker is lost
	Cancel     bool   // somebody has asked for its end
	Worker     string // who did or does it, for people
	Arguments  json.RawMessage
	Progress   Progress
	Result     json.RawMessage // nil for none; failed jobs may have one
	Files      []File          // that it made
	Error      *Error          // of failed jobs, and of interrupted ones
	By         int64           // row of auth_user, 0 is nobody
	Created    time.Time
	Started    *time.Time // the last time
	Finished   *time.Time
}

// lease is the name of the lease that the worker of an attempt holds.
func (j *Job) lease(attempt int) string { return fmt.Sprintf("%s%s %d", leasePrefix, j.UUID, attempt) }

const leasePrefix = "job "

// name is what messages call the job.
func (j *Job) name() string { return fmt.Sprintf("job %d", j.ID) }

// Progress is how far a job is: in which step, and with how many of how many items of it. A total of 0 is not known.
type Progress struct {
	Step  string `json:"step"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

// File is a file that a job made, in its folder.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Error is why a job failed, as commands tell it (cli.md).
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Thing   string `json:"thing"`
	Next    string `json:"next"`
}

// describe makes of a failure what people are told. Texts that are not meant for users stay out of the row, as others than
// the operator read it.
func describe(err error, name string) *Error {
	f := told(err)
	if f == nil {
		return &Error{Code: fault.KindOf(err).Code(), Message: "it failed for a reason that only the log of who ran it tells",
			Next: "look there for " + name + ", and run it again"}
	}
	return &Error{f.Kind.Code(), f.Text, f.Thing, f.Next}
}

// Line is a line of a job's log.
type Line struct {
	At   time.Time
	Text string
}

// lost changes a job of which the worker is gone to what becomes of it.
func (j *Job) lost(now time.Time) {
	switch {
	case j.Cancel:
		j.Status, j.Finished = Cancelled, &now
	case j.Foreground:
		j.Status, j.Finished = Failed, &now
		j.Error = &Error{fault.Interrupted.Code(), "the command ended without saying how", j.Thing, "see what is there, and run the command again"}
	case j.Spare > 0:
		j.Status, j.Started, j.Progress = Queued, nil, Progress{}
		j.Spare--
	default:
		j.Status, j.Finished = Failed, &now
		j.Error = &Error{fault.Interrupted.Code(), "who ran it ended without saying how", j.Thing,
			fmt.Sprintf("see what is there, and if it was not done: lectern job retry %d", j.ID)}
	}
}
