package bson

import (
	"fmt"
	"strings"
)

// Error says what is wrong with a document, and where.
type Error struct {
	File   string // the file or collection it was read from, "" for bytes at hand
	Offset int64  // in bytes, in the unpacked file or the document at hand
	Field  string // the path of keys, with dots; "" for the document as a whole
	Reason string
	// Lost is true where nothing after the place can be read; else only this document is bad, and the next one follows.
	Lost bool
	Err  error // what the file itself answered, may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File + ": ")
	}
	fmt.Fprintf(&b, "byte %d: ", e.Offset)
	if e.Field != "" {
		fmt.Fprintf(&b, "field %q: ", e.Field)
	}
	b.WriteString(e.Reason)
	return b.String()
}

// Unwrap returns what the file itself answered.
func (e *Error) Unwrap() error { return e.Err }
