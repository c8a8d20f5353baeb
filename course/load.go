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

// courseware turns a tree read from the store into blocks and assets, a batch of nodes at a time.
func (c *Course) courseware(ctx context.Context, q db.Querier, store media.Files, t *tree) (*courseware.Course, error) {
	out := &courseware.Course{Key: c.Key, Root: c.RootID(), Blocks: make(map[courseware.BlockID]*courseware.Block, len(t.nodes))}
	spool := new(courseware.Spool)
	for nodes := slices.Collect(t.live()); len(nodes) > 0; {
		part := nodes[:batchText(nodes)]
		nodes = nodes[len(part):]
		content, err := c.readNodes(ctx, q, store, part)
		if err != nil {
			return nil, err
		}
		for _, n := range part {
			if err := c.take(out, n, store, content, spool); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// take adds a node to a course.
func (c *Course) take(out *courseware.Course, n *node, store media.Files, content map[media.ID][]byte, spool *courseware.Spool) error {
	if path, ok := refAsset(n.ref); ok {
		out.Assets = append(out.Assets, asset(path, n, c, store, content))
		return nil
	}
	id, ok := refBlock(n.ref)
	if !ok {
		return nil // made by another program; not part of a course
	}
	b, err := decode(id, n, content)
	if err != nil {
		return err
	}
	data, err := b.Data.Read()
	if err != nil {
		return err
	}
	if b.Data, err = spool.Keep(data); err != nil {
		return err
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
	return nil
}
