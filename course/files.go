package course

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/olx"
)

// readNodes reads the files of nodes that are held in memory: all but the static files themselves.
func (c *Course) readNodes(ctx context.Context, q db.Querier, store media.Files, nodes []*node) (map[media.ID][]byte, error) {
	var ids []media.ID
	for _, n := range nodes {
		for _, f := range n.files {
			if f.media != 0 && !strings.HasPrefix(f.path, filesStatic) {
				ids = append(ids, f.media)
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	rows, err := media.ByID(ctx, q, ids, true)
	if err != nil {
		return nil, err
	}
	content := make(map[media.ID][]byte, len(ids))
	for id, m := range rows {
		if m.HasText {
			content[id] = []byte(m.Text)
			continue
		}
		if content[id], err = readFile(ctx, store, c.Package, m.Digest); err != nil {
			return nil, fmt.Errorf("read media %s: %w", m.Digest, err)
		}
	}
	return content, nil
}

func readFile(ctx context.Context, store media.Files, pkg publishing.Package, digest string) ([]byte, error) {
	r, err := store.Open(ctx, pkg.UUID, digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// decode turns a stored node into a block.
func decode(id courseware.BlockID, n *node, content map[media.ID][]byte) (*courseware.Block, error) {
	var files []olx.File
	for _, f := range n.files {
		if f.path == fileGrading || f.path == fileAssetsXML {
			continue
		}
		data := f.data
		if f.media != 0 {
			data = content[f.media]
		}
		files = append(files, olx.File{Path: f.path, Data: data})
	}
	var children []courseware.BlockID
	for _, ref := range n.children {
		if child, ok := refBlock(ref); ok {
			children = append(children, child)
		}
	}
	b, err := olx.DecodeBlock(id, files, children)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", id, err)
	}
	return b, nil
}

// asset turns a stored node into a static file that is opened on demand.
func asset(path string, n *node, c *Course, store media.Files, content map[media.ID][]byte) *courseware.Asset {
	a := &courseware.Asset{Path: path, EntryKey: assetKey(path), Size: -1}
	for _, f := range n.files {
		if f.path == fileAsset {
			a.Entry = content[f.media]
			continue
		}
		a.Size, a.Digest = f.size, f.digest
		a.Open = func() (io.ReadCloser, error) { return store.Open(context.Background(), c.Package.UUID, f.digest) }
	}
	return a
}

// assetKey is the name by which blocks and assets.json know the static file at path (olx.md §1.13).
func assetKey(path string) string { return olx.AssetKey(path) }

// staticNames returns the asset keys that a text may name after "/static/": up to the quote that the link stands in, for a
// path may hold blanks, and up to whatever ends a path elsewhere; percent-encoded or not.
func staticNames(text []byte) []string {
	const mark = "/static/"
	var names []string
	add := func(path []byte) {
		names = append(names, assetKey(string(path)))
		if plain, err := url.PathUnescape(string(path)); err == nil && plain != string(path) {
			names = append(names, assetKey(plain))
		}
	}
	for {
		at := bytes.Index(text, []byte(mark))
		if at < 0 {
			return names
		}
		before, rest := text[:at], text[at+len(mark):]
		if at > 0 && (before[at-1] == '"' || before[at-1] == '\'') {
			if end := bytes.IndexByte(rest, before[at-1]); end >= 0 {
				quoted := bytes.TrimSuffix(rest[:end], []byte(`\`)) // of a quote within JSON
				if cut := bytes.IndexAny(quoted, "?#"); cut >= 0 {
					quoted = quoted[:cut]
				}
				add(quoted)
			}
		}
		end := bytes.IndexAny(rest, "\"'&<>?#\\ \t\r\n)")
		if end < 0 {
			end = len(rest)
		}
		add(rest[:end])
		text = rest[end:]
	}
}

// namesFile reports whether the settings of a video or a course name a static file by its key alone, as they do with
// transcripts and images. The captions of a video are named by what stands inside subs_ID.srt.sjson (olx.md §6.4).
func namesFile(text []byte, key string) bool {
	if id, ok := strings.CutSuffix(key, ".srt.sjson"); ok {
		if id, ok = strings.CutPrefix(id, "subs_"); ok && bytes.Contains(text, []byte(`sub="`+id+`"`)) {
			return true
		}
	}
	for rest := text; ; {
		at := bytes.Index(rest, []byte(key))
		if at < 0 {
			return false
		}
		end := at + len(key)
		// In an attribute, in JSON, or in JSON in an attribute.
		before := at > 0 && (rest[at-1] == '"' || bytes.HasSuffix(rest[:at], []byte("&quot;")))
		if before && end < len(rest) && (rest[end] == '"' || bytes.HasPrefix(rest[end:], []byte("&quot;"))) {
			return true
		}
		rest = rest[at+1:]
	}
}

// versionNode is n as it was in another version of its entity.
func (c *Course) versionNode(ctx context.Context, q db.Querier, n *node, v publishing.Version) (*node, error) {
	old := &node{ref: n.ref, container: n.container, entity: n.entity, version: v.ID, num: v.Num, title: v.Title}
	versions := []publishing.VersionID{v.ID}
	leaf, err := components.Files(ctx, q, versions, false)
	if err != nil {
		return nil, err
	}
	for _, f := range leaf {
		old.files = append(old.files, stored(f.Path, f.Media))
	}
	box, err := containers.Files(ctx, q, versions, false)
	if err != nil {
		return nil, err
	}
	for _, f := range box {
		old.files = append(old.files, stored(f.Path, f.Media))
	}
	sortFiles(old.files)
	return old, nil
}

func stored(path string, m media.Media) file {
	return file{path: path, digest: m.Digest, size: m.Size, media: m.ID}
}

func itoa(n int) string { return strconv.Itoa(n) }
