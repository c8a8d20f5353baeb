package roleshift_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestBatchesInBoundedMemory turns the flag of an organization with very many rows, there and back, and looks how much memory
// that takes: 5,000 rows, with LECTERN_TEST_ALL=1 a million on every engine, or as many as LECTERN_TEST_ROWS says.
func TestBatchesInBoundedMemory(t *testing.T) {
	rows, engines := 5_000, []db.Engine{db.SQLite}
	if os.Getenv("LECTERN_TEST_ALL") == "1" {
		rows, engines = 1_000_000, dbtest.Engines()
	}
	if text := os.Getenv("LECTERN_TEST_ROWS"); text != "" {
		var err error
		if rows, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range engines {
		t.Run(string(e), func(t *testing.T) {
			var c counter
			d, err := db.Open(t.Context(), dbtest.URL(t, e), db.Options{Create: true, OnStatement: c.note})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = d.Close() })
			if err := tables(d); err != nil {
				t.Fatal(err)
			}
			if err := fill(t.Context(), d, rows/5); err != nil {
				t.Fatal(err)
			}
			for _, on := range []bool{true, false} {
				turnMany(t, d, &c, rows, on)
			}
		})
	}
}

// counter counts statements, and knows when the last transaction that changes the policy took its turn.
type counter struct {
	statements, turn atomic.Int64 // the latter in nanoseconds of the clock
}

func (c *counter) note(sql string) {
	c.statements.Add(1)
	if strings.HasPrefix(sql, "SELECT version, (SELECT version FROM lectern_authzpolicy") {
		c.turn.Store(time.Now().UnixNano())
	}
}

func turnMany(t *testing.T, d *db.DB, c *counter, rows int, on bool) {
	t.Helper()
	const most = 200 << 20 // bytes, whatever the number of rows
	org, err := flags.ForOrg("Big")
	if err != nil {
		t.Fatal(err)
	}
	peak, stop := watchHeap()
	began := time.Now()
	spent, last, since := "", "", began
	var flip time.Duration
	c.statements.Store(0)
	w, err := roleshift.Start(t.Context(), d, "Big", roleshift.Batches{Progress: func(step string, _, _ int) {
		if now := time.Now(); step != last && last != "" {
			spent += fmt.Sprintf(", %s %.1f s", last, now.Sub(since).Seconds())
			since = now
			if step == "clean up" { // told right after the transaction that has turned the flag
				flip = now.Sub(time.Unix(0, c.turn.Load()))
			}
		}
		last = step
	}}, func(tx *db.Tx) (roleshift.Ask, error) {
		ask, _, err := roleshift.Intend(t.Context(), tx, org, flags.Change{On: on}, roleshift.Options{Shift: true})
		return ask, err
	})
	if err != nil {
		t.Fatal(err)
	}
	run, err := w.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	stop()
	if err := w.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if run.Status != roleshift.Completed || run.Moved != int64(rows) {
		t.Errorf("run %s, %d moved, want %d", run.Status, run.Moved, rows)
	}
	t.Logf("%d rows, on: %v: %.1f s, at most %d MiB of heap, %d statements%s, of it the transaction that turns the flag %.2f s", rows, on, took.Seconds(),
		peak.Load()>>20, c.statements.Load(), spent, flip.Seconds())
	if peak.Load() > most {
		t.Errorf("it took %d MiB, want at most %d", peak.Load()>>20, most>>20)
	}
}

// watchHeap looks at the heap now and then until stop is called, and keeps the most.
func watchHeap() (peak *atomic.Uint64, stop func()) {
	peak = &atomic.Uint64{}
	done, ended := make(chan struct{}), make(chan struct{})
	runtime.GC()
	go func() {
		defer close(ended)
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return peak, func() { close(done); <-ended }
}
