package authz

import (
	"errors"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/user"
)

// Options say in whose name permissions are changed. The zero value is the system itself, without a reason.
type Options struct {
	Actor  user.ID // who does it; 0 is nobody, as outside a request
	Reason string  // why, for the audit; cut to 500 characters
	Run    int64   // the run of a move of roles that does it, 0 for none
	// KeepGoing makes all grants that can be made: those that cannot come back with their error. Without it the first
	// that cannot be made is an error, and nothing is written.
	KeepGoing bool
}

// Outcome says what became of one grant.
type Outcome uint8

// The outcomes.
const (
	Failed  Outcome = iota // it could not be: see Err
	Added                  // it was made
	Present                // it was there already
	Removed                // it was taken back
	Absent                 // there was nothing to take back
)

func (o Outcome) String() string {
	return [...]string{"failed", "added", "present", "removed", "absent"}[o]
}

// Result is what became of one grant.
type Result struct {
	Grant   Grant
	Outcome Outcome
	Err     *GrantError // of a Failed one
}

// Written is what a call changed.
type Written struct {
	Results []Result // in the order of what was asked for
	Change  Change   // for the engine of this process, to be applied once the transaction is committed
}

// Count returns how many of the results have an outcome.
func (w *Written) Count(o Outcome) int {
	n := 0
	for _, r := range w.Results {
		if r.Outcome == o {
			n++
		}
	}
	return n
}

// maxNamed is how many of the grants that cannot be made an error names.
const maxNamed = 5

// refuse returns the error of a call that must do all or nothing, nil where nothing failed.
func refuse(results []Result) error {
	var all []error
	for _, r := range results {
		if r.Err != nil {
			all = append(all, r.Err)
		}
	}
	if len(all) <= 1 {
		return errors.Join(all...)
	}
	var text strings.Builder
	for i, err := range all[:min(len(all), maxNamed)] {
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(err.Error())
	}
	if n := len(all) - maxNamed; n > 0 {
		fmt.Fprintf(&text, "; and %d more", n)
	}
	return &fault.Error{Kind: fault.KindOf(all[0]), Thing: fmt.Sprintf("%d of %d assignments", len(all), len(results)), Text: text.String(),
		Next: "nothing was changed: leave these out, or keep going without them", Err: errors.Join(all...)}
}
