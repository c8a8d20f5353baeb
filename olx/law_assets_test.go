package olx_test

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/archive"
	"github.com/openlectern/lectern/olx/pyjson"
)

// The laws of olx.md §7 on static files.

// paths returns the static files of a result and, behind a colon, the keys of entries.
func paths(r *olx.Result) string {
	var out []string
	for _, a := range r.State.Published.Assets {
		s := a.Path
		if a.Entry != nil {
			s += ":" + a.EntryKey
		}
		if a.Size < 0 {
			s += "!"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestLaw48Junk(t *testing.T) {
	t.Parallel()
	r := course("", "static/._x", "", "static/.DS_Store", "", "static/a/b~", "", "static/.hidden", "h", "static/a/._c/d", "", "static_import/e", "").
		read(t, olx.ReadOptions{})
	equal(t, "files", paths(r), ".hidden a/._c/d e")
}

func TestLaw49Key(t *testing.T) {
	t.Parallel()
	for p, want := range map[string]string{
		"a b/ç(1).png": "a_b_ç_1_.png", "x%20y-z.js": "x%20y-z.js", "a//__b": "a____b", "日本/語": "日本_語", "a'\"": "a__",
	} {
		equal(t, p, olx.AssetKey(p), want)
	}
	f := course("", "static/a b/ç(1).png", "content")
	out := f.again(t, olx.ReadOptions{})
	equal(t, "file", out["course/static/a b/ç(1).png"], "content")
	entries, _, err := pyjson.Parse(out["course/policies/assets.json"])
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "entries", entries.Plain(), `{"a_b_ç_1_.png": {"contentType": "image/png", "displayname": "ç(1).png", `+
		`"filename": "asset-v1:o+c+r+type@asset+block@a_b_ç_1_.png", "import_path": "a b/ç(1).png", "locked": false, "thumbnail_location": null}}`)
}

func TestLaw50Entries(t *testing.T) {
	t.Parallel()
	f := course("", "static/a b.png", "1", "static/plain.css", "2", "policies/assets.json", `{
		"a_b.png": {"locked": true, "displayname": "A B", "z": 1.50, "content_son": {"org": "o", "course": "c", "run": "r"},
			"filename": "asset-v1:o+c+r+type@asset+block@a_b.png"},
		"gone.png": {"locked": false}, "moved_x.png": {"import_path": "moved/x.png"}, "odd.png": {"import_path": "elsewhere/x.png"}, "bad": 1, "": {}}`)
	r := f.read(t, olx.ReadOptions{})
	equal(t, "assets", paths(r), "a b.png:a_b.png gone.png:gone.png! moved/x.png:moved_x.png! odd.png:odd.png! plain.css")
	equal(t, "rules", rules(r.Findings, courseware.Info), []string{"BadEntry", "BadEntry"})
	entry := string(r.State.Published.Assets[0].Entry)
	for _, want := range []string{`"locked": true`, `"displayname": "A B"`, `"z": 1.50`} {
		if !strings.Contains(entry, want) {
			t.Errorf("no %s in %s", want, entry)
		}
	}
	f.again(t, olx.ReadOptions{})
	moved := string(f.read(t, olx.ReadOptions{Target: key(t, "course-v1:O+C+R")}).State.Published.Assets[0].Entry)
	for _, want := range []string{`asset-v1:O+C+R+type@asset+block@a_b.png`, `"org": "O"`, `"run": "R"`} {
		if !strings.Contains(moved, want) {
			t.Errorf("no %s in %s", want, moved)
		}
	}
}

func TestLaw51OneKeyTwice(t *testing.T) {
	t.Parallel()
	f := course("", "static/a/b.png", "1", "static/a_b.png", "2", "static_import/a b.png", "3")
	r := f.read(t, olx.ReadOptions{})
	equal(t, "assets", paths(r), "a b.png")
	equal(t, "rules", rules(r.Findings, courseware.Info), []string{"DuplicateEntry", "DuplicateEntry"})
}

//nolint:paralleltest // what other tests allocate would be counted
func TestLaw52Streaming(t *testing.T) {
	const size = 64 << 20
	w := course("").read(t, olx.ReadOptions{}).State
	w.Published.Assets = []*courseware.Asset{
		{Path: "empty", EntryKey: "empty", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }},
		{Path: "large", EntryKey: "large", Size: size, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(noise{}, size)), nil
		}},
	}
	a := zipped(t, func(out *archive.Writer) error { return olx.Write(t.Context(), out, w, olx.WriteOptions{}) })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := olx.Read(t.Context(), a, olx.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := r.State.Published.Assets[1].Open()
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, in)
	if err != nil || n != size || r.State.Published.Assets[0].Size != 0 {
		t.Errorf("read %d bytes: %v", n, err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > size/8 {
		t.Errorf("a file of %d bytes took %d bytes of memory", size, used)
	}
}

// noise is bytes that do not compress well.
type noise struct{}

func (noise) Read(p []byte) (int, error) {
	x := uint32(2463534242)
	for i := range p {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		p[i] = byte(x >> 24)
	}
	return len(p), nil
}

func TestAssetPaths(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 100)
	f := course("", "static/ x", "", "static/"+strings.Join([]string{long, long, long, long, long}, "/"), "")
	equal(t, "rules", rules(f.fails(t, olx.ReadOptions{}), courseware.Error), []string{"ArchiveUnsafe", "ArchiveUnsafe"})
	r := f.read(t, olx.ReadOptions{Lenient: true})
	equal(t, "assets", paths(r), "")
}

func TestAssetsXML(t *testing.T) {
	t.Parallel()
	f := course("", "assets/assets.xml", "<assets>\n <asset/></assets>\n")
	equal(t, "kept", f.again(t, olx.ReadOptions{})["course/assets/assets.xml"], "<assets>\n <asset/></assets>")
	for _, bad := range []string{"<other/>", "<assets>"} {
		f = course("", "assets/assets.xml", bad)
		equal(t, bad, len(f.read(t, olx.ReadOptions{}).Findings), 1)
		equal(t, bad, f.again(t, olx.ReadOptions{})["course/assets/assets.xml"], "<assets/>")
	}
}

func TestLaw72OneDisplayName(t *testing.T) {
	t.Parallel()
	entry := `{"displayname": "same.png", "import_path": null}`
	f := course("", "static/a/x.png", "1", "static/b/x.png", "2",
		"policies/assets.json", fmt.Sprintf(`{"a_x.png": %s, "b_x.png": %s}`, entry, entry))
	out := f.again(t, olx.ReadOptions{})
	equal(t, "a", out["course/static/a/x.png"], "1")
	equal(t, "b", out["course/static/b/x.png"], "2")
	equal(t, "assets", paths(out.read(t, olx.ReadOptions{})), "a/x.png:a_x.png b/x.png:b_x.png")
}

func TestDetached(t *testing.T) {
	t.Parallel()
	f := course("", "about/overview.html", "o", "about/title.html", "", "about/r/title.html", "run", "about/other/title.html", "no",
		"info/updates.html", "", "info/updates.items.json", `[{"id": 1, "a": 2}]`, "info/handouts.data.json", "{}", "info/x.json", "{}",
		"tabs/a.b.html", "ab", "tabs/r/a.b.html", "own", "custom_tags/t", "1", "custom_tags/u.v.w", "2", "custom_tags/.dot", "3", "tabs/x~", "")
	r := f.read(t, olx.ReadOptions{})
	var got []string
	for id, b := range r.State.Published.Blocks {
		if b.Container || id.Type == "course" {
			continue
		}
		got = append(got, fmt.Sprintf("%s=%s%s", id, bodyOf(t, b), b.Fields))
		stored(t, b)
	}
	slices.Sort(got)
	equal(t, "blocks", got, []string{
		"about/overview=o[]", "about/title=run[]", `course_info/updates=[{items [{"a": 2, "id": 1}]}]`, "custom_tag_template/.dot=3[]",
		"custom_tag_template/t=1[]", "custom_tag_template/u.v=2[]", "static_tab/a.b=own[]",
	})
	out := f.again(t, olx.ReadOptions{})
	for _, name := range []string{"about/overview.html", "info/updates.items.json", "custom_tags/t", "custom_tags/u.v.html", "tabs/a.b.html"} {
		if _, ok := out["course/"+name]; !ok {
			t.Errorf("no %s in %v", name, slices.Sorted(maps.Keys(out)))
		}
	}
	f = course("", "info/updates.items.json", "nope", "tabs/t.html", "\xff")
	equal(t, "rules", rules(f.fails(t, olx.ReadOptions{}), courseware.Error), []string{"BadEncoding", "BadPolicy"})
}
