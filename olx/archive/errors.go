package archive

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/openlectern/lectern/fault"
)

// The rules that an archive can break, under the names of validation findings (olx.md §4).
const (
	Unsafe         = "ArchiveUnsafe"   // a member of a forbidden type or name, or a container that contradicts itself
	TooLarge       = "ArchiveTooLarge" // a limit is passed
	DuplicateEntry = "DuplicateEntry"  // two members of one name, or a name that is file and directory
	BadEncoding    = "BadEncoding"     // a name that is not UTF-8
	Damaged        = "ArchiveDamaged"  // cut short, corrupt, or no archive at all
)

// Error says why an archive is refused, or why one of its files cannot be read.
type Error struct {
	Archive string // the path that was opened
	Member  string // the name as the archive has it; empty when it is about the archive as a whole
	Rule    string // Unsafe, TooLarge, DuplicateEntry, BadEncoding or Damaged
	Text    string // the reason, lower case, no full stop
	Err     error  // the cause, may be nil
}

func (e *Error) Error() string { return e.thing() + ": " + e.Text }

func (e *Error) thing() string {
	if e.Member == "" {
		return e.Archive
	}
	return e.Archive + ": " + printable(e.Member)
}

// Unwrap makes the error one of kind fault.Invalid and gives its cause.
func (e *Error) Unwrap() []error {
	f := &fault.Error{Kind: fault.Invalid, Thing: e.thing(), Text: e.Text}
	if e.Err == nil {
		return []error{f}
	}
	return []error{f, e.Err}
}

// Warning is something odd about an archive that does not stop it from being read.
type Warning struct {
	Member string
	Rule   string
	Text   string
}

// refuse makes an error without the archive's path, which Open fills in.
func refuse(member, rule, format string, args ...any) *Error {
	return &Error{Member: member, Rule: rule, Text: fmt.Sprintf(format, args...)}
}

// printable quotes a name that would garble a terminal or a log, and cuts one that is absurdly long.
func printable(name string) string {
	const longest = 200
	if len(name) > longest {
		cut := longest
		for cut > 0 && !utf8.RuneStart(name[cut]) {
			cut--
		}
		name = name[:cut] + "…"
	}
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }
	if name == "" || strings.IndexFunc(name, odd) >= 0 {
		return fmt.Sprintf("%q", name)
	}
	return name
}
