package modulestore

import (
	"iter"
	"slices"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
)

// Branch is one state of a course or library: its draft, what is published, or a library's only one. It is not changed
// once it is made, so several goroutines may read it.
type Branch struct {
	Root courseware.BlockID
	// Version is the structure of the versioned store; the old store has none.
	Version ID

	blocks  []*Block // ordered by id
	byID    map[courseware.BlockID]*Block
	parents map[courseware.BlockID]courseware.BlockID
	reached map[courseware.BlockID]bool
}

// NewBranch makes a branch of its blocks, each id at most once. It takes the slice over.
func NewBranch(root courseware.BlockID, version ID, blocks []*Block) *Branch {
	slices.SortFunc(blocks, func(a, b *Block) int { return a.ID.Compare(b.ID) })
	b := &Branch{Root: root, Version: version, blocks: blocks, byID: make(map[courseware.BlockID]*Block, len(blocks)),
		parents: make(map[courseware.BlockID]courseware.BlockID, len(blocks)), reached: make(map[courseware.BlockID]bool, len(blocks))}
	for _, block := range blocks {
		b.byID[block.ID] = block
	}
	for block := range b.Walk() {
		b.reached[block.ID] = true
	}
	// In the order of ids, so that the first parent found is the least (L-7).
	for _, block := range blocks {
		if !b.reached[block.ID] {
			continue
		}
		for _, id := range block.Children {
			if _, has := b.parents[id]; !has && id != root {
				b.parents[id] = block.ID
			}
		}
	}
	return b
}

// Len returns the number of blocks.
func (b *Branch) Len() int { return len(b.blocks) }

// Blocks returns the blocks ordered by type and id.
func (b *Branch) Blocks() iter.Seq[*Block] { return slices.Values(b.blocks) }

// Block returns a block, nil where there is none.
func (b *Branch) Block(id courseware.BlockID) *Block { return b.byID[id] }

// Walk yields the blocks that can be reached from the root, parents before children, in order, each once. Children that
// are not there are passed over.
func (b *Branch) Walk() iter.Seq2[*Block, int] {
	return func(yield func(*Block, int) bool) {
		type step struct {
			id    courseware.BlockID
			depth int
		}
		seen := make(map[courseware.BlockID]bool, len(b.blocks))
		stack := []step{{b.Root, 0}}
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			block := b.byID[at.id]
			if block == nil || seen[at.id] {
				continue
			}
			seen[at.id] = true
			if !yield(block, at.depth) {
				return
			}
			for _, id := range slices.Backward(block.Children) {
				stack = append(stack, step{id, at.depth + 1})
			}
		}
	}
}

// Parent returns the parent of a block: of those that can be reached from the root the least by type and id
// (modulestore.md L-7); ok is false where there is none.
func (b *Branch) Parent(id courseware.BlockID) (parent courseware.BlockID, ok bool) {
	parent, ok = b.parents[id]
	return parent, ok
}

// Orphans returns the blocks that no block lists, the root and pages left out, ordered by type and id. What hangs below
// one of them is not itself one (modulestore.md OM-28, L-70).
func (b *Branch) Orphans() (ids []courseware.BlockID) {
	listed := make(map[courseware.BlockID]bool, len(b.blocks))
	for _, block := range b.blocks {
		for _, id := range block.Children {
			listed[id] = true
		}
	}
	for _, block := range b.blocks {
		if !listed[block.ID] && block.ID != b.Root && !IsDetached(block.ID.Type) {
			ids = append(ids, block.ID)
		}
	}
	return ids
}

// Setting returns the value that a settings field of a block counts with: its own; for an inheritable one that of the
// nearest ancestor with one of its own, but for children of a library_content what came with the copy; then the copy's; then
// the default of the block's type (modulestore.md §4.7). Null is the answer where nothing is known.
func (b *Branch) Setting(id courseware.BlockID, name string) courseware.Value {
	block := b.byID[id]
	if block == nil {
		return courseware.Null
	}
	if v, ok := block.Settings.Lookup(name); ok {
		return v
	}
	copied, isCopied := block.Defaults.Lookup(name)
	parent, ok := b.parents[id]
	if _, inherited := fields.Inherited(name); inherited && !(isCopied && parent.Type == "library_content") {
		// Where blocks stand below themselves least parents may go round, so no more steps are taken than there are blocks.
		for range b.blocks {
			if !ok {
				break
			}
			if v, set := b.byID[parent].Settings.Lookup(name); set {
				return v
			}
			parent, ok = b.parents[parent]
		}
	}
	if isCopied {
		return copied
	}
	f, known := fields.Common(name)
	if spec := fields.Lookup(id.Type); spec != nil {
		f, known = spec.Field(name)
	}
	if !known || f.Default == "" {
		return courseware.Null
	}
	return f.Default
}
