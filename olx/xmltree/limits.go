package xmltree

import (
	"fmt"

	"github.com/openlectern/lectern/fault"
)

// Limits bounds what a document may hold. A zero field means its default (olx.md §5.2).
type Limits struct {
	Depth int // levels of elements, the root being the first; 256, and no more than that
	Nodes int // elements, texts, CDATA sections, comments and instructions in a file; 1,000,000
	Attrs int // attributes and namespace declarations of an element; 10,000
	Value int // bytes of one attribute value; 16 MiB
	Size  int // bytes of the file; 32 MiB
}

// The tree is walked by recursion, which the depth bounds.
const maxDepth = 256

func (l Limits) withDefaults() Limits {
	set := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&l.Depth, maxDepth)
	set(&l.Nodes, 1_000_000)
	set(&l.Attrs, 10_000)
	set(&l.Value, 16<<20)
	set(&l.Size, 32<<20)
	l.Depth = min(l.Depth, maxDepth)
	l.Size = min(l.Size, 1<<31-1) // spans are 32 bits wide
	return l
}

// The rules that a document can break, under the names of validation findings (olx.md §4).
const (
	InvalidXML  = "InvalidXML"
	BadEncoding = "BadEncoding"
)

// Error says where a document is not what this package reads.
type Error struct {
	File   string
	Line   int    // from 1
	Column int    // in characters, from 1
	Rule   string // InvalidXML or BadEncoding
	Text   string // the reason, lower case, no full stop
}

func (e *Error) Error() string { return e.place() + ": " + e.Text }

func (e *Error) place() string { return fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column) }

// Unwrap makes the error one of kind fault.Invalid.
func (e *Error) Unwrap() error {
	return &fault.Error{Kind: fault.Invalid, Thing: e.place(), Text: e.Text}
}
