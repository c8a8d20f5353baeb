// Package fault holds the few kinds of failure that callers decide by, and the one table from kind to
// code and exit status (cli.md). Packages below wrap their causes in an [Error]; nobody reads error text to decide.
package fault

import (
	"context"
	"errors"
	"fmt"
)

// Kind says what sort of failure an error is. The zero Kind is Internal.
type Kind uint8

// The kinds of failure. Their codes and exit statuses are a documented contract (cli.md).
const (
	Internal    Kind = iota // a broken invariant of this program
	Usage                   // flags, arguments, a key, moment or URL that does not parse
	Invalid                 // the content of the input
	NotFound                // the thing named does not exist
	Unavailable             // a server or disk cannot be used now
	Conflict                // it exists already, or its base is stale
	Refused                 // a precondition does not hold
	Denied                  // the person may not
	Interrupted             // stopped by the caller
	OldMongo                // a course of the old store, which is not served any more (modulestore.md §6)
)

var kinds = [...]struct {
	code string
	exit int
}{
	Internal:    {"internal", 1},
	Usage:       {"usage", 2},
	Invalid:     {"invalid", 1},
	NotFound:    {"not_found", 1},
	Unavailable: {"unavailable", 1},
	Conflict:    {"conflict", 3},
	Refused:     {"refused", 3},
	Denied:      {"denied", 3},
	Interrupted: {"interrupted", 130},
	OldMongo:    {"old_mongo", 3},
}

// Code returns the stable code of the kind, such as "not_found".
func (k Kind) Code() string { return kinds[k].code }

// Exit returns the exit status of a command that ends with this kind of failure.
func (k Kind) Exit() int { return kinds[k].exit }

// Error is a failure told to a person: which thing, why, and what to do next. Err, if set, is the cause, for errors.Is
// and errors.As; Text already says of it what a person needs.
type Error struct {
	Kind  Kind
	Thing string // what the failure is about: a key, a file and line, a flag
	Text  string // the reason, lower case, no full stop
	Next  string // the next step to take, may be empty
	Err   error  // the cause, may be nil
	Data  any    // further fields of the JSON error document, may be nil (the sides of a conflict)
}

func (e *Error) Error() string {
	s := e.Text
	if e.Thing != "" {
		s = e.Thing + ": " + s
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of kind k about thing. The format may wrap a cause with %w.
func Errorf(k Kind, thing, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Thing: thing, Text: err.Error(), Err: errors.Unwrap(err)}
}

// WithNext sets the next step and returns e.
func (e *Error) WithNext(next string) *Error {
	e.Next = next
	return e
}

// KindOf returns the kind of the first [Error] in err's tree. A cancelled or timed-out context is Interrupted;
// anything else is Internal. KindOf(nil) is Internal: ask only about errors.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Interrupted
	}
	return Internal
}

// Is reports whether err is of kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }
