package prune

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/expected"
)

func id(t testing.TB, text string) modulestore.ID {
	t.Helper()
	if text == "" {
		return modulestore.ID{}
	}
	v, err := parseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// recorded reads the graph that was recorded of a set, without some structures.
func recorded(t *testing.T, set string, without ...string) *Graph {
	t.Helper()
	var doc struct {
		Structures [][3]string
		Heads      [][3]string
	}
	if err := json.Unmarshal(golden.Read(t, "modulestore/"+set+"/prune/graph.json"), &doc); err != nil {
		t.Fatal(err)
	}
	g := &Graph{Structures: map[modulestore.ID]Link{}}
	for _, s := range doc.Structures {
		g.Structures[id(t, s[0])] = Link{id(t, s[1]), id(t, s[2])}
	}
	for _, s := range without {
		delete(g.Structures, id(t, s))
	}
	for _, h := range doc.Heads {
		g.Branches = append(g.Branches, ActiveBranch{Course: h[0], Branch: h[1], Head: id(t, h[2])})
	}
	return g
}

func dumped(t *testing.T, set string) Reader {
	t.Helper()
	src, err := dump.Open(golden.Path(t, "modulestore/"+set+"/dump"), "")
	if err != nil {
		t.Fatal(err)
	}
	return FromSource(set, src)
}

// TestGoldenPrunePlans makes the plans that the reference tool made, to the byte (PR-16).
func TestGoldenPrunePlans(t *testing.T) {
	t.Parallel()
	for _, set := range expected.Sets(t, "prune/graph.json") {
		fromDump, err := ReadGraph(t.Context(), dumped(t, set), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(recorded(t, set).Structures, fromDump.Structures); diff != "" {
			t.Errorf("%s: the graph of the dump is another one (-recorded +dump)\n%s", set, diff)
		}
		for _, path := range golden.Glob(t, "modulestore/"+set+"/prune/plan-retain-*.json") {
			retain, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "plan-retain-"), ".json"))
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			details, err := os.ReadFile(strings.TrimSuffix(path, ".json") + ".details.txt")
			if err != nil {
				t.Fatal(err)
			}
			for from, g := range map[string]*Graph{"graph": recorded(t, set), "dump": fromDump} {
				var text bytes.Buffer
				p, err := Compat(g, retain, false, &text)
				if err != nil {
					t.Fatal(err)
				}
				got, err := p.Text()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(got)); diff != "" {
					t.Errorf("%s, retain %d, from the %s (-tool +ours)\n%s", set, retain, from, diff)
				}
				if diff := cmp.Diff(string(details), text.String()); from == "dump" && diff != "" {
					t.Errorf("%s, retain %d: details (-tool +ours)\n%s", set, retain, diff)
				}
				read, err := ReadCompat(bytes.NewReader(want), path)
				if err != nil || !cmp.Equal(read, p) {
					t.Errorf("read again: %v", err)
				}
			}
		}
	}
}

func TestGoldenPruneDamaged(t *testing.T) {
	t.Parallel()
	for _, set := range expected.Sets(t, "prune/damaged-cases.json") {
		var cases []struct {
			Name          string
			Remove        []string `json:"remove_structures"`
			Retain        int
			IgnoreMissing bool `json:"ignore_missing"`
			Plan          *CompatPlan
			Exit          int
			Error         string
		}
		if err := json.Unmarshal(golden.Read(t, "modulestore/"+set+"/prune/damaged-cases.json"), &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			p, err := Compat(recorded(t, set, c.Remove...), c.Retain, c.IgnoreMissing, nil)
			if c.Plan == nil {
				if exit := max(c.Exit, 1); err == nil || fault.KindOf(err).Exit() != exit { // an exception ends Python with 1
					t.Errorf("%s, retain %d: %v, want status %d", c.Name, c.Retain, err, exit)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s, retain %d: %v", c.Name, c.Retain, err)
			}
			if diff := cmp.Diff(c.Plan, p); diff != "" {
				t.Errorf("%s, retain %d (-tool +ours)\n%s", c.Name, c.Retain, diff)
			}
		}
	}
}

// TestVectors are the vectors of modulestore.md §7.2 (PR-16).
func TestVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, structures, heads string // structures as id:original:previous
		retain                  int
		ignore                  bool
		remove, relink          string
		fails                   bool
	}{
		{"V1", "a0:a0: a1:a0:a0 a2:a0:a1 a3:a0:a2 a4:a0:a3 a5:a0:a4 b0:b0: b1:b0:b0 b2:b0:b1", "a5 b2", 0, false, "a1 a2 a3 a4 b1", "a5>a0 b2>b0", false},
		{"V1b", "a0:a0: a1:a0:a0 a2:a0:a1 a3:a0:a2 a4:a0:a3 a5:a0:a4 b0:b0: b1:b0:b0 b2:b0:b1", "a5 b2", 2, false, "a1 a2", "a3>a0", false},
		{"V1c", "a0:a0: a1:a0:a0 a2:a0:a1 a3:a0:a2 a4:a0:a3 a5:a0:a4 b0:b0: b1:b0:b0 b2:b0:b1", "a5 b2", 5, false, "", "", false},
		{"V2", "a0:a0: a1:a0:a0 a2:a0:a1 a3:a0:a2 a4:a0:a3 a5:a0:a4 c1:a0:a3 c2:a0:c1", "a5 c2", 0, false, "a1 a2 a3 a4 c1", "a5>a0 c2>a0", false},
		{"V2b", "a0:a0: a1:a0:a0 a2:a0:a1 a3:a0:a2 a4:a0:a3 a5:a0:a4 c1:a0:a3 c2:a0:c1", "a5 c2", 1, false, "a1 a2 a3", "a4>a0 c1>a0", false},
		{"V3", "a0:a0: a1:a0:a0 a2:a0:a1 a3:a0:a2", "a3 a3", 0, false, "a1 a2", "a3>a0", false},
		{"V4", "d0:d0: d1:d0:d0 d2:d0:d1", "", 2, false, "d0 d1 d2", "", false},
		{"V5", "a0:a0: a4:a0:a3 a5:a0:a4", "a5", 2, false, "", "", true},
		{"V5b", "a0:a0: a4:a0:a3 a5:a0:a4", "a5", 2, true, "", "a4>a0", false},
		{"V5c", "a0:a0: a4:a0:a3 a5:a0:a4", "a5", 0, false, "a4", "a5>a0", false},
		{"V6", "a3:a0:a0 a4:a0:a3", "a4", 1, true, "", "", false},
		{"V6b", "a2:a0:a1 a3:a0:a2 a4:a0:a3", "a4", 0, true, "a2 a3", "a4>a0", false},
		{"V7", "a0:a0:", "a1", 0, true, "", "", true},
		{"V8", "01:01: 02:01:01 03:01:02 04:01:03 05:01:04 06:01:05 07:01:06 08:01:07", "08 05", 1, false, "02 03 06", "04>01 07>01", false},
	} {
		long := func(short string) string { return short + strings.Repeat("0", 22) }
		g := &Graph{Structures: map[modulestore.ID]Link{}}
		for _, s := range strings.Fields(c.structures) {
			part := strings.Split(s, ":")
			link := Link{Original: id(t, long(part[1]))}
			if part[2] != "" {
				link.Previous = id(t, long(part[2]))
			}
			g.Structures[id(t, long(part[0]))] = link
		}
		for _, h := range strings.Fields(c.heads) {
			g.Branches = append(g.Branches, ActiveBranch{Head: id(t, long(h))})
		}
		p, err := Compat(g, c.retain, c.ignore, nil)
		if c.fails {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var remove, relink []string
		for _, id := range p.Delete {
			remove = append(remove, id[:2])
		}
		for _, pair := range p.UpdateParents {
			relink = append(relink, pair[0][:2]+">"+pair[1][:2])
		}
		if strings.Join(remove, " ") != c.remove || strings.Join(relink, " ") != c.relink {
			t.Errorf("%s: remove %s, relink %s; want %s, %s", c.name, remove, relink, c.remove, c.relink)
		}
	}
}

func TestCompatRefuses(t *testing.T) {
	t.Parallel()
	if _, err := Compat(&Graph{}, -1, false, nil); !fault.Is(err, fault.Usage) {
		t.Error(err)
	}
	for _, text := range []string{"", "{}", `{"delete":["x"],"update_parents":[]}`, `{"delete":[],"update_parents":[["x","y"]]}`, `{"delete":[],"update_parents":[],"more":1}`} {
		if _, err := ReadCompat(strings.NewReader(text), "f"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
