package course

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
)

// The files of blocks and static files in the store (design.md §4).
const (
	fileBlock     = "block.xml"
	fileGrading   = "grading_policy.json"
	fileAssetsXML = "assets.xml"
	fileAsset     = "asset.json"
	filesStatic   = "static/"
)

const maxTitle = 500

// want turns a course in memory into the tree the store shall hold. Static files whose digests are
// not known are read for them.
func want(ctx context.Context, c *courseware.Course) (*tree, error) {
	t := newTree(blockRef(c.Root), len(c.Blocks)+len(c.Assets))
	for b := range c.Walk() {
		if err := t.wantBlock(c, b); err != nil {
			return nil, err
		}
	}
	for _, id := range detached(c, t) {
		if err := t.wantBlock(c, c.Blocks[id]); err != nil {
			return nil, err
		}
	}
	for _, a := range c.Assets {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := t.wantAsset(a); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// detached returns the ids of the blocks that the walk from the root did not reach, in order.
func detached(c *courseware.Course, t *tree) []courseware.BlockID {
	var ids []courseware.BlockID
	for id := range c.Blocks {
		if t.nodes[blockRef(id)] == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, courseware.BlockID.Compare)
	return ids
}

// sign notes who wrote the blocks of a wanted tree.
func (t *tree) sign(by map[courseware.BlockID]Wrote) {
	for id, w := range by {
		if n := t.nodes[blockRef(id)]; n != nil {
			n.written = w
		}
	}
}

func (t *tree) wantBlock(c *courseware.Course, b *courseware.Block) error {
	if err := checkBlockID(b.ID); err != nil {
		return err
	}
	encoded, err := olx.EncodeBlock(b)
	if err != nil {
		return fmt.Errorf("encode %s: %w", b.ID, err)
	}
	// What kind of entity a block is follows from its type, so that a unit that could not be read is a container too, and
	// can become a whole one later.
	n := &node{ref: blockRef(b.ID), title: cut(b.Title(), maxTitle), container: b.Container || olx.HoldsBlocks(b.ID.Type), block: b}
	n.files = make([]file, 0, len(encoded))
	for _, f := range encoded { // the digest only: a course is too much to hold, and what is there already is not written
		n.files = append(n.files, file{path: f.Path, digest: media.DigestBytes(f.Data), size: int64(len(f.Data))})
	}
	if b.ID == c.Root {
		if c.GradingPolicy != nil {
			n.files = append(n.files, memoryFile(fileGrading, c.GradingPolicy))
		}
		if c.AssetsXML != nil {
			n.files = append(n.files, memoryFile(fileAssetsXML, c.AssetsXML))
		}
	}
	sortFiles(n.files)
	for _, child := range b.Children {
		if c.Blocks[child] != nil {
			n.children = append(n.children, blockRef(child))
		}
	}
	t.add(n)
	return nil
}

func (t *tree) wantAsset(a *courseware.Asset) error {
	if err := checkAssetPath(a.Path); err != nil {
		return err
	}
	n := &node{ref: assetRef(a.Path), title: cut(path.Base(a.Path), maxTitle)}
	if a.Entry != nil {
		n.files = append(n.files, memoryFile(fileAsset, a.Entry))
	}
	if a.Open != nil {
		digest := a.Digest
		if digest == "" {
			var err error
			if digest, err = digestOf(a.Open); err != nil {
				return fmt.Errorf("read static/%s: %w", a.Path, err)
			}
		}
		n.files = append(n.files, file{path: filesStatic + a.Path, digest: digest, size: a.Size, open: a.Open})
	}
	sortFiles(n.files)
	t.add(n)
	return nil
}

func digestOf(open func() (io.ReadCloser, error)) (string, error) {
	r, err := open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	digest, _, err := media.Digest(r)
	return digest, err
}

func memoryFile(path string, data []byte) file {
	return file{path: path, digest: media.DigestBytes(data), size: int64(len(data)), data: data}
}

// fileType returns the media type of a file of a node, the block type being that of a block.
func fileType(blockType, path string) string {
	switch {
	case strings.HasPrefix(path, filesStatic):
		return media.TypeByExtension(path)
	case path == fileBlock:
		return "application/vnd.openedx.xblock.v1." + blockType + "+xml"
	case path == fileAssetsXML:
		return "application/xml"
	case strings.HasSuffix(path, ".json"):
		return "application/json"
	case strings.HasSuffix(path, ".html"):
		return "text/html"
	}
	return "text/plain"
}

func sortFiles(files []file) {
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
}

// cut returns s with at most n characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	if rs := []rune(s); len(rs) > n {
		return string(rs[:n])
	}
	return s
}
