package prune

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/split"
)

// chain makes a course with n drafts, a day apart, and returns them.
func (s *site) chain(n int) (ids []modulestore.ID) {
	for len(ids) < n {
		var last modulestore.ID
		if len(ids) > 0 {
			last = ids[len(ids)-1]
		}
		ids = append(ids, s.structure(last))
		s.now = s.now.Add(24 * time.Hour)
	}
	s.add(map[string]modulestore.ID{split.DraftBranch: ids[n-1]})
	return ids
}

// going plans and returns the places in ids of those that go.
func going(t *testing.T, m Reader, o Options, ids []modulestore.ID) (*Plan, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plan.json")
	if _, err := Make(t.Context(), m, o, path); err != nil {
		t.Fatal(err)
	}
	p, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var places []string
	err = p.read(func(c string, it item) error {
		if i := slices.Index(ids, it.id); i >= 0 && c == modulestore.CollectionStructures {
			places = append(places, string(rune('a'+i)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(places)
	return p, strings.Join(places, "")
}

// TestWhatStays prunes a course of twelve drafts a to l, a day apart from Monday 2024-01-01 on, with each rule (PR-1, PR-2, PR-3, PR-5, PR-6,
// PR-7).
func TestWhatStays(t *testing.T) {
	t.Parallel()
	s, m := memorySite(t, 1)
	ids := s.chain(12)
	now := s.now.AddDate(1, 0, 0)
	rows, err := m.Indexes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := rows[0].Name
	other := slices.Clone(rows)
	other[0].Draft = ids[10]
	history := slices.Clone(rows)
	history[0].Draft, history[0].LastUpdate = ids[4], now
	for _, c := range []struct {
		name   string
		o      Options
		goes   string
		status string
	}{
		{"last", Options{Policy: Policy{Last: 2}}, "abcdefghi", ""},
		{"days", Options{Policy: Policy{Days: 5}, Now: s.now, Grace: time.Hour}, "abcdefgh", ""},
		{"guard", Options{Policy: Policy{Last: 1}, Now: s.now, Guard: 96 * time.Hour, Grace: time.Hour}, "abcdefghi", ""},
		{"daily", Options{Policy: Policy{Daily: 3}}, "abcdefghi", ""},
		{"weekly", Options{Policy: Policy{Weekly: 2}}, "abcdefhijk", ""},
		{"monthly", Options{Policy: Policy{Monthly: 2}}, "abcdefghijk", ""},
		{"pin", Options{Policy: Policy{Last: 1}, Pins: []Pin{{Version: ids[3]}, {Version: ids[5], Expires: now.Add(-time.Hour)}, {Version: ids[6], Label: true}}}, "abcefghij", ""},
		{"label", Options{Policy: Policy{Last: 1, Labelled: true}, Pins: []Pin{{Version: ids[6], Label: true}}}, "abcdefhij", ""},
		{"ignored course", Options{Policy: Policy{Last: 1}, Ignore: []string{name}}, "", "ignored"},
		{"ignored structure", Options{Policy: Policy{Last: 1}, Ignore: []string{ids[0].String()}}, "bcdefghij", ""},
		{"another course", Options{Policy: Policy{Last: 1}, Courses: []string{"x"}}, "", "out of scope"},
		{"its org", Options{Policy: Policy{Last: 1}, Orgs: []string{"O"}}, "abcdefghij", ""},
		{"indexes agree", Options{Policy: Policy{Last: 1}, Mirror: rows}, "abcdefghij", ""},
		{"indexes differ", Options{Policy: Policy{Last: 1}, Mirror: other}, "", "refused"},
		{"not in SQL", Options{Policy: Policy{Last: 1}, Mirror: []split.Index{}}, "", "refused"},
		{"history of the index", Options{Policy: Policy{Last: 1}, History: history}, "abcdfghij", ""},
	} {
		if c.o.Now.IsZero() {
			c.o.Now = now
		}
		p, goes := going(t, m, c.o, ids)
		if goes != c.goes || p.Courses[0].Status != c.status {
			t.Errorf("%s: %q go, status %q; want %q, %q", c.name, goes, p.Courses[0].Status, c.goes, c.status)
		}
	}

	gap := newMemory()
	gap.docs = map[string]map[modulestore.ID]bson.Doc{}
	for c, docs := range m.docs {
		gap.docs[c] = maps.Clone(docs)
	}
	delete(gap.docs[modulestore.CollectionStructures], ids[5])
	if p, goes := going(t, gap, Options{Policy: Policy{Last: 1}, Now: now}, ids); goes != "abcdeghij" || !p.Courses[0].Truncated {
		t.Errorf("with a gap %q go, %+v", goes, p.Courses[0])
	}
	// What is behind a gap is history all the same: pruning makes gaps, and the next plan keeps by the same policy.
	if _, goes := going(t, gap, Options{Policy: Policy{Last: 8}, Now: now}, ids); goes != "ab" {
		t.Errorf("behind a gap %q go", goes)
	}
	delete(gap.docs[modulestore.CollectionStructures], ids[11])
	if p, goes := going(t, gap, Options{Policy: Policy{Last: 1}, Now: now}, ids); goes != "" || p.Courses[0].Status != "damaged" || p.Definitions.Remove > 0 {
		t.Errorf("without its head %q go, %+v", goes, p)
	}

	clear(m.docs[modulestore.CollectionIndexes])
	path := filepath.Join(t.TempDir(), "plan.json")
	if _, err := Make(t.Context(), m, Options{Policy: Policy{Last: 1}}, path); !fault.Is(err, fault.Refused) {
		t.Errorf("without any head: %v", err)
	}
	if _, goes := going(t, m, Options{Policy: Policy{Last: 1}, Headless: true, Now: s.now.AddDate(0, 0, 60)}, ids); goes != "" {
		t.Errorf("a deleted course within its grace loses %q", goes)
	}
	if _, goes := going(t, m, Options{Policy: Policy{Last: 1}, Headless: true, Now: now}, ids); goes != "abcdefghijkl" {
		t.Errorf("a course deleted long ago loses %q", goes)
	}
}

func TestReadPins(t *testing.T) {
	t.Parallel()
	v := strings.Repeat("a", 24)
	pins, err := ReadPins(strings.NewReader("course,version,reason,expires,label\nc,"+v+",exam,2024-05-01,\nc,"+v+",,,final\n"), "f")
	if err != nil || len(pins) != 2 || pins[0].Expires.Month() != 5 || !pins[1].Label {
		t.Errorf("%+v, %v", pins, err)
	}
	for _, text := range []string{"", "course,version\n", "course,version,reason,expires\nc,x,,\n", "course,version,reason,expires\nc," + v + ",,soon\n", "course,version,reason,expires\nc\n"} {
		if _, err := ReadPins(strings.NewReader(text), "f"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestPlannedAgain prunes histories by any policy and plans again by the same at once: nothing more goes, though what stays has
// gaps now.
func TestPlannedAgain(t *testing.T) {
	t.Parallel()
	gaps := 0
	for seed := range uint64(40) {
		s, m := memorySite(t, seed)
		var ids []modulestore.ID
		for range 26 {
			var last modulestore.ID
			if len(ids) > 0 {
				last = ids[len(ids)-1]
			}
			ids = append(ids, s.structure(last))
			s.wait(30 * time.Hour)
		}
		s.add(map[string]modulestore.ID{split.DraftBranch: ids[25]})
		o := Options{Policy: s.policy(), Now: s.now.AddDate(0, 6, 0)}
		o.Policy.Monthly = s.r.IntN(3)
		_, goes := going(t, m, o, ids)
		for _, place := range goes {
			delete(m.docs[modulestore.CollectionStructures], ids[place-'a'])
		}
		p, again := going(t, m, o, ids)
		if again != "" {
			t.Errorf("seed %d, %+v: %q go, and then %q", seed, o.Policy, goes, again)
		}
		if p.Courses[0].Truncated {
			gaps++
		}
	}
	if gaps < 20 {
		t.Errorf("%d histories have gaps, which is what this is about", gaps)
	}
}
