package olx

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx/pyjson"
	"github.com/openlectern/lectern/olx/xmltree"
)

const (
	assetsFile    = "policies/assets.json"
	assetsXMLFile = "assets/assets.xml"
	noAssets      = "<assets/>"
	maxAssetPath  = 480 // characters (design.md §4)
)

// AssetKey returns the key of a static file by its path below static/: what assets.json and links know it by (olx.md §1.13).
func AssetKey(p string) string {
	return strings.Map(func(r rune) rune {
		if isWord(r) || r == '.' || r == '%' || r == '-' {
			return r
		}
		return '_'
	}, p)
}

// contentTypes are the types of files by their suffix.
var contentTypes = map[string]string{
	".avi": "video/x-msvideo", ".bmp": "image/bmp", ".css": "text/css", ".csv": "text/csv", ".doc": "application/msword",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".eot": "application/vnd.ms-fontobject",
	".gif": "image/gif", ".gz": "application/gzip", ".htm": "text/html", ".html": "text/html",
	".ico": "image/vnd.microsoft.icon", ".ipynb": "application/x-ipynb+json", ".jpeg": "image/jpeg", ".jpg": "image/jpeg",
	".js": "text/javascript", ".json": "application/json", ".md": "text/markdown", ".mp3": "audio/mpeg", ".mp4": "video/mp4",
	".pdf": "application/pdf", ".png": "image/png", ".ppt": "application/vnd.ms-powerpoint",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation", ".py": "text/x-python",
	".rtf": "application/rtf", ".sjson": "application/json", ".srt": "application/x-subrip", ".svg": "image/svg+xml",
	".tar": "application/x-tar", ".tif": "image/tiff", ".tiff": "image/tiff", ".ttf": "font/ttf", ".txt": "text/plain",
	".vtt": "text/vtt", ".wav": "audio/x-wav", ".webm": "video/webm", ".webp": "image/webp", ".woff": "font/woff",
	".woff2": "font/woff2", ".xls": "application/vnd.ms-excel",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xml": "text/xml", ".zip": "application/zip",
}

// entryOf returns the entry of assets.json of a file that nothing else is known of.
func entryOf(course keys.Course, p string) pyjson.Value {
	contentType := contentTypes[strings.ToLower(path.Ext(p))]
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	key := AssetKey(p)
	name := key
	if a, err := course.Asset("asset", key); err == nil {
		name = a.String()
	}
	return pyjson.Value{Kind: pyjson.Object}.
		With("contentType", pyjson.Str(contentType)).
		With("displayname", pyjson.Str(path.Base(p))).
		With("filename", pyjson.Str(name)).
		With("import_path", pyjson.Str(p)).
		With("locked", pyjson.Boolean(false)).
		With("thumbnail_location", pyjson.Value{})
}

// readAssets makes the list of static files and of their entries (olx.md §1.13, §2.5).
func (l *loader) readAssets() {
	byKey := l.staticFiles()
	taken := map[string]bool{}
	for _, a := range byKey {
		taken[a.Path] = true
	}
	entries := l.readEntries()
	for i, key := range entries.Keys {
		entry := entries.Items[i]
		if entry.Kind != pyjson.Object {
			l.note().warn(assetsFile, 0, ruleBadEntry, "make it an object", "the entry %q is not an object and is left out", key)
			continue
		}
		entry = l.move.entry(entry)
		a := byKey[key]
		if a == nil {
			if a = l.fileless(key, entry, taken); a == nil {
				continue
			}
			taken[a.Path] = true
			l.course.Assets = append(l.course.Assets, a)
		}
		a.EntryKey = key
		if a.Size < 0 || !pyjson.Equal(entry, entryOf(l.course.Key, a.Path)) {
			a.Entry = entry.File()
		}
	}
	for _, a := range byKey {
		l.course.Assets = append(l.course.Assets, a)
	}
	slices.SortFunc(l.course.Assets, func(x, y *courseware.Asset) int { return strings.Compare(x.Path, y.Path) })
	l.readAssetsXML()
}

// staticFiles returns the files of static/ and static_import/ by their keys. Of two files with one key the bytewise later
// path stays.
func (l *loader) staticFiles() map[string]*courseware.Asset {
	byKey := map[string]*courseware.Asset{}
	for _, dir := range [...]string{"static", "static_import"} {
		for _, name := range l.a.Under(dir) {
			p := name[len(dir)+1:]
			if isJunk(path.Base(p)) {
				continue
			}
			l.used[name] = true
			if utf8.RuneCountInString(p) > maxAssetPath || strings.Trim(p, " ") != p {
				l.fail(&problem{file: name, rule: ruleUnsafe, remedy: "rename the file",
					text: fmt.Sprintf("a path of a static file may have %d characters and no blank at its ends", maxAssetPath)})
				continue
			}
			info, _ := l.a.Stat(name)
			a := &courseware.Asset{
				Path: p, EntryKey: AssetKey(p), Size: info.Size, Digest: info.Digest,
				Open: func() (io.ReadCloser, error) { return l.a.Open(name) },
			}
			if other := byKey[a.EntryKey]; other != nil {
				l.note().warn(name, 0, ruleAsset, "rename one of them",
					"the static files %q and %q have one address; the latter is kept", other.Path, p)
			}
			byKey[a.EntryKey] = a
		}
	}
	return byKey
}

// readEntries reads assets.json.
func (l *loader) readEntries() pyjson.Value {
	if !l.has(assetsFile) {
		return pyjson.Value{}
	}
	v, p := l.json(assetsFile)
	if p == nil && v.Kind != pyjson.Object {
		p = &problem{assetsFile, 1, rulePolicyFormat, "the list of assets is not a JSON object", "make it an object of entries by key"}
	}
	if p != nil {
		l.fail(p)
		return pyjson.Value{}
	}
	return v
}

// fileless returns an asset for an entry without a file: nil where no path is left for it.
func (l *loader) fileless(key string, entry pyjson.Value, taken map[string]bool) *courseware.Asset {
	a := &courseware.Asset{EntryKey: key, Size: -1}
	from, _ := entry.Lookup("import_path")
	for _, p := range [...]string{from.Text, key} {
		fit := p != "" && utf8.RuneCountInString(p) <= maxAssetPath && strings.Trim(p, " ") == p && xmltree.IsLegal(p)
		if fit && AssetKey(p) == AssetKey(key) && !taken[p] {
			a.Path = p
			return a
		}
	}
	l.note().warn(assetsFile, 0, ruleBadEntry, "remove the entry", "the entry %q names no file and is left out", key)
	return nil
}

func (l *loader) readAssetsXML() {
	if !l.has(assetsXMLFile) {
		return
	}
	n, data, p := l.xml(assetsXMLFile)
	switch {
	case p != nil:
		l.note().warn(p.file, p.line, p.rule, p.remedy, "%s; the file is left out", p.text)
	case n.Name.String() != "assets":
		l.note().warn(assetsXMLFile, n.Line(), ruleTag, "make it an <assets> element", "the root is <%s>; the file is left out", n.Name)
	default:
		if data = []byte(strings.TrimSuffix(string(data), "\n")); string(data) != noAssets {
			l.course.AssetsXML = data
		}
	}
}

// assetEntries returns assets.json of a course for an archive with this key.
func assetEntries(c *courseware.Course, m mover) []byte {
	list := pyjson.Value{Kind: pyjson.Object}
	seen := map[string]bool{}
	for _, a := range c.Assets {
		entry := entryOf(m.to, a.Path)
		if a.Entry != nil {
			v, _, err := pyjson.Parse(string(a.Entry))
			if err != nil {
				continue
			}
			entry = m.entry(v)
		} else if a.Size < 0 {
			continue
		}
		key := a.EntryKey
		if key == "" {
			key = AssetKey(a.Path)
		}
		if !seen[key] {
			seen[key] = true
			list.Keys, list.Items = append(list.Keys, key), append(list.Items, entry)
		}
	}
	return list.File()
}
