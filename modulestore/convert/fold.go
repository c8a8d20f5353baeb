package convert

import (
	"slices"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/xmltree"
)

// fold puts what is below a block of a type that holds no blocks into its content, whole: in OLX it is a part of it. The
// children were made before; they are no blocks of the tree any more.
func (v *viewing) fold(m *made, block *courseware.Block, children []courseware.BlockID) (*made, error) {
	var body []byte
	for _, id := range children {
		child := v.out.Blocks[v.ids.of[id].id]
		if child == nil {
			continue
		}
		text, err := v.whole(child)
		if err != nil {
			return nil, err
		}
		body = append(body, text...)
		v.leave(id)
	}
	data, err := block.Data.Read()
	if err != nil {
		return nil, err
	}
	if block.Opaque {
		data = inside(block, body)
	} else {
		data = slices.Concat(data, body)
	}
	if block.Data, err = v.spool.Keep(data); err != nil {
		return nil, err
	}
	with := *m
	with.block = block
	return &with, nil
}

// whole returns a block as one element with everything below it.
func (v *viewing) whole(b *courseware.Block) ([]byte, error) {
	text, err := olx.PrintBlock(b)
	if err != nil || len(b.Children) == 0 {
		return slices.Clip(text[:max(0, len(text)-1)]), err
	}
	doc, err := xmltree.Parse(b.ID.String(), text, xmltree.Limits{})
	if err != nil {
		return nil, err
	}
	e := doc.Root.Start()
	e.Inner = doc.Root.Inner()
	for _, id := range b.Children {
		if child := v.out.Blocks[id]; child != nil {
			part, err := v.whole(child)
			if err != nil {
				return nil, err
			}
			e.Inner += string(part)
		}
	}
	return e.Append(nil, 0), nil
}

// leave notes that a block and all below it are parts of another block's content.
func (v *viewing) leave(id courseware.BlockID) {
	v.inside[id] = true
	v.gone[v.ids.of[id].id] = true
	for _, child := range v.p.children[id] {
		v.leave(child)
	}
}
