package migrator

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
)

// A component of a library has its files beside it, at static/NAME, and names them /static/NAME; one of a course names files
// that all blocks share, by keys in which folders are part of the name. So a link whose key is not the file's own name
// becomes one that is (F2, F3).

// assets finds the static files of a source by what blocks call them.
type assets struct {
	byKey  map[string]*courseware.Asset // by key, and by path where that is another
	byBase map[string]*courseware.Asset // by the last part of the path; nil where several have it
	// digests are those that were computed, of files whose source does not know them.
	digests map[*courseware.Asset]string
}

func newAssets(c *courseware.Course) *assets {
	n := len(c.Assets)
	a := &assets{make(map[string]*courseware.Asset, n), make(map[string]*courseware.Asset, n), map[*courseware.Asset]string{}}
	for _, f := range c.Assets {
		a.byKey[olx.AssetKey(f.Path)] = f
	}
	for _, f := range c.Assets {
		base := path.Base(f.Path)
		if _, twice := a.byBase[base]; twice {
			a.byBase[base] = nil
			continue
		}
		a.byBase[base] = f
		if a.byKey[f.Path] == nil {
			a.byKey[f.Path] = f
		}
	}
	return a
}

// find returns the file that a link of a block means, nil when there is none.
func (a *assets) find(name string) *courseware.Asset {
	if f := a.byKey[name]; f != nil {
		return f
	}
	if plain, err := url.PathUnescape(name); err == nil && plain != name {
		if f := a.byKey[plain]; f != nil {
			return f
		}
		if f := a.byKey[olx.AssetKey(plain)]; f != nil {
			return f
		}
	}
	return a.byBase[name]
}

// attached is a file of a component.
type attached struct {
	path  string // static/NAME
	asset *courseware.Asset
}

const static = "static/"

// attach finds the files that a block's OLX names by their whole names, after "/static/" or as a quoted value of its own as
// transcripts are. It returns the OLX with links to where the files now are, the files by path, and the names of those that
// the source does not have (F4).
func (a *assets) attach(text []byte) (out []byte, files []attached, missing []string) {
	given := map[*courseware.Asset]string{} // the name of each file
	taken := map[string]bool{}
	name := func(f *courseware.Asset) string {
		if n, ok := given[f]; ok {
			return n
		}
		base := path.Base(f.Path)
		n := base
		for i := 1; taken[n]; i++ {
			ext := path.Ext(base)
			n = strings.TrimSuffix(base, ext) + "_" + strconv.Itoa(i) + ext
		}
		if components.CheckPath(static+n) != nil {
			n = ""
		} else {
			taken[n] = true
			files = append(files, attached{static + n, f})
		}
		given[f] = n
		return n
	}
	miss := func(s string) {
		if !slices.Contains(missing, s) {
			missing = append(missing, s)
		}
	}
	last := 0 // text up to here is in out
	for at := 0; at < len(text); {
		start, end, link := nextName(text, at)
		if start < 0 {
			break
		}
		at = max(end, start+1)
		word := string(text[start:end])
		if word == "" {
			continue
		}
		f := a.find(word)
		switch {
		case f == nil && !link:
			if f = a.byKey["subs_"+word+".srt.sjson"]; f != nil && f.Open != nil { // captions by their id (olx.md §6.4)
				name(f)
			}
			at = start // links may stand inside
			continue
		case f == nil || f.Open == nil:
			if link || f != nil {
				miss(word)
			}
			continue
		}
		n := name(f)
		if n == "" {
			miss(word)
			continue
		}
		if plain, err := url.PathUnescape(word); n != word && (err != nil || plain != n) {
			out = append(append(out, text[last:start]...), n...)
			last = end
		}
	}
	if last > 0 {
		text = append(out, text[last:]...)
	}
	slices.SortFunc(files, func(x, y attached) int { return strings.Compare(x.path, y.path) })
	return text, files, missing
}

var linkMark = []byte("/static/")

// nextName returns where the next thing stands that may be the name of a file: what follows "/static/" up to where a path
// ends, which is a link, or what stands between two equal quotation marks. start is -1 when there is no more.
func nextName(text []byte, from int) (start, end int, link bool) {
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case c == '/' && bytes.HasPrefix(text[i:], linkMark):
			start = i + len(linkMark)
			if i > 0 && (text[i-1] == '"' || text[i-1] == '\'') { // a path between quotation marks may hold blanks
				if n := bytes.IndexByte(text[start:], text[i-1]); n >= 0 && n <= longestName {
					quoted := bytes.TrimSuffix(text[start:start+n], []byte(`\`))
					if cut := bytes.IndexAny(quoted, "?#&<>"); cut >= 0 {
						quoted = quoted[:cut]
					}
					return start, start + len(quoted), true
				}
			}
			n := bytes.IndexAny(text[start:], "\"'&<>?#\\ \t\r\n)")
			if n < 0 {
				n = len(text) - start
			}
			return start, start + n, true
		case c == '"':
			if n := bytes.IndexAny(text[i+1:min(len(text), i+2+longestName)], "\"<>"); n > 0 && text[i+1+n] == '"' {
				return i + 1, i + 1 + n, false
			}
		case c == '&' && bytes.HasPrefix(text[i:], quoteMark):
			rest := text[i+len(quoteMark) : min(len(text), i+2*len(quoteMark)+longestName)]
			if n := bytes.Index(rest, quoteMark); n > 0 {
				return i + len(quoteMark), i + len(quoteMark) + n, false
			}
		}
	}
	return -1, -1, false
}

var quoteMark = []byte("&quot;")

// longestName is how long the name of a file may be.
const longestName = 500

// digest returns the digest of a file, which is read for it where the source does not know it.
func (a *assets) digest(f *courseware.Asset) (string, error) {
	d := cmp.Or(f.Digest, a.digests[f])
	if d != "" {
		return d, nil
	}
	r, err := f.Open()
	if err != nil {
		return "", fmt.Errorf("read static/%s: %w", f.Path, err)
	}
	d, _, err = media.Digest(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return "", fmt.Errorf("read static/%s: %w", f.Path, err)
	}
	a.digests[f] = d
	return d, nil
}

// same reports whether a version with these digests by path has this content.
func (a *assets) same(have map[string]string, text []byte, files []attached) (bool, error) {
	if len(have) != len(files)+1 || have[olx.BlockFile] != media.DigestBytes(text) {
		return false, nil
	}
	for _, f := range files {
		d, err := a.digest(f.asset)
		if err != nil || have[f.path] != d {
			return false, err
		}
	}
	return true, nil
}
