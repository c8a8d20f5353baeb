package course

import (
	"context"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Change is one difference between two moments of a course. From and To are version numbers, and for a move places.
type Change struct {
	Key  string     `json:"key"`
	Kind ChangeKind `json:"kind"`
	From any        `json:"from"`
	To   any        `json:"to"`
	Diff *string    `json:"diff"` // unified text of what changed in the block; null for files and moves
}

// Diff compares two moments. With block it tells only of that block and what stands below it at either moment.
func (c *Course) Diff(ctx context.Context, q db.Querier, files media.Files, from, to Moment, block *courseware.BlockID) ([]Change, error) {
	a, err := c.snapshot(ctx, q, from.state())
	if err != nil {
		return nil, err
	}
	b, err := c.snapshot(ctx, q, to.state())
	if err != nil {
		return nil, err
	}
	differences := compare(a, b)
	if block != nil {
		if differences, err = c.within(differences, a, b, *block); err != nil {
			return nil, err
		}
	}
	texts, err := c.texts(ctx, q, files, differences, a, b)
	if err != nil {
		return nil, err
	}
	out := make([]Change, 0, len(differences))
	for _, d := range differences {
		ch := Change{Key: c.refKey(d.ref), Kind: d.kind}
		if d.kind == Moved {
			d.from.Parent, d.to.Parent = c.parentKey(d.from.Parent), c.parentKey(d.to.Parent)
			ch.From, ch.To = d.from, d.to
		} else {
			ch.From, ch.To = versionNum(a.nodes[d.ref]), versionNum(b.nodes[d.ref])
		}
		if _, isFile := refAsset(d.ref); !isFile && d.kind != Moved {
			text := udiff.Unified(from.Name(), to.Name(), texts(a.nodes[d.ref]), texts(b.nodes[d.ref]))
			ch.Diff = &text
		}
		out = append(out, ch)
	}
	return out, nil
}

func versionNum(n *node) any {
	if n == nil {
		return nil
	}
	return n.num
}

func (c *Course) parentKey(ref string) string {
	if ref == "" {
		return ""
	}
	return c.refKey(ref)
}

// within keeps the differences at or below a block, at either moment.
func (c *Course) within(all []difference, a, b *tree, block courseware.BlockID) ([]difference, error) {
	ref := blockRef(block)
	inside := map[string]bool{}
	for _, t := range []*tree{a, b} {
		for _, below := range t.below(ref) {
			inside[below] = true
		}
	}
	if len(inside) == 0 {
		return nil, fault.Errorf(fault.NotFound, c.blockKey(block), "the block is at neither moment")
	}
	kept := all[:0:0]
	for _, d := range all {
		if inside[d.ref] {
			kept = append(kept, d)
		}
	}
	return kept, nil
}

// texts reads the block files of everything that differs and returns a function that gives a node's text.
func (c *Course) texts(ctx context.Context, q db.Querier, files media.Files, differences []difference, a, b *tree) (func(*node) string, error) {
	var nodes []*node
	for _, d := range differences {
		if _, isFile := refAsset(d.ref); isFile {
			continue
		}
		for _, t := range []*tree{a, b} {
			if n := t.nodes[d.ref]; n != nil {
				nodes = append(nodes, n)
			}
		}
	}
	content, err := c.readNodes(ctx, q, files, nodes)
	return func(n *node) string {
		if n == nil {
			return ""
		}
		var s strings.Builder
		for _, f := range n.files {
			text := string(content[f.media])
			s.WriteString(text)
			if text != "" && !strings.HasSuffix(text, "\n") {
				s.WriteByte('\n')
			}
		}
		return s.String()
	}, err
}
