package bson

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math/bits"
	"unicode/utf8"
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
			end := at + 1 + keyEnd(d[at+1:])
			n, _ := size(t, d[end+1:])
			key := d[at+1 : end]
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

// Has reports whether there is a key.
func (d Doc) Has(key []byte) bool {
	for k := range d.All() {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
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
	if e := check(b, nil, 0); e != nil {
		return e
	}
	return nil
}

// check looks through a document. like, if not nil, is one that has been: what stands in its arrays as it stands there is not looked
// through again. A structure of the versioned store is a copy of the one before but for a block or two.
func check(b []byte, like Doc, depth int) *Error {
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
	for at, twin := 4, 4; at < last; {
		if depth == 1 && like != nil && like[twin] != 0 {
			from := twin
			twin += 2 + keyEnd(like[twin+1:])
			n, _ := size(Type(like[from]), like[twin:])
			twin += n
			if n = twin - from; n <= last-at && bytes.Equal(b[at:at+n], like[from:twin]) {
				at += n
				continue
			}
		}
		start := at
		t := Type(b[at])
		at++
		n := keyEnd(b[at:last])
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
		var twins Doc
		if depth == 0 && t == Array && like != nil {
			twins, _ = like.Lookup(string(key)).Doc()
		}
		if e := inner(t, b[at:at+n], twins, depth); e != nil {
			e.Offset += int64(at)
			e.Field = joinPath(key, e.Field)
			return e
		}
		at += n
	}
	return nil
}

// inner checks what a value holds, whose length is known.
func inner(t Type, v []byte, like Doc, depth int) *Error {
	switch t {
	case Document, Array:
		return check(v, like, depth+1)
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
		return check(v[4+text:], nil, depth+1)
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

// Words of eight bytes of 1 and of 128, with which eight bytes are looked at together.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// keyEnd returns where the first NUL is, -1 where there is none. Keys are short: looking at eight bytes at a time beats a call.
func keyEnd(b []byte) int {
	at := 0
	for ; at+8 <= len(b); at += 8 {
		w := binary.LittleEndian.Uint64(b[at:])
		if zero := (w - ones) &^ w & highs; zero != 0 {
			return at + bits.TrailingZeros64(zero)/8
		}
	}
	for ; at < len(b); at++ {
		if b[at] == 0 {
			return at
		}
	}
	return -1
}

// Clean reports whether all texts of the document, and of those in it, are UTF-8 without NUL.
func (d Doc) Clean() bool {
	if len(d) == 0 {
		return true
	}
	for at := 4; d[at] != 0; {
		t := Type(d[at])
		at += 2 + keyEnd(d[at+1:])
		n, _ := size(t, d[at:])
		if !(Value{t, d[at : at+n]}).Clean() {
			return false
		}
		at += n
	}
	return true
}

// Clean reports whether a text, or all in a document or array, are UTF-8 without NUL; any other value is.
func (v Value) Clean() bool {
	switch v.Type {
	case Document, Array:
		return Doc(v.raw).Clean()
	case String, Symbol:
		return isClean(v.raw[4 : len(v.raw)-1])
	}
	return true
}

// isClean reports whether a text is UTF-8 without NUL. Most are ASCII: of each of their bytes, and of it less one, the highest bit
// is 0.
func isClean(text []byte) bool {
	rest, odd := text, uint64(0)
	for ; len(rest) >= 32; rest = rest[32:] {
		a, b := binary.LittleEndian.Uint64(rest), binary.LittleEndian.Uint64(rest[8:])
		c, d := binary.LittleEndian.Uint64(rest[16:]), binary.LittleEndian.Uint64(rest[24:])
		odd |= a | (a - ones) | b | (b - ones) | c | (c - ones) | d | (d - ones)
	}
	for ; len(rest) >= 8; rest = rest[8:] {
		a := binary.LittleEndian.Uint64(rest)
		odd |= a | (a - ones)
	}
	for _, c := range rest {
		odd |= uint64(c) | uint64(c-1)
	}
	return odd&highs == 0 || bytes.IndexByte(text, 0) < 0 && utf8.Valid(text)
}

// What [sizes] says of types whose values have no size of their own.
const (
	unknown  = -1
	variable = -2
)

// sizes are those of values by type.
var sizes = func() (s [256]int8) {
	for t := range s {
		s[t] = unknown
	}
	for _, t := range []Type{String, Symbol, Code, Document, Array, Binary, DBPointer, ScopedCode, Regex} {
		s[t] = variable
	}
	for t, n := range map[Type]int8{Null: 0, Undefined: 0, MinKey: 0, MaxKey: 0, Boolean: 1, Int32: 4, Double: 8, DateTime: 8, Timestamp: 8, Int64: 8, ObjectID: 12, Decimal: 16} {
		s[t] = n
	}
	return s
}()

// size returns how long the value of type t at the start of b is, and what is wrong where that cannot be told.
func size(t Type, b []byte) (n int, reason string) {
	if n := sizes[t]; n >= 0 {
		return int(n), ""
	}
	return sizeIn(t, b)
}

// sizeIn is size of a type whose values say themselves how long they are.
func sizeIn(t Type, b []byte) (n int, reason string) {
	var more, least int
	switch t {
	case String, Symbol, Code:
		more, least = 4, 1
	case Document, Array:
		more, least = 0, minSize
	case Binary:
		more, least = 5, 0
	case DBPointer:
		more, least = 4+12, 1
	case ScopedCode:
		more, least = 0, 4+5+minSize
	case Regex:
		pattern := bytes.IndexByte(b, 0)
		options := bytes.IndexByte(b[pattern+1:], 0)
		if pattern < 0 || options < 0 {
			return 0, "an expression without an end"
		}
		return pattern + options + 2, ""
	default:
		return 0, "of no known type"
	}
	if len(b) < 4 {
		return 0, "reaches beyond the document"
	}
	said := int(int32(binary.LittleEndian.Uint32(b)))
	if said < least {
		return -1, "says an impossible length"
	}
	return said + more, ""
}
