package bson

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Reader reads documents that stand one after the other, as in a dump (modulestore.md OM-34). It holds two of them at a
// time. Not safe for concurrent use.
type Reader struct {
	r        *bufio.Reader
	name     string
	off      int64
	last     []byte
	buf, old []byte // for the next large document, and the one before
	like     Doc    // the one before, if it was good
}

const (
	buffered = 256 << 10
	// large is the size in bytes from which on a document is likely to be a structure, of which most is as in the one before.
	large = 16 << 10
)

// NewReader reads r, which errors call name.
func NewReader(r io.Reader, name string) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, buffered), name: name}
}

// Offset returns how many bytes have been read: the place of the next document.
func (r *Reader) Offset() int64 { return r.off }

// Word reads four bytes as a number, as frames around documents have them. At the end of the file it is [io.EOF].
func (r *Reader) Word() (uint32, error) {
	word, err := r.peek()
	if err != nil {
		return 0, err
	}
	r.skip(4)
	return word, nil
}

// Frame returns true and reads past the next four bytes if they are this number; else nothing is read.
func (r *Reader) Frame(word uint32) (bool, error) {
	next, err := r.peek()
	if err != nil || next != word {
		return false, err
	}
	r.skip(4)
	return true, nil
}

func (r *Reader) peek() (uint32, error) {
	b, err := r.r.Peek(4)
	switch {
	case len(b) == 4:
		return binary.LittleEndian.Uint32(b), nil
	case errors.Is(err, io.EOF) && len(b) == 0:
		return 0, io.EOF
	}
	return 0, r.torn(err, "ends within the length of a document")
}

func (r *Reader) skip(n int) {
	// What has been peeked is in memory, so it cannot fail.
	n, _ = r.r.Discard(n)
	r.off += int64(n)
}

// Next returns the next document, which is valid until the next call, and [io.EOF] after the last. An [*Error] that is
// not Lost is about one document: the following ones can still be read.
func (r *Reader) Next() (Doc, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	if n < large {
		b, err := r.r.Peek(n)
		if err != nil {
			return nil, r.torn(err, fmt.Sprintf("ends within a document of %d bytes", n))
		}
		r.last = b
		e := check(b, nil, 0)
		at := r.off
		r.skip(n) // what is peeked at stays until the next read
		return r.checked(e, at)
	}
	r.buf, r.old = r.old, r.buf
	// A length that lies takes no memory: the buffer grows with what is there.
	const step = 1 << 20
	for have := 0; have < n; {
		want := min(n, max(4*have, step, cap(r.buf)))
		r.buf = slices.Grow(r.buf[:have], want-have)[:want]
		m, err := io.ReadFull(r.r, r.buf[have:want])
		have += m
		if err != nil {
			return nil, r.torn(err, fmt.Sprintf("ends within a document of %d bytes", n))
		}
	}
	r.last = r.buf[:n]
	at := r.off
	r.off += int64(n)
	e := check(r.last, r.like, 0)
	if r.like = nil; e == nil {
		r.like = r.last
	}
	return r.checked(e, at)
}

// checked returns the last document, which began at a place, or what is wrong with it.
func (r *Reader) checked(e *Error, at int64) (Doc, error) {
	if e != nil {
		e.File, e.Offset = r.name, e.Offset+at
		return nil, e
	}
	return r.last, nil
}

// Last returns the bytes of the document that [Reader.Next] read last, also those of a bad one; they are valid until the
// next call.
func (r *Reader) Last() []byte { return r.last }

// Skip reads past the next document without looking into it.
func (r *Reader) Skip() error {
	n, err := r.length()
	if err != nil {
		return err
	}
	m, err := r.r.Discard(n)
	if err != nil {
		return r.torn(err, fmt.Sprintf("ends within a document of %d bytes", n))
	}
	r.off += int64(m)
	return nil
}

// length returns the length of the next document, which is still to be read.
func (r *Reader) length() (int, error) {
	said, err := r.peek()
	if err != nil {
		return 0, err
	}
	n := int(int32(said))
	if n < minSize || n > MaxSize {
		return 0, r.lost(fmt.Sprintf("a document of %d bytes: the file is damaged here, or is no dump", n))
	}
	return n, nil
}

func (r *Reader) lost(reason string) error {
	return &Error{File: r.name, Offset: r.off, Reason: reason, Lost: true}
}

// torn says that the file ended too soon or cannot be read.
func (r *Reader) torn(err error, reason string) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		reason = fmt.Sprintf("cannot be read: %v", err)
	}
	return &Error{File: r.name, Offset: r.off, Reason: reason, Lost: true, Err: err}
}
