package frugal

import (
	"runtime/debug"
	"testing"
)

// set returns the limit and the percent that hold.
func set() (bytes int64, garbage int) {
	garbage = debug.SetGCPercent(100)
	debug.SetGCPercent(garbage)
	return debug.SetMemoryLimit(-1), garbage
}

// TestBegin begins twice and ends once too often. It is not parallel: what it changes is the process's.
func TestBegin(t *testing.T) {
	bytes, garbage := set()
	nothing := func(string) string { return "" }
	check := func(when string, wantBytes int64, wantGarbage int) {
		t.Helper()
		if b, g := set(); b != wantBytes || g != wantGarbage {
			t.Errorf("%s: limit %d and %d %%, want %d and %d %%", when, b, g, wantBytes, wantGarbage)
		}
	}
	first, second := Begin(nothing, 1), Begin(nothing, beyond)
	check("begun twice", limit, percent)
	first()
	first()
	check("ended once", limit, percent)
	second()
	check("ended", bytes, garbage)

	for name, c := range map[string]struct {
		env     map[string]string
		archive int64
		bytes   int64
		garbage int
	}{
		"GOMEMLIMIT":      {map[string]string{"GOMEMLIMIT": "1GiB"}, 1, bytes, garbage},
		"GOGC":            {map[string]string{"GOGC": "50"}, 1, limit, garbage},
		"a large archive": {nil, beyond + 1, bytes, garbage},
	} {
		end := Begin(func(key string) string { return c.env[key] }, c.archive)
		check(name, c.bytes, c.garbage)
		end()
		check(name+", ended", bytes, garbage)
	}
}
