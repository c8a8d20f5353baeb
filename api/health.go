package api

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/fault"
)

// Check is one thing that must hold for the server to be ready. Probe returns nil, or why not; it is called from one
// goroutine at a time and gets a context that ends soon.
type Check struct {
	Name  string
	Probe func(context.Context) error
}

// How often and how long checks look.
const (
	checkEvery = 2 * time.Second
	checkLimit = 5 * time.Second
)

// readiness keeps what the checks found, so that asking costs nothing, however often.
type readiness struct {
	checks []Check

	look sync.Mutex // held while the checks run

	mu       sync.RWMutex // guards what follows
	problems []error      // by check, nil for what is well
	looked   bool
	first    chan struct{} // closed when requests can be served for the first time
	opened   bool          // it is
}

// refresh runs all checks.
func (rd *readiness) refresh(ctx context.Context) {
	rd.look.Lock()
	defer rd.look.Unlock()
	found := make([]error, len(rd.checks))
	for i, c := range rd.checks {
		limited, cancel := context.WithTimeout(ctx, checkLimit)
		found[i] = c.Probe(limited)
		cancel()
	}
	if ctx.Err() != nil {
		return // what the checks say then is of the server's end
	}
	rd.mu.Lock()
	defer rd.mu.Unlock()
	rd.problems, rd.looked = found, true
	if !rd.opened && (len(found) == 0 || found[0] == nil) {
		rd.opened = true
		close(rd.first)
	}
}

// watch runs the checks until ctx ends.
func (rd *readiness) watch(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			rd.refresh(ctx)
		}
	}
}

var errStarting = fault.Errorf(fault.Unavailable, "server", "it is starting")

// database returns why requests cannot be answered, nil when they can: of the checks only the first, the database's, bars
// requests; the others tell load balancers to send fewer.
func (rd *readiness) database() error {
	rd.mu.RLock()
	defer rd.mu.RUnlock()
	switch {
	case len(rd.checks) == 0:
		return nil
	case !rd.looked:
		return errStarting
	}
	return rd.problems[0]
}

// unready makes the answer to requests that need the database while it is not ready.
func unready(err error) *Problem {
	p := told(err)
	return &Problem{Status: http.StatusServiceUnavailable, Detail: "Not ready: " + p.Detail, Next: p.Next}
}

// told is what may be said of a failed check: the text of a refusal, which names tables and commands, and nothing of what
// a driver says, which may name hosts.
func told(err error) problemBody {
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.Refused {
		return problemBody{Detail: f.Error(), Next: f.Next}
	}
	return problemBody{Detail: "the database does not answer", Next: "see that it runs and can be reached; the server's log says more"}
}

// health is the answer of /healthz.
type health struct {
	Status string `json:"status"`
}

// ready is the answer of /readyz.
type ready struct {
	Ready  bool          `json:"ready"`
	Checks []checkResult `json:"checks"`
}

type checkResult struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
	Next   string `json:"next,omitempty"`
}

func (rd *readiness) routes(rt *Router) {
	rt.Handle(Route{
		Method: http.MethodGet, Path: "/healthz", Access: Open, Early: true, Quiet: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			WriteJSON(w, r, http.StatusOK, health{"ok"})
		}),
		Operation: &huma.Operation{
			OperationID: "healthz", Tags: []string{tagServer}, Summary: "Whether the process is alive",
			Responses: rt.Answers(Answer{http.StatusOK, "It is.", health{}}),
		},
	})
	rt.Handle(Route{
		Method: http.MethodGet, Path: "/readyz", Access: Open, Early: true, Quiet: true,
		Handler: http.HandlerFunc(rd.serve),
		Operation: &huma.Operation{
			OperationID: "readyz", Tags: []string{tagServer}, Summary: "Whether requests can be served",
			Description: "The database answers, has today's tables, and permissions are no staler than promised. " +
				"A check that fails says which command to run.",
			Responses: rt.Answers(Answer{http.StatusOK, "They can.", ready{}}, Answer{http.StatusServiceUnavailable, "They cannot.", ready{}}),
		},
	})
}

func (rd *readiness) serve(w http.ResponseWriter, r *http.Request) {
	rd.mu.RLock()
	doc := ready{Ready: rd.looked || len(rd.checks) == 0, Checks: []checkResult{}}
	for i, c := range rd.checks {
		result := checkResult{Name: c.Name}
		switch {
		case !rd.looked:
			result.Detail = errStarting.Text
		case rd.problems[i] != nil:
			said := told(rd.problems[i])
			if i > 0 && !fault.Is(rd.problems[i], fault.Refused) {
				said = problemBody{Detail: c.Name + " cannot be kept up to date", Next: ""}
			}
			result.Detail, result.Next = said.Detail, said.Next
		default:
			result.OK = true
		}
		doc.Ready = doc.Ready && result.OK
		doc.Checks = append(doc.Checks, result)
	}
	rd.mu.RUnlock()
	status := http.StatusOK
	if !doc.Ready {
		status = http.StatusServiceUnavailable
	}
	WriteJSON(w, r, status, doc)
}
