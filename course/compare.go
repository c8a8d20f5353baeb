package course

import "slices"

// ChangeKind says how a block or file differs between two moments.
type ChangeKind string

// The kinds of change (cli.md, course diff).
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Moved   ChangeKind = "moved"
	Changed ChangeKind = "changed"
)

// Place is where a block stands: under which parent, and at which index among the siblings both sides have.
type Place struct {
	Parent string `json:"parent"`
	Index  int    `json:"index"`
}

// difference is one change between two trees. A block that moved and changed gives two.
type difference struct {
	ref      string
	kind     ChangeKind
	from, to Place // of a move
}

// compare lists how b differs from a: in b's order what was added, changed or moved, then in a's order what was removed.
// Moved means another parent, or another place among the siblings that both sides have.
func compare(a, b *tree) []difference {
	var out []difference
	wereUnder, areUnder := a.parents(), b.parents()
	places := func(t, other *tree, up, otherUp map[string]string) map[string]int {
		at := make(map[string]int, len(up))
		for n := range t.live() {
			i := 0
			for _, child := range n.children {
				if up[child] != n.ref {
					continue // listed twice: the first place counts
				}
				if other.nodes[child] != nil && otherUp[child] == n.ref {
					at[child] = i
					i++
				}
			}
		}
		return at
	}
	before, after := places(a, b, wereUnder, areUnder), places(b, a, areUnder, wereUnder)
	for now := range b.live() {
		ref := now.ref
		old := a.nodes[ref]
		if old == nil {
			out = append(out, difference{ref: ref, kind: Added})
			continue
		}
		if !sameContent(old, now) {
			out = append(out, difference{ref: ref, kind: Changed})
		}
		switch was, is := wereUnder[ref], areUnder[ref]; {
		case was != is:
			out = append(out, difference{ref, Moved,
				Place{was, a.index(was, ref)}, Place{is, b.index(is, ref)}})
		case before[ref] != after[ref]:
			out = append(out, difference{ref, Moved, Place{was, before[ref]}, Place{is, after[ref]}})
		}
	}
	for was := range a.live() {
		if b.nodes[was.ref] == nil {
			out = append(out, difference{ref: was.ref, kind: Removed})
		}
	}
	return out
}

// index returns the place of child among parent's live children, -1 when it has none.
func (t *tree) index(parent, child string) int {
	if p := t.nodes[parent]; p != nil {
		return slices.Index(p.children, child)
	}
	return -1
}
