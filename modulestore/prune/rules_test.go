package prune

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/expected"
)

// TestEveryRule holds the table of docs/splitprune.md: it has each rule of modulestore.md §7.4 once, in order, and names tests that
// are there and say in their comments which rule they hold.
func TestEveryRule(t *testing.T) {
	t.Parallel()
	const rules = 17
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "splitprune.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| PR-(\d+) \| [^|]+ \| ([^|]+) \|$`).FindAllStringSubmatch(string(text), -1)
	if len(rows) != rules {
		t.Errorf("the table has %d rules of %d", len(rows), rules)
	}
	comments := map[string]string{} // of tests, by folder and name
	test := regexp.MustCompile("(?m)((?:^//.*\n)*)^func (Test\\w+)\\(")
	for i, row := range rows {
		if row[1] != fmt.Sprint(i+1) {
			t.Errorf("row %d is PR-%s", i+1, row[1])
		}
		names := regexp.MustCompile("`([\\w/]+)\\.(Test\\w+)`").FindAllStringSubmatch(row[2], -1)
		if len(names) == 0 {
			t.Errorf("PR-%s names no test", row[1])
		}
		for _, name := range names {
			folder, name := name[1], name[2]
			if comments[folder] == "" {
				comments[folder] = "read"
				files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(folder), "*_test.go"))
				if err != nil {
					t.Fatal(err)
				}
				for _, file := range files {
					source, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					for _, m := range test.FindAllStringSubmatch(string(source), -1) {
						comments[folder+"."+m[2]] = m[1]
					}
				}
			}
			comment, there := comments[folder+"."+name]
			if !there || !regexp.MustCompile(`\bPR-`+row[1]+`\b`).MatchString(comment) {
				t.Errorf("PR-%s: the comment of %s.%s does not name it (there is such a test: %t)", row[1], folder, name, there)
			}
		}
	}
}

// TestGuard keeps what is young by its id or by its edit, whichever is later (PR-3).
func TestGuard(t *testing.T) {
	t.Parallel()
	s, m := memorySite(t, 1)
	ids := s.chain(12)
	s.now = s.now.AddDate(1, 0, 0)
	d := m.docs[modulestore.CollectionStructures][ids[2]]
	var v driver.D
	if err := driver.Unmarshal(d, &v); err != nil {
		t.Fatal(err)
	}
	for i := range v {
		if v[i].Key == "edited_on" {
			v[i].Value = s.now.Add(-time.Hour) // written late, under an id of long ago
		}
	}
	m.docs[modulestore.CollectionStructures][ids[2]] = expected.Doc(t, v)
	if p, goes := going(t, m, Options{Policy: Policy{Last: 1}, Now: s.now}, ids); goes != "abdefghij" || p.Courses[0].Why[whyGuard] != 1 {
		t.Errorf("%q go, %+v", goes, p.Courses[0].Why)
	}
}

// TestDefinitions sweeps the definitions that no structure uses which stays, but young ones, and none while something is missing or
// unread (PR-9).
func TestDefinitions(t *testing.T) {
	t.Parallel()
	s, m := memorySite(t, 1)
	ids := s.chain(12)
	s.now = s.now.AddDate(1, 0, 0)
	definition := func(when time.Time) modulestore.ID {
		id := s.id()
		s.put(modulestore.CollectionDefinitions, id, expected.Doc(t, driver.D{{Key: "_id", Value: oid(id)}, {Key: "edit_info", Value: driver.D{{Key: "edited_on", Value: when}}}}))
		return id
	}
	young := definition(s.now.Add(-time.Hour))
	used := map[modulestore.ID]bool{young: true}
	for _, id := range ids[10:] {
		used[s.facts[id].definition] = true
	}
	all := len(m.docs[modulestore.CollectionDefinitions])
	o := Options{Policy: Policy{Last: 1}}
	if p, _ := going(t, m, Options{Policy: o.Policy, Now: s.now, WithoutContent: true}, ids); p.Definitions.Remove != 0 {
		t.Errorf("while content is unread %d go", p.Definitions.Remove)
	}
	p, _ := s.pruned(m, o)
	if p.Definitions.Remove != all-len(used) || p.Definitions.Keep != len(used) || p.Definitions.Remove == 0 {
		t.Errorf("%+v of %d, %d are used", p.Definitions, all, len(used))
	}
	for id := range used {
		if m.docs[modulestore.CollectionDefinitions][id] == nil {
			t.Errorf("%s went, which is used or young", id)
		}
	}
	definition(s.now.AddDate(-1, 0, 0))
	delete(m.docs[modulestore.CollectionStructures], ids[11])
	if p, _ := going(t, m, Options{Policy: o.Policy, Now: s.now}, ids); p.Definitions.Remove != 0 {
		t.Errorf("without a head %d go", p.Definitions.Remove)
	}
}

// TestPace rests as long as a delete took, longer when the server gets slow, up to a bound, and as long as the rate asks (PR-13).
func TestPace(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, c := range []struct {
		rate  int64
		took  []time.Duration
		bytes int64
		want  []time.Duration
	}{
		{0, []time.Duration{10 * ms, 10 * ms}, 1000, []time.Duration{10 * ms, 10 * ms}},
		{0, []time.Duration{10 * ms, 40 * ms, 20 * ms, 10 * ms}, 1000, []time.Duration{10 * ms, 160 * ms, 40 * ms, 10 * ms}},
		{0, []time.Duration{10 * ms, 10 * time.Second}, 1000, []time.Duration{10 * ms, maxRest}},
		{1000, []time.Duration{10 * ms, 10 * ms}, 1000, []time.Duration{990 * ms, 990 * ms}},
		{1000, []time.Duration{10 * ms, 40 * ms}, 1, []time.Duration{10 * ms, 160 * ms}},
	} {
		var got []time.Duration
		p := pace{rate: c.rate, sleep: func(_ context.Context, d time.Duration) error { got = append(got, d); return nil }}
		for _, took := range c.took {
			if err := p.rest(t.Context(), took, c.bytes); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v (-want +got)\n%s", c, diff)
		}
	}
}

// TestPauseAndProgress asks before each batch whether to go on, tells how far it is, and stops between two batches (PR-13).
func TestPauseAndProgress(t *testing.T) {
	t.Parallel()
	s, m := memorySite(t, 1)
	s.chain(12)
	s.now = s.now.AddDate(1, 0, 0)
	dir := t.TempDir()
	path := filepath.Join(dir, "plan.json")
	var steps []string
	if _, err := Make(t.Context(), m, Options{Policy: Policy{Last: 1}, Now: s.now, Progress: func(step string, _, _ int) {
		if !slices.Contains(steps, step) {
			steps = append(steps, step)
		}
	}}, path); err != nil {
		t.Fatal(err)
	}
	if want := []string{"reading structures", "walking histories", "reading what stays", "looking for gaps", "reading definitions"}; !slices.Equal(steps, want) {
		t.Errorf("told of %q", steps)
	}
	p, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	total := p.Remove + p.Definitions.Remove
	var told []int
	pauses, stop := 0, errors.New("stopped")
	o := ApplyOptions{Archive: filepath.Join(dir, "archive"), Batch: 3, Sleep: noSleep, Restorable: time.Hour, Now: func() time.Time { return s.now },
		Progress: func(step string, done, of int) {
			if step == "removing documents" && of == total {
				told = append(told, done)
			}
		},
		Pause: func(context.Context) error {
			if pauses++; pauses == 3 {
				return stop
			}
			return nil
		}}
	before := len(content(m)) + p.Cuts
	if _, err := Apply(t.Context(), m, p, o); !errors.Is(err, stop) || before-len(content(m)) != 6 || !slices.Equal(told, []int{3, 6}) {
		t.Errorf("stopped before the third batch: %v, %d are gone, told of %v", err, before-len(content(m)), told)
	}
	if _, err := Apply(t.Context(), m, p, o); err != nil || told[len(told)-1] != total {
		t.Errorf("gone on: %v, told of %v of %d", err, told, total)
	}
}

// TestReport tells what goes of each course, before and after, in the plan and when it is done, and what the server says its files
// weigh (PR-15).
func TestReport(t *testing.T) {
	t.Parallel()
	s, m := memorySite(t, 1)
	ids := s.chain(12)
	s.now = s.now.AddDate(1, 0, 0)
	var kept, gone, definitions int64
	for i, id := range ids {
		n := int64(len(m.docs[modulestore.CollectionStructures][id]))
		if i < 10 {
			gone += n
		} else {
			kept += n
		}
	}
	for _, d := range m.docs[modulestore.CollectionDefinitions] {
		definitions += int64(len(d))
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "plan.json")
	p, err := Make(t.Context(), m, Options{Policy: Policy{Last: 1}, Now: s.now}, path)
	if err != nil {
		t.Fatal(err)
	}
	c := p.Courses[0]
	if c.Keep != 2 || c.Remove != 10 || c.BytesKept != kept || c.Bytes != gone || p.Bytes != gone+p.Definitions.Bytes || c.Why[whyHead] != 1 || c.Why[whyLast] != 1 {
		t.Errorf("planned %+v", c)
	}
	if p, err = Open(path); err != nil {
		t.Fatal(err)
	}
	r, err := Apply(t.Context(), m, p, ApplyOptions{Archive: filepath.Join(dir, "archive"), Now: func() time.Time { return s.now }, Sleep: noSleep, Restorable: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range m.docs[modulestore.CollectionDefinitions] {
		definitions -= int64(len(d))
	}
	if diff := cmp.Diff([]Applied{{c.Key, 10, kept + gone, kept}}, r.Courses); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if r.Remove != 10 || r.Definitions != p.Definitions.Remove || r.Bytes != gone+definitions || r.Before[modulestore.CollectionStructures].Documents != 12 || r.After[modulestore.CollectionStructures].Documents != 2 {
		t.Errorf("%+v", r)
	}
	if !r.Until.Equal(s.now.Add(time.Hour)) {
		t.Errorf("restorable until %v", r.Until)
	}
}
