package course

import (
	"context"
	"slices"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
)

// Load reads the course as it was at a moment. Block files are read at once; static files are opened on demand, so the
// result's assets may be opened after the transaction has ended.
func (c *Course) Load(ctx context.Context, q db.Querier, files media.Files, m Moment) (*courseware.Course, error) {
	t, err := c.snapshot(ctx, q, m.state())
	if err != nil {
		return nil, err
	}
	return c.courseware(ctx, q, files, t)
}

// LoadState reads what is published and what is drafted. Blocks that do not differ are shared; a course that was never
// published gives its drafts as both.
func (c *Course) LoadState(ctx context.Context, q db.Querier, files media.Files) (courseware.State, error) {
	drafts, published, err := c.branches(ctx, q)
	if err != nil {
		return courseware.State{}, err
	}
	if published.nodes[published.root] == nil {
		state, err := c.courseware(ctx, q, files, drafts)
		return courseware.State{Published: state}, err
	}
	var st courseware.State
	if st.Published, err = c.courseware(ctx, q, files, published); err != nil || drafts == published || equal(drafts, published, nil) {
		return st, err
	}
	if st.Draft, err = c.courseware(ctx, q, files, drafts); err != nil {
		return st, err
	}
	for id, b := range st.Draft.Blocks {
		ref := blockRef(id)
		if was := published.nodes[ref]; was != nil && was.version == drafts.nodes[ref].version {
			if same := st.Published.Blocks[id]; slices.Equal(same.Children, b.Children) {
				st.Draft.Blocks[id] = same
			}
		}
	}
	return st, nil
}

// courseware turns a tree read from the store into blocks and assets.
func (c *Course) courseware(ctx context.Context, q db.Querier, store media.Files, t *tree) (*courseware.Course, error) {
	out := &courseware.Course{Key: c.Key, Root: c.RootID(), Blocks: make(map[courseware.BlockID]*courseware.Block, len(t.nodes))}
	content, err := c.readNodes(ctx, q, store, slices.Collect(t.live()))
	if err != nil {
		return nil, err
	}
	for n := range t.live() {
		ref := n.ref
		if path, ok := refAsset(ref); ok {
			out.Assets = append(out.Assets, asset(path, n, c, store, content))
			continue
		}
		id, ok := refBlock(ref)
		if !ok {
			continue // made by another program; not part of a course
		}
		b, err := decode(id, n, content)
		if err != nil {
			return nil, err
		}
		out.Blocks[id] = b
		if id == out.Root {
			for _, f := range n.files {
				switch f.path {
				case fileGrading:
					out.GradingPolicy = content[f.media]
				case fileAssetsXML:
					out.AssetsXML = content[f.media]
				}
			}
		}
	}
	return out, nil
}
