package main

import (
	"testing"
)

// newBench returns a run of n in a folder of the test.
func newBench(t *testing.T, n int) *bench {
	t.Helper()
	return &bench{ctx: t.Context(), n: n, cache: t.TempDir(), dir: t.TempDir()}
}

// pieces runs a job and returns its lines by name.
func pieces(t *testing.T, b *bench, run func(*bench) error) map[string]*Line {
	t.Helper()
	if err := run(b); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]*Line, len(b.lines))
	for _, l := range b.lines {
		out[l.Job] = l
	}
	return out
}
