package containers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/fault"
)

func testRead(t *testing.T, f *fixture) {
	p, q, r := f.problem("p"), f.problem("q"), f.problem("r")
	q1 := f.head(q)
	u := f.container(Unit, "u", Child{Entity: p}, Child{Entity: q, Pin: q1}, Child{Entity: r})
	if _, err := EntitiesIn(t.Context(), f, u, true); !fault.Is(err, fault.NotFound) {
		t.Errorf("never published: %v, want not found", err)
	}
	if _, err := CountChildren(t.Context(), f, u, true); !fault.Is(err, fault.NotFound) {
		t.Errorf("never published: %v, want not found", err)
	}
	for _, id := range []publishing.EntityID{p, 1 << 40} {
		if _, err := EntitiesIn(t.Context(), f, id, false); !fault.Is(err, fault.NotFound) {
			t.Errorf("no container: %v, want not found", err)
		}
	}
	f.setDraft(r, 0) // before the first publish: no row there at all, left out (section 11.4)
	f.publish()
	f.edit(p)
	q2 := f.edit(q)
	check := func(name string, published bool, want ...publishing.EntityID) {
		t.Helper()
		if diff := cmp.Diff(want, f.entries(u, published)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	count := func(published bool, want int) {
		t.Helper()
		if got, err := CountChildren(t.Context(), f, u, published); got != want || err != nil {
			t.Errorf("count %d, %v, want %d", got, err, want)
		}
	}
	check("draft", false, p, -q)
	check("published", true, p, -q)
	list, err := EntitiesIn(t.Context(), f, u, false)
	if err != nil || list[0].Num != 2 || list[1].Version != q1 || list[1].Version == q2 || list[0].Title != "p" {
		t.Errorf("entries %+v, %v", list, err)
	}
	f.setDraft(q, 0)
	f.setDraft(p, 0)
	check("draft, deleted", false, -q) // law 53
	check("published, deleted in draft", true, p, -q)
	count(false, 0)
	count(true, 2)

	u2 := f.container(Unit, "u2", Child{Entity: q, Pin: q1}, Child{Entity: r}, Child{Entity: r})
	with := func(e publishing.EntityID, ignorePinned, published bool) (out []publishing.EntityID) {
		t.Helper()
		got, err := With(t.Context(), f, e, ignorePinned, published)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range got {
			out = append(out, c.ID)
		}
		return out
	}
	for _, c := range []struct {
		e                       publishing.EntityID
		ignorePinned, published bool
		want                    []publishing.EntityID
	}{
		{q, false, false, []publishing.EntityID{u, u2}},
		{q, true, false, nil},
		{q, false, true, []publishing.EntityID{u}},
		{r, true, false, []publishing.EntityID{u, u2}}, // law 55: once each
		{u, false, false, nil},
	} {
		if diff := cmp.Diff(c.want, with(c.e, c.ignorePinned, c.published)); diff != "" {
			t.Errorf("with %+v (-want +got):\n%s", c, diff)
		}
	}
	f.next(NextVersion{Entity: u2, Action: Replace})
	if got := with(r, false, false); len(got) != 1 {
		t.Errorf("a former parent is found: %v", got)
	}

	x := f.problem("x")
	u3 := f.container(Unit, "u3", free(x)...)
	s := f.container(Subsection, "s", Child{Entity: u, Pin: f.head(u)}, Child{Entity: u3}, Child{Entity: u3})
	sec := f.container(Section, "sec", free(s)...)
	got, err := Descendants(t.Context(), f, sec)
	if diff := cmp.Diff([]publishing.EntityID{q, x}, got); err != nil || diff != "" {
		t.Errorf("descendants: %v (-want +got):\n%s", err, diff)
	}
	f.setDraft(u3, 0)
	if got, err := Descendants(t.Context(), f, sec); len(got) != 1 || err != nil {
		t.Errorf("descendants through a deleted container: %v, %v", got, err)
	}
	live, err := Containers(t.Context(), f, f.pkg.ID, false)
	if len(live) != 4 || err != nil {
		t.Errorf("%d live containers, %v, want 4", len(live), err)
	}
}

func testAsOf(t *testing.T, f *fixture) {
	p, q := f.problem("p"), f.problem("q")
	u := f.container(Unit, "u", free(p)...)
	before := f.publish()
	v1 := f.head(u)
	f.edit(p)
	v2, _ := f.next(NextVersion{Entity: u, Action: Append, Children: []Child{{Entity: q, Pin: f.head(q)}}})
	after := f.publish()
	f.setDraft(u, 0)
	gone := f.publish()
	for _, c := range []struct {
		log  int64
		v    publishing.VersionID
		want string
	}{{before, v1, "[1]"}, {after, v2, "[2 1]"}, {gone, 0, "[]"}, {before - 1, 0, "[]"}} {
		v, entries, err := AsOf(t.Context(), f, u, c.log)
		nums := []int{}
		for _, e := range entries {
			nums = append(nums, e.Num)
		}
		if got := fmt.Sprint(nums); v != c.v || got != c.want || err != nil {
			t.Errorf("as of %d: version %d, %s, %v, want %d, %s", c.log, v, got, err, c.v, c.want)
		}
	}
}

func testOutline(t *testing.T, f *fixture) {
	p, q, gone := f.problem("p"), f.problem("q"), f.problem("gone")
	u1 := f.container(Unit, "u1", Child{Entity: p}, Child{Entity: gone}, Child{Entity: q, Pin: f.head(q)})
	u2 := f.container(Unit, "u2", free(q, p)...)
	s := f.container(Subsection, "s", Child{Entity: u2}, Child{Entity: u1, Pin: f.head(u1)})
	f.setDraft(gone, 0)
	f.next(NextVersion{Entity: u1, Action: Replace})
	f.publish()
	f.edit(q)
	show := func(m publishing.Moment) string {
		t.Helper()
		nodes, err := Outline(t.Context(), f, f.pkg.ID, m)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		var walk func(n *Node, pinned bool)
		walk = func(n *Node, pinned bool) {
			fmt.Fprintf(&b, "%s %d", n.Title, n.Num)
			if pinned {
				b.WriteString("!")
			}
			if n.Type != "" {
				b.WriteString("(")
				for i, e := range n.Children {
					if i > 0 {
						b.WriteString(", ")
					}
					walk(e.Node, e.Pinned)
				}
				b.WriteString(")")
			}
		}
		for _, n := range Roots(nodes) {
			walk(n, false)
			b.WriteString("; ")
		}
		return b.String()
	}
	if got, want := show(publishing.Draft()), "u1 2(); s 1(u2 1(q 2, p 1), u1 1!(p 1, q 1!)); "; got != want {
		t.Errorf("draft: %s\nwant   %s", got, want)
	}
	if got, want := show(publishing.Published()), "u1 2(); s 1(u2 1(q 1, p 1), u1 1!(p 1, q 1!)); "; got != want {
		t.Errorf("published: %s\nwant   %s", got, want)
	}
	_ = s
	nodes, err := Outline(t.Context(), f, f.pkg.ID, publishing.Draft())
	if err != nil || len(nodes) != 5 || nodes[0].Entity != p || nodes[0].Ref != "xblock.v1:problem:p" || nodes[4].Type != Subsection || nodes[3].Entity != u2 {
		t.Errorf("nodes %+v, %v", nodes, err)
	}
}
