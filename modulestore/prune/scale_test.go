package prune

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/split"
)

// generated is a database of n structures in 1,000 chains, which come in no order.
type generated struct{ n, chains int }

func (g generated) id(i int) (id modulestore.ID) {
	binary.BigEndian.PutUint32(id[:], uint32(1_500_000_000+i*20))
	binary.BigEndian.PutUint32(id[8:], uint32(i))
	return id
}
func (g generated) Name() string                                          { return "generated" }
func (g generated) Damage() int                                           { return 0 }
func (g generated) Weigh(context.Context) (map[string]Weight, error)      { return nil, nil }
func (g generated) Definitions(context.Context, func(Header) error) error { return nil }
func (g generated) Indexes(context.Context) (rows []split.Index, err error) {
	for c := range g.chains {
		key, err := keys.NewCourse("O", fmt.Sprintf("C%d", c), "R")
		if err != nil {
			return nil, err
		}
		rows = append(rows, split.Index{Key: key, Name: key.String(), Draft: g.id(g.n - g.chains + c)})
	}
	return rows, nil
}
func (g generated) Structures(_ context.Context, each func(Header) error) error {
	for k := range g.n {
		i := int(uint64(k) * 7919 % uint64(g.n)) // every number once, as n has no such factor
		h := Header{ID: g.id(i), Size: 200_000}
		if i >= g.chains {
			h.Previous = g.id(i - g.chains)
		}
		if err := each(h); err != nil {
			return err
		}
	}
	return nil
}
func (g generated) Cuts(context.Context, func(Cut) error) error { return nil }
func (g generated) Headers(context.Context, map[modulestore.ID]bool, func(Header) error) error {
	return nil
}
func (g generated) Documents(context.Context, string, map[modulestore.ID]bool, func(bson.Doc) error) error {
	return nil
}
func (g generated) Kept(context.Context, func(modulestore.ID) (bool, error), func(func(modulestore.ID) error) error, func(bson.Doc) error) error {
	return nil
}

// planned plans for some structures and returns the most memory that was live while it did, and what it gave.
func (g generated) planned(t *testing.T) (p *Plan, most uint64) {
	t.Helper()
	last, tenth := "", 0
	look := func(step string, done, _ int) { // a few times in each step
		if step == last && done*10/g.n == tenth {
			return
		}
		last, tenth = step, done*10/g.n
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	}
	p, err := Make(t.Context(), g, Options{Policy: Policy{Last: 2}, Now: idTime(g.id(g.n)).AddDate(1, 0, 0), Progress: look}, filepath.Join(t.TempDir(), "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Keep != 3*g.chains || p.Remove != g.n-p.Keep || p.Bytes != int64(p.Remove)*200_000 || p.Cuts != g.chains {
		t.Errorf("keeps %d, removes %d in %d places", p.Keep, p.Remove, p.Cuts)
	}
	return p, most
}

// TestScale plans for 100,000 structures, and for ten times as many, a hundred times with LECTERN_TEST_ALL, of as many courses: memory
// does not grow with them (PR-14).
func TestScale(t *testing.T) {
	_, few := generated{100_000, 1000}.planned(t)
	n := 1_000_000
	if os.Getenv("LECTERN_TEST_ALL") != "" {
		n = 10_000_000
	}
	began := time.Now()
	_, many := generated{n, 1000}.planned(t)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		status = nil // another system
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	peak, _, _ = strings.Cut(peak, "\n")
	t.Logf("%d structures in %v; live heap %.1f MiB, of 100,000 %.1f MiB; peak resident %s", n, time.Since(began).Round(time.Millisecond),
		float64(many)/(1<<20), float64(few)/(1<<20), strings.TrimSpace(peak))
	if many > few+12<<20 {
		t.Errorf("%d bytes are live with %d structures, %d with 100,000", many, n, few)
	}
}
