package jobs

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/job"
)

// view is a job as it is told (cli.md, job list).
type view struct {
	ID        int64        `json:"id"`
	Kind      string       `json:"kind" doc:"What is done, named like the command that does the same."`
	Thing     string       `json:"thing" doc:"To what: a key, or the name of a file."`
	Status    job.Status   `json:"status" enum:"queued,running,done,failed,cancelled"`
	Progress  job.Progress `json:"progress"`
	By        *string      `json:"by" doc:"Who asked for it; null for the operator of the system."`
	Created   string       `json:"created"`
	Started   *string      `json:"started"`
	Finished  *string      `json:"finished"`
	Error     *failure     `json:"error"`
	Command   bool         `json:"command" doc:"It is the work of a command, which only the command can do again."`
	Attempt   int          `json:"attempt"`
	Cancel    bool         `json:"cancel" doc:"Its end was asked for."`
	Arguments any          `json:"arguments"`
	Result    any          `json:"result" doc:"What came of it, by its kind; null for nothing."`
	Files     []file       `json:"files" doc:"What it has made."`
}

// failure is why a job failed.
type failure job.Error

// Schema implements [huma.SchemaProvider]: null where nothing failed, which a pointer to a struct does not say.
func (failure) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{r.Schema(reflect.TypeFor[job.Error](), true, ""), {Type: "null"}}}
}

type file struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	URL    string `json:"url"`
}

type line struct {
	At   string `json:"at"`
	Line string `json:"line"`
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func stampOf(t *time.Time) *string {
	if t == nil {
		return nil
	}
	s := stamp(*t)
	return &s
}

func viewOf(j app.Job) view {
	v := view{
		ID: j.ID, Kind: j.Kind, Thing: j.Thing, Status: j.Status, Progress: j.Progress, By: j.Name, Created: stamp(j.Created),
		Started: stampOf(j.Started), Finished: stampOf(j.Finished), Error: (*failure)(j.Error), Command: j.Foreground, Attempt: j.Attempt,
		Cancel: j.Cancel, Arguments: j.Arguments, Files: make([]file, len(j.Files)),
	}
	if j.Result != nil {
		v.Result = json.RawMessage(j.Result)
	}
	for i, f := range j.Files {
		v.Files[i] = file{f.Name, f.Bytes, f.SHA256, fileURL(j.ID, f.Name)}
	}
	return v
}
