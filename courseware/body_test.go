package courseware

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestBody(t *testing.T) {
	t.Parallel()
	var s Spool
	keep := func(data []byte) Body {
		t.Helper()
		b, err := s.Keep(data)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	full := keep(bytes.Repeat([]byte("f"), spoolBudget))
	if full.away != nil {
		t.Fatal("a file was made within the budget")
	}
	big := bytes.Repeat([]byte("x"), smallBody+1)
	for name, c := range map[string]struct {
		data []byte
		away bool
	}{"none": {nil, false}, "empty": {[]byte{}, false}, "small": {[]byte("small"), false}, "big": {big, true}} {
		b := keep(c.data)
		got, err := b.Read()
		if err != nil || !bytes.Equal(got, c.data) || (got == nil) != (c.data == nil) || b.Len() != len(c.data) {
			t.Errorf("%s: got %q (%d), %v", name, got, b.Len(), err)
		}
		if b.None() != (c.data == nil) || (b.away != nil) != c.away {
			t.Errorf("%s: none is %v, away %v", name, b.None(), b.away != nil)
		}
		if !b.Equal(Bytes(c.data)) || !Bytes(c.data).Equal(b) || b.Equal(keep([]byte("other"))) {
			t.Errorf("%s: is not equal to itself only", name)
		}
	}
	if (Body{}).Equal(Bytes([]byte{})) || keep(big).Equal(Bytes(bytes.Repeat([]byte("y"), len(big)))) || !keep(big).Equal(keep(big)) {
		t.Error("other bodies are equal, or the same are not")
	}
}

// TestSpoolLeavesNothing looks for the spool's file among the temporary ones.
func TestSpoolLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var s Spool
	var bodies sync.Map
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			data := []byte(strings.Repeat(string(rune('a'+i)), spoolBudget/4))
			b, err := s.Keep(data)
			if err != nil {
				t.Error(err)
			}
			bodies.Store(i, b)
		})
	}
	wg.Wait()
	for i := range 8 {
		b, _ := bodies.Load(i)
		data, err := b.(Body).Read()
		if err != nil || len(data) != spoolBudget/4 || data[0] != byte('a'+i) || data[len(data)-1] != byte('a'+i) {
			t.Errorf("body %d is lost: %v", i, err)
		}
	}
	if s.file == nil {
		t.Error("all of it is in memory")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	runtime.KeepAlive(&s)
}

func TestSpoolWithoutStorage(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/gone")
	var s Spool
	if _, err := s.Keep(make([]byte, spoolBudget+1)); err == nil || !strings.Contains(err.Error(), "temporary storage") {
		t.Errorf("got %v", err)
	}
}
