package convert_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore/convert"
	"github.com/openlectern/lectern/modulestore/expected"
)

// unproven returns the differences that no rule allows.
func unproven(list []convert.Difference) []convert.Difference {
	return slices.DeleteFunc(slices.Clone(list), func(d convert.Difference) bool { return d.Waived != "" })
}

// TestGoldenProof proves every conversion of every set, and that a state that differs is not proven.
func TestGoldenProof(t *testing.T) {
	t.Parallel()
	for _, set := range sets(t) {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			for _, src := range sources(t, set) {
				if src.Draft.Block(src.Draft.Root) == nil {
					continue
				}
				r := toConvert(t, src)
				all := convert.Compare(src, r, r.State)
				if left := unproven(all); len(left) > 0 {
					t.Errorf("%s: %d differences, the first %+v", src.Name, len(left), left[0])
				}
				if diff := cmp.Diff(all, convert.Compare(src, r, r.State)); diff != "" {
					t.Errorf("%s: compared twice\n%s", src.Name, diff)
				}
				for id, b := range r.State.Published.Blocks {
					changed := *b
					changed.Fields = b.Fields.With("display_name", courseware.Text("changed"))
					if b.Opaque {
						changed.Data = courseware.Bytes([]byte("<x/>"))
					}
					st := with(r.State, id, &changed)
					if len(unproven(convert.Compare(src, r, st))) == 0 {
						t.Errorf("%s: nobody notices that %s changed", src.Name, id)
					}
					break
				}
			}
		})
	}
}

// with returns a state whose published tree has another block.
func with(st courseware.State, id courseware.BlockID, b *courseware.Block) courseware.State {
	published := *st.Published
	published.Blocks = maps.Clone(published.Blocks)
	if b == nil {
		delete(published.Blocks, id)
	} else {
		published.Blocks[id] = b
	}
	if st.Draft == nil {
		st.Draft = st.Published
	}
	st.Published = &published
	return st
}

// TestGoldenBlocks finds every block that the real store answered about in the state and in the map, under its new key.
func TestGoldenBlocks(t *testing.T) {
	t.Parallel()
	n := 0
	for _, set := range sets(t) {
		if !expected.Has(t, set, "expected.json.gz") {
			continue
		}
		want := expected.Read(t, set)
		srcs := sources(t, set)
		for _, course := range append(want.Courses, want.Libraries...) {
			i := slices.IndexFunc(srcs, func(s convert.Source) bool { return s.Name == course.CourseKey })
			if i < 0 {
				t.Errorf("%s: no course %s", set, course.CourseKey)
				continue
			}
			r := toConvert(t, srcs[i])
			keys := map[string]convert.Mapping{}
			for _, m := range r.Keys {
				if _, twice := keys[m.Old]; twice {
					t.Errorf("%s: %s is in the map twice", set, m.Old)
				}
				keys[m.Old] = m
			}
			for name, branch := range course.Branches {
				in := r.State.Published
				if name == "draft" && r.State.Draft != nil {
					in = r.State.Draft
				}
				have := map[string]bool{}
				for id := range in.Blocks {
					u, err := r.Key.Usage(id.Type, id.Name)
					if err != nil {
						t.Fatal(err)
					}
					have[u.String()] = true
				}
				for _, block := range branch.Blocks {
					n++
					m := keys[block.UsageKey]
					if !have[m.New] {
						t.Errorf("%s, %s: %s (%+v) is not there", set, name, block.UsageKey, m)
					}
					if orphan := slices.Contains(branch.Orphans, block.UsageKey); orphan != (m.Reason == convert.ReasonOrphan) && len(course.Branches) == 1 {
						t.Errorf("%s: %s has the reason %s", set, block.UsageKey, m.Reason)
					}
				}
			}
		}
	}
	if n == 0 {
		t.Error("no blocks")
	}
}

// TestGoldenAgain converts twice and gets the same bytes.
func TestGoldenAgain(t *testing.T) {
	t.Parallel()
	for _, set := range sets(t) {
		again := sources(t, set)
		for i, src := range sources(t, set) {
			if src.Draft.Block(src.Draft.Root) == nil {
				continue
			}
			a, b := toConvert(t, src), toConvert(t, again[i])
			if diff := cmp.Diff(dumped(t, a), dumped(t, b)); diff != "" {
				t.Errorf("%s: %s\n%s", set, src.Name, diff)
			}
		}
	}
}

// dumped writes a result down.
func dumped(t *testing.T, r *convert.Result) string {
	t.Helper()
	var out strings.Builder
	report, err := json.Marshal(r.Report)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "%s %+v %s\n", r.Key, r.Keys, report)
	for _, c := range []*courseware.Course{r.State.Published, r.State.Draft} {
		if c == nil {
			continue
		}
		for _, id := range slices.SortedFunc(maps.Keys(c.Blocks), courseware.BlockID.Compare) {
			b := c.Blocks[id]
			data, err := b.Data.Read()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%v %v %v %v %q %q %v %v\n", id, b.Children, b.Fields, b.Extra, data, b.Nodes, b.Form, b.Opaque)
		}
		fmt.Fprintf(&out, "%s\n", c.GradingPolicy)
	}
	return out.String()
}
