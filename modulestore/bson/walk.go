package bson

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// Doc is a whole document or array that has been checked. The zero Doc is empty.
type Doc []byte

// All yields the keys and values in order. Keys are bytes of the document.
func (d Doc) All() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		if len(d) == 0 {
			return
		}
		for at := 4; d[at] != 0; {
			t := Type(d[at])
			at++
			end := at + bytes.IndexByte(d[at:], 0)
			key := d[at:end]
			n, _ := size(t, d[end+1:])
			at = end + 1 + n
			if !yield(key, Value{t, d[end+1 : at]}) {
				return
			}
		}
	}
}

// Lookup returns the value at a path of keys; the zero Value where there is none. Of several equal keys the last
// counts, as it does for the drivers that read into maps.
func (d Doc) Lookup(path ...string) (found Value) {
	for i, name := range path {
		found = Value{}
		for key, v := range d.All() {
			if string(key) == name {
				found = v
			}
		}
		if i < len(path)-1 {
			d, _ = found.Doc()
		}
	}
	return found
}

// Len returns how many values there are.
func (d Doc) Len() (n int) {
	for range d.All() {
		n++
	}
	return n
}

const (
	// MaxSize is the length in bytes over which no document is read: the 16 MiB of MongoDB (modulestore.md SC-1) and the
	// allowance that servers give their own additions.
	MaxSize = 16<<20 + 16<<10
	// maxDepth is how deep documents may nest: twice what a server takes, so that no stack overflows.
	maxDepth = 200
	minSize  = 5
)

// Check looks through a whole document and says what is wrong with it, as an [*Error] whose Offset counts from the start
// of the document; nil makes b a [Doc].
func Check(b []byte) error {
	if e := check(b, 0); e != nil {
		return e
	}
	return nil
}

func check(b []byte, depth int) *Error {
	switch {
	case len(b) < minSize:
		return &Error{Reason: "shorter than an empty document"}
	case int64(int32(binary.LittleEndian.Uint32(b))) != int64(len(b)):
		return &Error{Reason: "its length is not the one it says"}
	case b[len(b)-1] != 0:
		return &Error{Offset: int64(len(b) - 1), Reason: "does not end where its length says"}
	case depth > maxDepth:
		return &Error{Reason: "nested too deep"}
	}
	last := len(b) - 1
	for at := 4; at < last; {
		start := at
		t := Type(b[at])
		at++
		n := bytes.IndexByte(b[at:last], 0)
		if n < 0 {
			return &Error{Offset: int64(start), Reason: "a key without an end"}
		}
		key := b[at : at+n]
		at += n + 1
		n, reason := size(t, b[at:last])
		if reason == "" && n > last-at {
			reason = "reaches beyond the document"
		}
		if reason != "" {
			return &Error{Offset: int64(at), Field: string(key), Reason: reason}
		}
		if e := inner(t, b[at:at+n], depth); e != nil {
			e.Offset += int64(at)
			e.Field = joinPath(key, e.Field)
			return e
		}
		at += n
	}
	return nil
}

// inner checks what a value holds, whose length is known.
func inner(t Type, v []byte, depth int) *Error {
	switch t {
	case Document, Array:
		return check(v, depth+1)
	case String, Symbol, Code:
		return ended(v)
	case DBPointer:
		return ended(v[:len(v)-12])
	case Boolean:
		if v[0] > 1 {
			return &Error{Reason: "neither true nor false"}
		}
	case ScopedCode:
		text, _ := size(String, v[4:])
		if text < 0 || 4+text > len(v) {
			return &Error{Offset: 4, Reason: "reaches beyond the document"}
		}
		if e := ended(v[4 : 4+text]); e != nil {
			return e
		}
		return check(v[4+text:], depth+1)
	}
	return nil
}

func ended(v []byte) *Error {
	if v[len(v)-1] != 0 {
		return &Error{Offset: int64(len(v) - 1), Reason: "a text without an end"}
	}
	return nil
}

func joinPath(key []byte, rest string) string {
	if rest == "" {
		return string(key)
	}
	return string(key) + "." + rest
}

// size returns how long the value of type t at the start of b is, and what is wrong where that cannot be told.
func size(t Type, b []byte) (n int, reason string) {
	length := func(more, least int64) (int, string) {
		if len(b) < 4 {
			return 0, "reaches beyond the document"
		}
		said := int64(int32(binary.LittleEndian.Uint32(b)))
		if said < least {
			return -1, "says an impossible length"
		}
		return int(said + more), ""
	}
	switch t {
	case Null, Undefined, MinKey, MaxKey:
		return 0, ""
	case Boolean:
		return 1, ""
	case Int32:
		return 4, ""
	case Double, DateTime, Timestamp, Int64:
		return 8, ""
	case ObjectID:
		return 12, ""
	case Decimal:
		return 16, ""
	case String, Symbol, Code:
		return length(4, 1)
	case Document, Array:
		return length(0, minSize)
	case Binary:
		return length(5, 0)
	case DBPointer:
		return length(4+12, 1)
	case ScopedCode:
		return length(0, 4+5+minSize)
	case Regex:
		pattern := bytes.IndexByte(b, 0)
		options := bytes.IndexByte(b[pattern+1:], 0)
		if pattern < 0 || options < 0 {
			return 0, "an expression without an end"
		}
		return pattern + options + 2, ""
	}
	return 0, "of no known type"
}
