package roleshift

import (
	"fmt"
	"strings"

	"github.com/openlectern/lectern/fault"
)

// Refusal is the error of a move of which rows cannot move that ought to.
type Refusal struct {
	Run   int64 // that tells of it; 0 until it is written
	Moves *Moves
	err   *fault.Error
}

// maxNamed is how many of the rows an error names.
const maxNamed = 5

func newRefusal(m *Moves) *Refusal {
	var text strings.Builder
	n := 0
	for _, r := range m.Records {
		if r.Outcome != Error {
			continue
		}
		if n++; n > maxNamed {
			continue
		}
		if n > 1 {
			text.WriteString("; ")
		}
		fmt.Fprintf(&text, "%s as %s @ %s: %s: %s", r.User, r.Role, r.Scope, r.Reason, r.Text)
	}
	if n > maxNamed {
		fmt.Fprintf(&text, "; and %d more", n-maxNamed)
	}
	return &Refusal{Moves: m, err: &fault.Error{Kind: fault.Refused, Thing: fmt.Sprintf("%d of %d roles", n, len(m.Records)), Text: text.String(),
		Next: "nothing was changed: put these right, or go on without them: --keep-going"}}
}

func (e *Refusal) Error() string { return "roles cannot move: " + e.err.Error() }

// Unwrap returns the fault.
func (e *Refusal) Unwrap() error { return e.err }
