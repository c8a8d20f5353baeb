// Package gridfs reads what an old site keeps of its files: the rows of the content store, whether all their bytes are there, and
// the asset metadata of courses (modulestore.md §3, SP-31, OM-31).
package gridfs

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// File is a file of the content store. What course it is of is read from its identity, never from its name, which after a
// course copy still tells of the source (GF-7).
type File struct {
	Key  keys.Asset // none where the identity makes no legal key
	Name string     // the identity in words, for people
	// Course is the course-v1 key of the course, or none for a file of the old store, which all runs of Old share (GF-4).
	Course keys.Course
	Old    modulestore.OldCourse

	Category    string // asset or thumbnail (GF-5)
	DisplayName string
	ContentType string
	ImportPath  string
	Thumbnail   string // the name of the file's thumbnail (GF-6)
	Locked      bool
	Length      int64
	ChunkSize   int64
	Uploaded    time.Time
	MD5         string            // hexadecimal, "" where the driver kept none
	base        string            // the name within the course, as stored
	id          string            // the raw _id: chunks name it byte for byte (GF-3)
	rest        courseware.Fields // what else the row has, thumbnail_location with it
	sum         [sha256.Size]byte // of the row
}

// IsJunk reports whether the file is what desktop systems leave behind (GF-12).
func (f *File) IsJunk() bool {
	name := f.Key.Path()
	if f.Key.IsZero() {
		name = f.Name[strings.LastIndexAny(f.Name, "/@")+1:]
	}
	return name == ".DS_Store" || strings.HasPrefix(name, "._")
}

// FileOf reads a row of fs.files; ok is false where its identity is none of the content store.
func FileOf(d bson.Doc) (f File, ok bool) {
	f.sum = sha256.Sum256(d)
	id := d.Lookup("_id")
	f.id = string(byte(id.Type)) + string(id.Raw())
	for key, v := range d.All() {
		switch string(key) {
		case "displayname":
			f.DisplayName = v.String()
		case "contentType":
			f.ContentType = v.String()
		case "import_path":
			f.ImportPath = v.String()
		case "locked":
			f.Locked, _ = v.Bool()
		case "length":
			f.Length, _ = v.Int()
		case "chunkSize":
			f.ChunkSize, _ = v.Int()
		case "uploadDate":
			f.Uploaded, _ = v.Time()
		case "md5":
			f.MD5 = v.String()
		case "thumbnail_location":
			list, _ := v.Doc()
			f.Thumbnail = list.Lookup("4").String()
			f.keep(key, v)
		case "_id", "filename", "content_son", "custom_md5", "asset_key":
		default:
			f.keep(key, v)
		}
	}
	son, isDoc := d.Lookup("content_son").Doc()
	if !isDoc { // absent on very old files (GF-2)
		son, isDoc = id.Doc()
	}
	if isDoc {
		return f, f.place(son)
	}
	return f, f.named(id.String())
}

// Digest is of the row, in hexadecimal: a file that is stored anew has another.
func (f *File) Digest() string { return hex.EncodeToString(f.sum[:]) }

// keep takes notice of what is of no use here but belongs to the file.
func (f *File) keep(key []byte, v bson.Value) {
	text, _ := bson.AppendJSON(nil, v)
	f.rest = f.rest.With(string(key), courseware.Value(text))
}

// ID returns the identity of the row as it is stored, by which alone its chunks are found (GF-3).
func (f *File) ID() bson.Value { return bson.ValueOf(bson.Type(f.id[0]), []byte(f.id[1:])) }

// place reads the identity from its parts.
func (f *File) place(son bson.Doc) bool {
	f.Old = modulestore.OldCourse{Org: son.Lookup("org").String(), Course: son.Lookup("course").String()}
	f.Category = son.Lookup("category").String()
	name, run := son.Lookup("name").String(), son.Lookup("run")
	f.base = name
	if son.Lookup("tag").String() != "c4x" || f.Old.Org == "" || f.Old.Course == "" || f.Category == "" || name == "" {
		f.Name = name
		return false
	}
	if run.IsNull() {
		f.Name = "/c4x/" + f.Old.Org + "/" + f.Old.Course + "/" + f.Category + "/" + name
		f.Key, _ = keys.ParseAsset(f.Name)
		return true
	}
	f.Name = "asset-v1:" + f.Old.Org + "+" + f.Old.Course + "+" + run.String() + "+type@" + f.Category + "+block@" + name
	f.Course, _ = keys.NewCourse(f.Old.Org, f.Old.Course, run.String())
	f.Old = modulestore.OldCourse{}
	if !f.Course.IsZero() {
		f.Key, _ = f.Course.Asset(f.Category, name)
	}
	return true
}

// named reads the identity of a file that has it as text alone.
func (f *File) named(text string) bool {
	f.Name = text
	k, err := keys.ParseAsset(text)
	if err != nil {
		return false
	}
	f.Key, f.Category, f.base = k, k.Type(), k.Path()
	if c, ok := k.Course(); ok {
		f.Course = c
	} else {
		f.Old = modulestore.OldCourse{Org: k.Org(), Course: k.Code()}
	}
	return true
}

// Totals are the files of one course together.
type Totals struct {
	Files    int // thumbnails and junk left out
	Bytes    int64
	Problems modulestore.Tally
}

// Census counts the files of all courses, and looks whether their bytes are there if it is given chunks. It keeps some hundred
// bytes of each file. Not safe for concurrent use.
type Census struct {
	files  map[string]*File
	chunks map[string]*chunks
	odd    modulestore.Tally
}

// chunks is what has come of a file's bytes.
type chunks struct {
	next  int64 // the number of the chunk that has to come next for the digest
	count int64
	bytes int64
	top   int64
	sum   hash.Hash // nil once chunks came out of order
	twice bool
	seen  map[int64]bool // once they came out of order
}

// NewCensus returns a census of nothing yet.
func NewCensus() *Census {
	return &Census{files: map[string]*File{}, chunks: map[string]*chunks{}}
}

// AddFile takes notice of a row of fs.files.
func (c *Census) AddFile(d bson.Doc) {
	f, ok := FileOf(d)
	if !ok {
		c.odd.Add(modulestore.BadKey, "file "+f.Name)
	}
	c.files[f.id] = &f
}

// AddChunk takes notice of a part of a file. The parts of one file come in order as a rule; where not, the file's digest stays
// unchecked.
func (c *Census) AddChunk(d bson.Doc) {
	id := d.Lookup("files_id")
	data, _ := d.Lookup("data").Bytes()
	n, _ := d.Lookup("n").Int()
	key := string(byte(id.Type)) + string(id.Raw())
	p := c.chunks[key]
	if p == nil {
		p = &chunks{sum: md5.New()}
		c.chunks[key] = p
	}
	if p.seen == nil && n != p.next {
		p.sum, p.seen = nil, make(map[int64]bool)
		for i := range p.next {
			p.seen[i] = true
		}
	}
	if p.seen != nil {
		p.twice = p.twice || p.seen[n]
		p.seen[n] = true
	} else {
		p.sum.Write(data) // a hash never fails
		p.next++
	}
	p.count++
	p.bytes += int64(len(data))
	p.top = max(p.top, n)
}

// Files returns the files, ordered by name.
func (c *Census) Files() []*File {
	return slices.SortedFunc(maps.Values(c.files), func(a, b *File) int { return strings.Compare(a.Name, b.Name) })
}

// wrong says what is wrong with a file's bytes, "" for nothing (GF-15).
func (c *Census) wrong(f *File) string {
	p := c.chunks[f.id]
	switch {
	case p == nil && f.Length == 0:
		return ""
	case p == nil:
		return "its bytes are missing"
	case p.twice || p.top+1 != p.count:
		return fmt.Sprintf("chunks are missing or twice: %d of %d", p.count, p.top+1)
	case p.bytes != f.Length:
		return fmt.Sprintf("%d bytes instead of %d", p.bytes, f.Length)
	case p.sum != nil && f.MD5 != "" && hex.EncodeToString(p.sum.Sum(nil)) != strings.ToLower(f.MD5):
		return "its bytes do not fit its digest"
	}
	return ""
}

// Totals adds up the files of each course: those of new-style courses by key, and those of the old store by organisation and
// code. With chunks every file was to be looked into; odd is what belongs to no course.
func (c *Census) Totals(chunks bool) (byKey map[keys.Course]*Totals, byOld map[modulestore.OldCourse]*Totals, odd modulestore.Tally) {
	byKey, byOld = map[keys.Course]*Totals{}, map[modulestore.OldCourse]*Totals{}
	odd.Merge(c.odd)
	for _, f := range c.Files() {
		var t *Totals
		switch {
		case !f.Course.IsZero():
			if t = byKey[f.Course]; t == nil {
				t = &Totals{}
				byKey[f.Course] = t
			}
		case f.Old != modulestore.OldCourse{}:
			if t = byOld[f.Old]; t == nil {
				t = &Totals{}
				byOld[f.Old] = t
			}
		default:
			continue
		}
		if f.Key.IsZero() {
			t.Problems.Add(modulestore.BadKey, f.Name)
		}
		if why := c.wrong(f); chunks && why != "" {
			t.Problems.Add(modulestore.BadFile, f.Name+": "+why)
		}
		switch {
		case f.IsJunk():
			t.Problems.Add(modulestore.JunkFile, f.Name)
		case f.Category != "thumbnail":
			t.Files++
			t.Bytes += f.Length
		}
	}
	for key := range c.chunks {
		if c.files[key] == nil {
			odd.Add(modulestore.LostFile, "chunks")
		}
	}
	return byKey, byOld, odd
}

// Asset is the metadata of an asset that is kept apart from its file; most sites have none (SP-31).
type Asset struct {
	Type, Name string
	// Fields are the others, in stored order; those of edit_info one by one.
	Fields courseware.Fields
}

// AssetsOf reads the assets of a document of assetstore, or of a structure: lists of metadata by type. Very old documents have
// an empty list instead (OM-31).
func AssetsOf(v bson.Value) (assets []Asset) {
	byType, _ := v.Doc()
	if v.Type != bson.Document {
		return nil
	}
	for kind, list := range byType.All() {
		in, _ := list.Doc()
		for _, item := range in.All() {
			d, ok := item.Doc()
			if !ok {
				continue
			}
			a := Asset{Type: string(kind)}
			all, _ := modulestore.FieldsOf(d)
			for _, f := range all {
				switch f.Name {
				case "filename":
					a.Name, _ = f.Value.Text()
				case "asset_type":
				case "edit_info":
					info, _ := d.Lookup("edit_info").Doc()
					edit, _ := modulestore.FieldsOf(info)
					a.Fields = append(a.Fields, edit...)
				default:
					a.Fields = append(a.Fields, f)
				}
			}
			assets = append(assets, a)
		}
	}
	return assets
}
