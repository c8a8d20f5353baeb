package course

import (
	"io"
	"iter"
	"slices"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
)

// tree is a course at one moment: its live blocks and static files by entity ref. A part of a course is a tree too: it
// knows of the children that it does not hold whether they live.
type tree struct {
	nodes  map[string]*node
	beyond map[string]bool // live children that are not in nodes
	root   string
	order  []string // refs in a stable order: parents before children, then detached blocks and files; may name refs that are gone
}

// node is one block or static file of a tree. A node read from the store knows its entity and version; a wanted one
// knows its content.
type node struct {
	ref       string
	title     string
	container bool
	files     []file            // by path
	children  []string          // refs of the children that live in the tree, in order
	block     *courseware.Block // of a wanted node: what those of its files are encoded from that have no content here
	written   Wrote             // of a wanted node: who wrote it where it comes from

	entity  publishing.EntityID
	version publishing.VersionID
	num     int
	stored  []string // refs of all children as stored, those that are deleted included
}

// file is one file of a node.
type file struct {
	path   string
	digest string // BLAKE2b-160, as media store it
	size   int64
	media  media.ID                      // of a stored file
	data   []byte                        // of a wanted file that is in memory
	open   func() (io.ReadCloser, error) // of a wanted file that is not
}

func newTree(root string, n int) *tree {
	return &tree{nodes: make(map[string]*node, n), root: root, order: make([]string, 0, n)}
}

// has reports whether ref lives in the tree, or beyond the part of the course that it holds.
func (t *tree) has(ref string) bool { return t.nodes[ref] != nil || t.beyond[ref] }

func (t *tree) add(n *node) {
	t.nodes[n.ref] = n
	t.order = append(t.order, n.ref)
}

// live yields the nodes of the tree in its order.
func (t *tree) live() iter.Seq[*node] {
	return func(yield func(*node) bool) {
		for _, ref := range t.order {
			if n := t.nodes[ref]; n != nil && !yield(n) {
				return
			}
		}
	}
}

// parents returns the parent of every child, the first one in document order.
func (t *tree) parents() map[string]string {
	up := make(map[string]string, len(t.nodes))
	for n := range t.live() {
		for _, child := range n.children {
			if _, seen := up[child]; !seen {
				up[child] = n.ref
			}
		}
	}
	return up
}

// below returns ref and everything below it, parents first.
func (t *tree) below(ref string) []string {
	var out []string
	seen := map[string]bool{}
	stack := []string{ref}
	for len(stack) > 0 {
		ref := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := t.nodes[ref]
		if n == nil || seen[ref] {
			continue
		}
		seen[ref] = true
		out = append(out, ref)
		for _, child := range slices.Backward(n.children) {
			stack = append(stack, child)
		}
	}
	return out
}

// sameContent reports whether two nodes agree in title and files, wherever they stand.
func sameContent(a, b *node) bool {
	return a.title == b.title && slices.EqualFunc(a.files, b.files, func(x, y file) bool {
		return x.path == y.path && x.digest == y.digest
	})
}

// sameIn reports whether a stored node already is what a wanted tree says of it. Deleted children stay in their parent's
// stored list so that undoing brings them back in place; they count only when the wanted tree has them somewhere.
func sameIn(want *tree, n, stored *node) bool {
	if !sameContent(n, stored) {
		return false
	}
	i := 0
	for _, child := range stored.stored {
		if !want.has(child) {
			continue
		}
		if i == len(n.children) || n.children[i] != child {
			return false
		}
		i++
	}
	return i == len(n.children)
}
