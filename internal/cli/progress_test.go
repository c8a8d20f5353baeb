package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a time that goes on by itself with each look at it.
type clock struct {
	now  time.Time
	step time.Duration
}

func (c *clock) read() time.Time {
	c.now = c.now.Add(c.step)
	return c.now
}

func TestMeterWritesLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := clock{step: 2 * time.Second}
	m := &meter{out: &out, every: 5 * time.Second, now: c.read}
	m.update("reading the archive", 0, 0)
	for done := 0; done <= 500; done += 50 {
		m.update("versions", done, 500)
	}
	m.end()
	want := `versions 150 of 500 (30 %), 25/s, 14s left
versions 300 of 500 (60 %), 25/s, 8s left
versions 450 of 500 (90 %), 25/s, 2s left
versions 500 of 500 (100 %), 25/s
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestMeterIsSilentWhereItIsQuick(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := clock{step: time.Millisecond}
	m := &meter{out: &out, every: 5 * time.Second, now: c.read}
	for done := 0; done <= 500; done += 50 {
		m.update("versions", done, 500)
	}
	m.end()
	if out.Len() > 0 {
		t.Errorf("a quick step wrote %q", out.String())
	}
}

func TestMeterDrawsABar(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := clock{step: time.Second}
	m := &meter{out: &out, terminal: true, every: 100 * time.Millisecond, now: c.read}
	m.update("reading", 0, 0)
	m.update("versions", 0, 4)
	m.update("versions", 2, 4)
	m.end()
	want := "\r\x1b[Kreading" +
		"\r\x1b[K[........................] versions 0 of 4 (0 %)" +
		"\r\x1b[K[############............] versions 2 of 4 (50 %), 2/s, 1s left" +
		"\r\x1b[K"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("bar (-want +got):\n%s", diff)
	}
}
