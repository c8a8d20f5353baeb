package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	want := map[Kind]struct {
		code string
		exit int
	}{Internal: {"internal", 1}, Usage: {"usage", 2}, Invalid: {"invalid", 1}, NotFound: {"not_found", 1}, Unavailable: {"unavailable", 1},
		Conflict: {"conflict", 3}, Refused: {"refused", 3}, Denied: {"denied", 3}, Interrupted: {"interrupted", 130}, OldMongo: {"old_mongo", 3}}
	for k, w := range want {
		if k.Code() != w.code || k.Exit() != w.exit {
			t.Errorf("kind %d: %s, %d; want %s, %d", k, k.Code(), k.Exit(), w.code, w.exit)
		}
	}
	if len(want) != len(kinds) {
		t.Errorf("%d kinds, %d tested", len(kinds), len(want))
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	err := Errorf(NotFound, "a.txt", "cannot be read: %w", io.ErrUnexpectedEOF).WithNext("look elsewhere")
	if got := err.Error(); got != "a.txt: cannot be read: unexpected EOF" {
		t.Errorf("text = %q", got)
	}
	for _, err := range []error{err, fmt.Errorf("import: %w", err), errors.Join(io.EOF, err)} {
		if !errors.Is(err, io.ErrUnexpectedEOF) || !Is(err, NotFound) || Is(err, Invalid) {
			t.Errorf("%v: the cause or the kind is lost", err)
		}
	}
	if !Is(fmt.Errorf("x: %w", context.Canceled), Interrupted) || KindOf(io.EOF) != Internal || Is(nil, Internal) {
		t.Error("cancelled is interrupted, anything else internal, and nil of no kind")
	}
}
