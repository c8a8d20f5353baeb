package convert

import (
	"slices"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/fields"
)

const (
	viewDraft     = "draft"
	viewPublished = "published"
)

// converter makes one state.
type converter struct {
	src   *Source
	o     Options
	key   keys.Course
	ids   *namer
	texts *texts
	spool *courseware.Spool
	made  map[*modulestore.Block]*made

	orphans map[courseware.BlockID]int  // in how many views a block has no parent; by old ids
	inside  map[courseware.BlockID]bool // by old ids
	notes   notes
}

// made is a block that both views may have, without children.
type made struct {
	block   *courseware.Block
	copied  courseware.Fields // what was set of what came with the copy
	grading []byte            // of a root
	// asked are the other blocks by whose names it is what it is, in order; linked says that it may be so by any of them.
	asked  []answer
	linked bool
}

// answer is what a block was called when its name was asked for; ok is false for one that was not there.
type answer struct {
	of, now courseware.BlockID
	ok      bool
}

func newConverter(src *Source, o Options, key keys.Course) *converter {
	c := bareConverter(src, o, key)
	c.texts = newTexts(c)
	return c
}

// bareConverter is a converter that has no texts yet.
func bareConverter(src *Source, o Options, key keys.Course) *converter {
	return &converter{
		src: src, o: o, key: key, ids: newNamer(src, key), spool: &courseware.Spool{}, made: map[*modulestore.Block]*made{},
		orphans: map[courseware.BlockID]int{}, inside: map[courseware.BlockID]bool{},
	}
}

// view makes the tree of one view.
func (c *converter) view(name string, branch *modulestore.Branch) (*courseware.Course, error) {
	tree, _, err := c.placed(name, branch)
	return tree, err
}

// placed makes the tree of one view, and says where its blocks stand.
func (c *converter) placed(name string, branch *modulestore.Branch) (*courseware.Course, *places, error) {
	other := c.src.Draft
	if name == viewDraft {
		other = c.src.Published
	}
	p := place(branch, other)
	c.notes.left(p.left)
	out := &courseware.Course{
		Key: c.key, Blocks: make(map[courseware.BlockID]*courseware.Block, branch.Len()),
		Assets: c.src.Assets, AssetsXML: c.src.AssetsXML,
	}
	out.Root = c.ids.of[branch.Root].id
	for _, id := range p.orphans {
		c.orphans[id]++
		c.notes.orphan(name, id, c.ids)
	}
	v := &viewing{converter: c, name: name, p: p, out: out, gone: map[courseware.BlockID]bool{}}
	// Children first: a type that holds no blocks takes what is below it into its own content.
	for _, id := range slices.Backward(p.order) {
		m, err := v.block(branch.Block(id))
		if err != nil {
			return nil, nil, err
		}
		out.Blocks[m.block.ID] = m.block
		if id == branch.Root {
			out.GradingPolicy = m.grading
		}
	}
	for id := range v.gone {
		delete(out.Blocks, id)
	}
	return out, p, nil
}

// viewing makes the blocks of one view.
type viewing struct {
	*converter
	name string
	p    *places
	out  *courseware.Course
	gone map[courseware.BlockID]bool // blocks that are parts of another one's content
}

// block makes a block with its children.
func (v *viewing) block(b *modulestore.Block) (*made, error) {
	copied := v.copied(b)
	m := v.made[b]
	if m == nil || !slices.Equal(m.copied, copied) {
		var err error
		if m, err = v.convert(b, copied); err != nil {
			return nil, err
		}
		v.made[b] = m
	}
	children := v.p.children[b.ID]
	if len(children) == 0 {
		return m, nil
	}
	with := *m
	block := *m.block
	if !olx.HoldsBlocks(block.ID.Type) || block.Opaque {
		return v.fold(&with, &block, children)
	}
	block.Children = make([]courseware.BlockID, len(children))
	for i, id := range children {
		block.Children[i] = v.ids.of[id].id
	}
	with.block = &block
	return &with, nil
}

// copied returns what a copy from a library brought along and counts, so that it has to be said where such copies are not
// known (modulestore.md SP-28, §4.7): what the block does not say itself, and for what blocks inherit, only where nothing
// above says otherwise, unless it stands right below a library_content, where the copy's values go first.
func (c *viewing) copied(b *modulestore.Block) (f courseware.Fields) {
	for _, d := range b.Defaults {
		if _, own := b.Settings.Lookup(d.Name); own {
			continue
		}
		if _, inherited := fields.Inherited(d.Name); inherited {
			if len(c.p.children[b.ID]) > 0 {
				// Said by the block itself it would count for what is below it too, which a copy's values do not.
				c.notes.copiedAway(b.ID, d)
				continue
			}
			if c.p.branch.Setting(b.ID, d.Name) != d.Value {
				continue
			}
		}
		f = append(f, d)
	}
	return f
}
