package gridfs

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/links"
	"github.com/openlectern/lectern/olx/pyjson"
)

// maxPath is how many characters a path below static/ may have (design.md §4).
const maxPath = 480

// Made are the static files of one course.
type Made struct {
	Assets []*courseware.Asset // ordered by path
	// Keys are the old keys of the files and their new ones, in the order of Assets.
	Keys []Renamed
	// Left are the files that are left out and why; thumbnails are not among them.
	Left []BadFile
	// Thumbnails is how many of those were passed over. They are made anew from their images wherever they are shown, as
	// Open edX does after an import (olx.md §2.5).
	Thumbnails int
	Problems   modulestore.Tally
}

// Renamed is a file with the key that it had and the one that it gets.
type Renamed struct{ Old, New string }

// Assets makes static files of a course's files, for the course under its new key. Each has the path that it was imported
// from where its name follows from that one, else its name, so that links go on finding it. A file that is not complete, or
// has no name that a key can hold, is left out. b holds the bytes, and has to stay open as long as the assets are used; with
// nil there are entries alone.
func Assets(files []*File, to keys.Course, b *Bytes) *Made {
	m := &Made{}
	taken := map[string]bool{}
	files = slices.SortedStableFunc(slices.Values(files), func(x, y *File) int { return cmp.Compare(x.Name, y.Name) })
	for _, f := range files {
		if name := f.name(); name == f.base { // those that keep their names come first
			taken[name] = taken[name] || f.wanted()
		}
	}
	used := map[string]bool{}
	for _, f := range files {
		switch {
		case f.Category == "thumbnail":
			m.Thumbnails++
			continue
		case f.IsJunk():
			m.Problems.Add(modulestore.JunkFile, f.Name)
			continue
		}
		m.add(f, to, b, taken, used)
	}
	slices.SortFunc(m.Keys, func(x, y Renamed) int { return cmp.Compare(x.Old, y.Old) })
	slices.SortFunc(m.Assets, func(x, y *courseware.Asset) int { return strings.Compare(x.Path, y.Path) })
	return m
}

func (f *File) wanted() bool { return f.Category != "thumbnail" && !f.IsJunk() }

// name is the name of the file as new keys can hold it.
func (f *File) name() string { return links.AssetName(strings.ToValidUTF8(f.base, "_")) }

func (m *Made) add(f *File, to keys.Course, b *Bytes, taken, used map[string]bool) {
	leave := func(rule modulestore.Rule, why string) {
		m.Problems.Add(rule, f.Name+": "+why)
		m.Left = append(m.Left, BadFile{f.Name, why})
	}
	name := f.name()
	if name != f.base && taken[name] { // as blocks do that would get one name (CV-4)
		sum := sha256.Sum256([]byte(f.base))
		ext := path.Ext(name)
		name = strings.TrimSuffix(name, ext) + "_" + hex.EncodeToString(sum[:3]) + ext
	}
	taken[name] = true
	key, err := to.Asset("asset", name)
	switch {
	case err != nil:
		leave(modulestore.BadKey, "its name makes no key")
		return
	case utf8.RuneCountInString(key.String()) > 255:
		leave(modulestore.LongKey, "its key would have more than 255 characters")
		return
	case used[name]:
		leave(modulestore.FileTwice, "another file has its name")
		return
	}
	used[name] = true
	a := &courseware.Asset{Path: name, EntryKey: name, Size: -1, Entry: f.entry(key, to, name).File()}
	if from := f.ImportPath; isPath(from) && links.AssetName(from) == name {
		a.Path = from
	}
	if b != nil {
		if err := b.Check(f); err != nil {
			leave(modulestore.BadFile, strings.TrimPrefix(err.Error(), f.Name+": "))
			return
		}
		a.Size = f.Length
		a.Open = func() (io.ReadCloser, error) { return b.Open(f) }
	}
	m.Assets = append(m.Assets, a)
	m.Keys = append(m.Keys, Renamed{f.Name, key.String()})
}

// isPath reports whether a file may lie there below static/.
func isPath(p string) bool {
	if p == "" || !utf8.ValidString(p) || utf8.RuneCountInString(p) > maxPath || strings.TrimSpace(p) != p || strings.ContainsRune(p, '\\') {
		return false
	}
	if strings.ContainsFunc(p, unicode.IsControl) {
		return false
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

// entry is the file's object of assets.json (olx.md §1.13), under its new key.
func (f *File) entry(key keys.Asset, to keys.Course, name string) pyjson.Value {
	null := pyjson.Value{}
	text := func(s string) pyjson.Value {
		if s == "" {
			return null
		}
		return pyjson.Str(strings.ToValidUTF8(s, "\uFFFD"))
	}
	son := pyjson.Value{Kind: pyjson.Object}.With("category", pyjson.Str("asset")).With("course", pyjson.Str(to.Code())).
		With("name", pyjson.Str(name)).With("org", pyjson.Str(to.Org())).With("revision", null)
	if run, ok := to.Run(); ok {
		son = son.With("run", pyjson.Str(run))
	}
	son = son.With("tag", pyjson.Str("c4x"))
	entry := pyjson.Value{Kind: pyjson.Object}
	for _, field := range f.rest {
		v, _, err := pyjson.Parse(string(field.Value))
		if err != nil { // numbers that JSON has no words for
			continue
		}
		if field.Name == "thumbnail_location" && len(v.Items) >= 3 { // after a copy it names another course (GF-6)
			v.Items = slices.Clone(v.Items)
			v.Items[1], v.Items[2] = pyjson.Str(to.Org()), pyjson.Str(to.Code())
		}
		entry = entry.With(field.Name, v)
	}
	if _, ok := entry.Lookup("thumbnail_location"); !ok {
		entry = entry.With("thumbnail_location", null)
	}
	return entry.With("contentType", text(f.ContentType)).With("displayname", text(cmp.Or(f.DisplayName, name))).
		With("filename", pyjson.Str(key.String())).With("import_path", text(f.ImportPath)).With("locked", pyjson.Boolean(f.Locked)).With("content_son", son)
}

// metadata are the elements of an asset in assets.xml, in order, but the first two.
var metadata = []string{"pathname", "internal_name", "locked", "contenttype", "thumbnail", "fields", "curr_version", "prev_version",
	"edited_by", "edited_by_email", "edited_on", "created_by", "created_by_email", "created_on"}

// XML returns asset metadata in the form of assets.xml, nil for none (olx.md §1.13).
func XML(assets []Asset) []byte {
	if len(assets) == 0 {
		return nil
	}
	var out strings.Builder
	element := func(name, text string) {
		out.WriteString("<" + name + ">" + escape.Replace(strings.Map(legal, strings.ToValidUTF8(text, "\uFFFD"))) + "</" + name + ">")
	}
	out.WriteString("<assets>")
	for _, a := range assets {
		out.WriteString("<asset>")
		element("type", a.Type)
		element("filename", a.Name)
		for _, name := range metadata {
			v, ok := a.Fields.Lookup(name)
			element(name, metadataText(name, v, ok))
		}
		out.WriteString("</asset>")
	}
	out.WriteString("</assets>")
	return []byte(out.String())
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")

// legal drops what no XML document can hold.
func legal(r rune) rune {
	if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
		return -1
	}
	return r
}

func metadataText(name string, v courseware.Value, ok bool) string {
	text, isText := v.Text()
	switch {
	case name == "fields" && (!ok || v.IsNull()):
		return "{}"
	case !ok || v.IsNull():
		return "None"
	case isText && strings.HasSuffix(name, "_on"):
		return moment(text)
	case isText:
		return text
	}
	if json.Valid([]byte(v)) {
		if p, _, err := pyjson.Parse(string(v)); err == nil {
			return p.Line()
		}
	}
	return string(v)
}

// moment writes a time as Python's isoformat does, with the offset in digits.
func moment(s string) string {
	day, clock, ok := strings.Cut(strings.TrimSuffix(s, "Z"), "T")
	if !ok || !strings.HasSuffix(s, "Z") {
		return s
	}
	if clock, fraction, ok := strings.Cut(clock, "."); ok {
		for len(fraction) < 6 {
			fraction += "0"
		}
		return day + "T" + clock + "." + fraction + "+00:00"
	}
	return day + "T" + clock + "+00:00"
}
