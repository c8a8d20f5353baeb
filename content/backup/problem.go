package backup

import (
	"fmt"
	"strings"

	"github.com/openlectern/lectern/fault"
)

// Problem is one thing that is wrong with an archive, or odd: in which file, which field, and a stable code.
type Problem struct {
	File    string `json:"file"`              // path in the archive
	Section string `json:"section,omitempty"` // of package.toml and collections, as Python names it
	Field   string `json:"field,omitempty"`
	Code    string `json:"code"`
	Text    string `json:"message"`
}

// Label returns the file with its section: what Python's log calls it (backup-format.md §6.2).
func (p Problem) Label() string {
	if p.Section == "" {
		return p.File
	}
	return p.File + " " + p.Section
}

func (p Problem) String() string {
	s := p.Label() + ": "
	if p.Field != "" {
		s += p.Field + ": "
	}
	return s + p.Text
}

// The codes of problems. Those of fields are the ones that the reference's forms use.
const (
	CodeRequired  = "required"
	CodeBlank     = "blank"
	CodeInvalid   = "invalid"
	CodeNull      = "null" // a table that is missing
	CodeDate      = "date" // a date where a time should be
	CodeNUL       = "null_characters_not_allowed"
	CodeTooLong   = "max_length"
	CodeTooLow    = "min_value"
	CodeTooLarge  = "max_size"
	CodeMissing   = "missing"         // a file or folder that should be there
	CodeUnknown   = "unknown"         // a key that nothing in the archive has
	CodeDuplicate = "duplicate"       // a key that something else in the archive has
	CodeTOML      = "toml"            // no valid TOML
	CodeEncoding  = "encoding"        // not UTF-8
	CodePath      = "path"            // a path that cannot be stored
	CodeCode      = "code"            // a key that is no code
	CodeVersion   = "format_version"  // a format that this program does not read
	CodeIgnored   = "ignored"         // a file or field without meaning
	CodeDamaged   = "damaged"         // the zip is broken there
	CodeDraft     = "pending_delete"  // a draft that was deleted
	CodeLoss      = "not_restored"    // what another program, or no program, will restore
	CodeReadable  = "only_lectern"    // an archive that only Lectern restores
	CodePadding   = "outer_space"     // white space that is trimmed on reading
	CodePinned    = "pinned_children" // pins that other programs lose
)

// maxProblems bounds what a hostile archive can make a report hold.
const maxProblems = 1000

// Problems is the list of what is wrong with an archive. As an error it is of kind fault.Invalid.
type Problems struct {
	Archive string
	List    []Problem
	More    int // problems beyond the first thousand, counted only
}

func (p *Problems) add(file, section, field, code, format string, args ...any) {
	if len(p.List) >= maxProblems {
		p.More++
		return
	}
	p.List = append(p.List, Problem{file, section, field, code, fmt.Sprintf(format, args...)})
}

// Len returns how many there are.
func (p *Problems) Len() int { return len(p.List) + p.More }

func (p *Problems) Error() string {
	if len(p.List) == 0 {
		return p.Archive + ": no problems"
	}
	if n := p.Len() - 1; n > 0 {
		return fmt.Sprintf("%s: %s, and %d more", p.Archive, p.List[0], n)
	}
	return p.Archive + ": " + p.List[0].String()
}

// Log returns all of them as lines, headed as Python's log is (backup-format.md §6.2).
func (p *Problems) Log() string {
	var b strings.Builder
	b.WriteString("Errors encountered during restore:\n")
	for _, one := range p.List {
		b.WriteString(one.String() + "\n")
	}
	if p.More > 0 {
		fmt.Fprintf(&b, "and %d more\n", p.More)
	}
	return b.String()
}

// Unwrap makes the error one of kind fault.Invalid.
func (p *Problems) Unwrap() error {
	return fault.Errorf(fault.Invalid, p.Archive, "%d problems", p.Len()).WithNext("correct the archive, or take another backup")
}
