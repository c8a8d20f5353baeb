package roleshift

import (
	"fmt"
	"strings"

	"github.com/openlectern/lectern/fault"
)

// Refusal is the error of a move of which rows cannot move that ought to.
type Refusal struct {
	Run    int64  // that tells of it; 0 until it is written
	Moves  *Moves // nil of a run in batches
	Errors int    // how many rows
	err    *fault.Error
}

// maxNamed is how many of the rows an error names.
const maxNamed = 5

func newRefusal(m *Moves) *Refusal {
	var list []Record
	n := 0
	for _, r := range m.Records {
		if r.Outcome == Error {
			if n++; n <= maxNamed {
				list = append(list, r)
			}
		}
	}
	return refusalOf(list, n, len(m.Records), m)
}

// refusalOf names the first of n rows of all.
func refusalOf(list []Record, n, all int, m *Moves) *Refusal {
	var text strings.Builder
	for i, r := range list {
		if i > 0 {
			text.WriteString("; ")
		}
		fmt.Fprintf(&text, "%s as %s @ %s: %s: %s", r.User, r.Role, r.Scope, r.Reason, r.Text)
	}
	if n > len(list) {
		fmt.Fprintf(&text, "; and %d more", n-len(list))
	}
	return &Refusal{Moves: m, Errors: n, err: &fault.Error{Kind: fault.Refused, Thing: fmt.Sprintf("%d of %d roles", n, all), Text: text.String(),
		Next: "nothing was changed: put these right, or go on without them: --keep-going"}}
}

func (e *Refusal) Error() string { return "roles cannot move: " + e.err.Error() }

// Unwrap returns the fault.
func (e *Refusal) Unwrap() error { return e.err }
