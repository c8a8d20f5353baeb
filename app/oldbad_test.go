package app

import (
	"bytes"
	"crypto/md5" //nolint:gosec // what the store has digests of
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/conversion"
	"github.com/openlectern/lectern/modulestore"
)

func e(key string, value any) bson.E { return bson.E{Key: key, Value: value} }

// badSite is an old site in the making: documents by collection, as a dump has them.
type badSite map[string][]bson.D

func (s badSite) add(collection string, d bson.D) { s[collection] = append(s[collection], d) }

func oldID(org, kind, name string, revision any) bson.D {
	return bson.D{e("tag", "i4x"), e("org", org), e("course", "OLD"), e("category", kind), e("name", name), e("revision", revision)}
}

// old adds a block of the course ORG/OLD/r of the old store; children as "type/name".
func (s badSite) old(org, block string, data, metadata bson.D, children ...string) {
	kind, name, _ := strings.Cut(block, "/")
	list := bson.A{}
	for _, c := range children {
		list = append(list, "i4x://"+org+"/OLD/"+c)
	}
	s.add(modulestore.CollectionBlocks, bson.D{e("_id", oldID(org, kind, name, nil)), e("definition", bson.D{e("data", data), e("children", list)}), e("metadata", metadata)})
}

func oid(n byte) bson.ObjectID { return bson.ObjectID{11: n} }

// entry is a block of a structure.
func entry(block string, definition byte, fields bson.D, children ...string) bson.D {
	kind, name, _ := strings.Cut(block, "/")
	list := bson.A{}
	for _, c := range children {
		kind, name, _ := strings.Cut(c, "/")
		list = append(list, bson.A{kind, name})
	}
	d := bson.D{e("block_type", kind), e("block_id", name), e("fields", append(fields, e("children", list)))}
	if definition != 0 {
		d = append(d, e("definition", oid(definition)))
	}
	return d
}

// courses adds a course of either store for an organization. n keeps the ids of one apart from those of others.
func (s badSite) courses(org string, n byte) {
	s.old(org, "course/r", bson.D{}, bson.D{e("display_name", "Old")}, "chapter/c")
	s.old(org, "chapter/c", bson.D{}, bson.D{}, "sequential/s")
	s.old(org, "sequential/s", bson.D{}, bson.D{}, "vertical/v")
	s.old(org, "vertical/v", bson.D{}, bson.D{}, "problem/p", "html/h")
	s.old(org, "problem/p", bson.D{e("data", "<problem><p>One?</p></problem>")}, bson.D{})
	s.old(org, "html/h", bson.D{e("data", `<img src="/static/a.png"/>`)}, bson.D{e("start", "2013-02-05T10:00:00Z")})
	halves := [][]byte{bytes.Repeat([]byte{'x'}, 40), bytes.Repeat([]byte{'y'}, 20)}
	sum := md5.Sum(slices.Concat(halves...)) //nolint:gosec // what the store has digests of
	file := bson.D{e("tag", "c4x"), e("org", org), e("course", "OLD"), e("category", "asset"), e("name", "a.png"), e("revision", nil)}
	s.add(modulestore.CollectionFiles, bson.D{e("_id", file), e("filename", "/c4x/"+org+"/OLD/asset/a.png"), e("displayname", "a.png"), e("contentType", "image/png"),
		e("chunkSize", int32(40)), e("length", int64(60)), e("md5", hex.EncodeToString(sum[:])), e("uploadDate", bson.DateTime(1360000000000))})
	for i, half := range halves {
		s.add(modulestore.CollectionChunks, bson.D{e("_id", oid(n+byte(30+i))), e("files_id", file), e("n", int32(i)), e("data", bson.Binary{Data: half})}) //nolint:gosec // two
	}
	s.add(modulestore.CollectionStructures, bson.D{e("_id", oid(n)), e("root", bson.A{"course", "course"}), e("previous_version", nil), e("original_version", oid(n)),
		e("edited_on", bson.DateTime(1400000000000)), e("blocks", bson.A{
			entry("course/course", n+1, bson.D{}, "chapter/c"), entry("chapter/c", 0, bson.D{}, "sequential/s"), entry("sequential/s", 0, bson.D{}, "vertical/v"),
			entry("vertical/v", 0, bson.D{}, "html/h"), entry("html/h", n+2, bson.D{}),
		})})
	s.add(modulestore.CollectionDefinitions, bson.D{e("_id", oid(n+1)), e("block_type", "course"), e("fields", bson.D{})})
	s.add(modulestore.CollectionDefinitions, bson.D{e("_id", oid(n+2)), e("block_type", "html"), e("fields", bson.D{e("data", "<p>Text</p>")})})
	s.add(modulestore.CollectionIndexes, bson.D{e("_id", oid(n+9)), e("org", org), e("course", "NEW"), e("run", "r"), e("last_update", bson.DateTime(1400000000000)),
		e("versions", bson.D{e("draft-branch", oid(n)), e("published-branch", oid(n))})})
}

// the returns the last document of a collection in which a text stands; the site's bad courses come last.
func (s badSite) the(collection, text string) *bson.D {
	docs := s[collection]
	for i := len(docs) - 1; i >= 0; i-- {
		if strings.Contains(docs[i].String(), text) {
			return &docs[i]
		}
	}
	panic("no document with " + text)
}

// put sets a field of a document; nil takes it away.
func put(d *bson.D, value any, path ...string) {
	for i := range *d {
		if (*d)[i].Key != path[0] {
			continue
		}
		switch {
		case len(path) > 1:
			inner := (*d)[i].Value.(bson.D) //nolint:forcetypeassert // a test's own document
			put(&inner, value, path[1:]...)
			(*d)[i].Value = inner
		case value == nil:
			*d = slices.Delete(slices.Clone(*d), i, i+1)
		default:
			(*d)[i].Value = value
		}
		return
	}
	*d = append(*d, e(path[0], value))
}

// drop takes away the documents of a collection that pass.
func (s badSite) drop(collection string, pass func(bson.D) bool) {
	s[collection] = slices.DeleteFunc(s[collection], pass)
}

// write makes a folder as mongodump does.
func (s badSite) write(t *testing.T, mangle func(file func(collection string) string)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "dump", "edxapp")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := func(collection string) string { return filepath.Join(dir, collection+".bson") }
	for name, docs := range s {
		var out []byte
		for _, d := range docs {
			b, err := bson.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, b...)
		}
		if err := os.WriteFile(file(name), out, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if mangle != nil {
		mangle(file)
	}
	return filepath.Dir(dir)
}

// rulesOf are the rules that a tally counts, with how often.
func rulesOf(p modulestore.Tally) string {
	var all []string
	for _, x := range p.Problems() {
		all = append(all, fmt.Sprintf("%s×%d", x.Rule, x.Count))
	}
	return strings.Join(all, " ")
}

// listBad says what a look at a site, and one in full, finds wrong with it and with each course.
func listBad(t *testing.T, dir string) (lines []string) {
	t.Helper()
	var found [2]map[string]string
	for i, full := range []bool{false, true} {
		r, err := ListOldSite(t.Context(), OldSite{Source: dir}, full, nil)
		if err != nil {
			t.Fatal(err)
		}
		found[i] = map[string]string{"the site": rulesOf(r.Problems)}
		for _, c := range r.Courses {
			found[i][c.Key] = rulesOf(c.Problems)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(found[1])) {
		switch scan, report := found[0][key], found[1][key]; {
		case scan != report:
			lines = append(lines, fmt.Sprintf("%s: %s, in full %s", key, scan, report))
		case scan != "":
			lines = append(lines, key+": "+scan)
		}
	}
	return lines
}

// convertBad converts a site into a store of its own, first as a rehearsal, and a second time, and says what became of courses
// other than that they were converted.
func convertBad(t *testing.T, dir string) (lines []string) {
	t.Helper()
	url := filepath.Join(t.TempDir(), "l.db")
	a := emptyStore(t, url)
	run := func(a *App) (all []string, made int) {
		t.Helper()
		got, err := a.ConvertOldSite(t.Context(), OldSite{Source: dir}, ConvertOptions{})
		if err != nil {
			t.Fatal(err)
		}
		met := map[string]bool{}
		for _, c := range got.Courses {
			met[c.Source] = true
			if c.Err != nil {
				all = append(all, c.Source+" "+c.Status+": "+c.Err.Error())
				continue
			}
			made++
			if c.Status != CourseConverted && c.Status != CourseUnchanged {
				t.Errorf("%s is %s", c.Source, c.Status)
			}
			for _, f := range c.Left {
				all = append(all, c.Source+" without "+f.Error())
			}
		}
		for _, key := range []string{"Bad/OLD/r", "Good/OLD/r", "course-v1:Bad+NEW+r", "course-v1:Good+NEW+r"} {
			if !met[key] {
				all = append(all, key+" is not met")
			}
		}
		if told := rulesOf(got.Problems); told != "" {
			all = append(all, "told of the site: "+told)
		}
		return all, made
	}
	rehearsal := open(t, Config{DB: url, Data: t.TempDir(), Write: true, DryRun: true})
	dry, _ := run(rehearsal)
	lines, made := run(a)
	if diff := cmp.Diff(dry, lines); diff != "" {
		t.Errorf("rehearsal and run (-rehearsal +run):\n%s", diff)
	}
	list, err := conversion.List(t.Context(), a.DB)
	if err != nil || len(list) != made {
		t.Errorf("%d courses were made, and %d are here, %v", made, len(list), err)
	}
	before := logs(t, a)
	again, _ := run(a)
	if diff := cmp.Diff(lines, again); diff != "" {
		t.Errorf("the second run (-first +second):\n%s", diff)
	}
	if now := logs(t, a); now != before {
		t.Errorf("the second run has written\n%s", now)
	}
	return lines
}

// manyLetters is a name that is too long.
var manyLetters = regexp.MustCompile("n{20,}")

// TestBadSites looks through sites with everything that can be wrong with one, and converts them: it is survived or refused by rule,
// counted and named; nothing of what is refused is here, and what has nothing to do with it comes all the same. A rehearsal
// says what the run does, a second run writes nothing and says the same, and the source is never written to. What is listed
// is what differs from four courses that were converted with nothing to tell.
func TestBadSites(t *testing.T) {
	t.Parallel()
	const (
		blocks, chunks, files = modulestore.CollectionBlocks, modulestore.CollectionChunks, modulestore.CollectionFiles
		structures            = modulestore.CollectionStructures
		definitions, indexes  = modulestore.CollectionDefinitions, modulestore.CollectionIndexes
	)
	change := func(collection string, to func([]byte) []byte) func(func(string) string) {
		return func(file func(string) string) {
			b, err := os.ReadFile(file(collection))
			if err == nil {
				err = os.WriteFile(file(collection), to(b), 0o600)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	cutTo := func(collection string, part func(int) int) func(func(string) string) {
		return change(collection, func(b []byte) []byte { return b[:part(len(b))] })
	}
	for _, c := range []struct {
		name   string
		change func(s badSite)
		mangle func(file func(string) string)
		want   string
	}{
		{name: "nothing is wrong"},
		{name: "blocks are cut short", want: `
Bad/OLD/r: A2×1
the site: unreadable×1
Bad/OLD/r failed: modulestore: a part cannot be read, so it is not known what is missing: DUMP/edxapp/modulestore.bson: byte 2270: ends within a document of 225 bytes
Good/OLD/r failed: modulestore: a part cannot be read, so it is not known what is missing: DUMP/edxapp/modulestore.bson: byte 2270: ends within a document of 225 bytes
told of the site: unreadable×1`, mangle: cutTo(blocks, func(n int) int { return n - 10 })},
		{name: "half of the structures", want: `
course-v1:Bad+NEW+r: PR-7×2
the site: unreadable×1
course-v1:Bad+NEW+r failed: modulestore.structures: a part cannot be read, so it is not known what is missing: DUMP/edxapp/modulestore.structures.bson: byte 703: ends within a document of 703 bytes
told of the site: unreadable×1`, mangle: cutTo(structures, func(n int) int { return n * 3 / 4 })},
		{name: "half of the definitions", want: `
course-v1:Bad+NEW+r: , in full SP-20×1
the site: , in full unreadable×1
course-v1:Bad+NEW+r failed: modulestore.definitions: a part cannot be read, so it is not known what is missing: DUMP/edxapp/modulestore.definitions.bson: byte 194: ends within a document of 78 bytes
told of the site: unreadable×1`, mangle: cutTo(definitions, func(n int) int { return n * 3 / 4 })},
		{name: "half of the chunks", want: `
Bad/OLD/r: , in full GF-15×1
the site: , in full unreadable×1
Bad/OLD/r without /c4x/Bad/OLD/asset/a.png: its bytes are missing
told of the site: unreadable×1`, mangle: cutTo(chunks, func(n int) int { return n * 3 / 4 })},
		{name: "half of the indexes", want: `
the site: unreadable×1
course-v1:Bad+NEW+r is not met
told of the site: unreadable×1`, mangle: cutTo(indexes, func(n int) int { return n * 3 / 4 })},
		{name: "a type that BSON has not", want: `
Bad/OLD/r: A2×1
the site: unreadable×1
Bad/OLD/r failed: modulestore: a part cannot be read, so it is not known what is missing: DUMP/edxapp/modulestore.bson: byte 2457: field "metadata": of no known type
Good/OLD/r failed: modulestore: a part cannot be read, so it is not known what is missing: DUMP/edxapp/modulestore.bson: byte 2457: field "metadata": of no known type
told of the site: unreadable×1`, mangle: change(blocks, func(b []byte) []byte {
			b[bytes.LastIndex(b, []byte("\x03metadata"))] = 0x55
			return b
		})},
		{name: "no BSON at all", want: `
course-v1:Bad+NEW+r: PR-7×2
course-v1:Good+NEW+r: PR-7×2
the site: unreadable×1
course-v1:Bad+NEW+r failed: modulestore.structures: a part cannot be read, so it is not known what is missing: DUMP/edxapp/modulestore.structures.bson: byte 0: a document of 1819043176 bytes: the file is damaged here, or is no dump
course-v1:Good+NEW+r failed: modulestore.structures: a part cannot be read, so it is not known what is missing: DUMP/edxapp/modulestore.structures.bson: byte 0: a document of 1819043176 bytes: the file is damaged here, or is no dump
told of the site: unreadable×1`, mangle: func(file func(string) string) {
			_ = os.WriteFile(file(structures), []byte("hello, this is a text"), 0o600)
		}},
		{name: "structures are not there", want: `
course-v1:Bad+NEW+r: PR-7×2
course-v1:Good+NEW+r: PR-7×2
course-v1:Bad+NEW+r failed: course-v1:Bad+NEW+r: its structure 000000000000000000000064 is not in the source
course-v1:Good+NEW+r failed: course-v1:Good+NEW+r: its structure 000000000000000000000001 is not in the source`, mangle: func(file func(string) string) {
			if err := os.Remove(file(structures)); err != nil {
				t.Error(err)
			}
		}},
		{name: "a chunk is missing", want: `
Bad/OLD/r: , in full GF-15×1
Bad/OLD/r without /c4x/Bad/OLD/asset/a.png: 40 bytes instead of 60`, change: func(s badSite) { s.drop(chunks, func(d bson.D) bool { return d[0].Value == oid(131) }) }},
		{name: "another digest", want: `
Bad/OLD/r: , in full GF-15×1
Bad/OLD/r without /c4x/Bad/OLD/asset/a.png: its bytes do not fit its digest`, change: func(s badSite) { put(s.the(files, "/c4x/Bad"), "00112233445566778899aabbccddeeff", "md5") }},
		{name: "another length", want: `
Bad/OLD/r: , in full GF-15×1
Bad/OLD/r without /c4x/Bad/OLD/asset/a.png: 60 bytes instead of 61`, change: func(s badSite) { put(s.the(files, "/c4x/Bad"), int64(61), "length") }},
		{name: "keys of _id shuffled", want: `
Bad/OLD/r: A1×1`, change: func(s badSite) {
			d := s.the(blocks, "problem")
			id := (*d)[0].Value.(bson.D) //nolint:forcetypeassert // as made above
			put(d, bson.D{id[1], id[0], id[2], id[3], id[4], id[5]}, "_id")
		}},
		{name: "two roots", want: `
Bad/OLD/r: A5×1 A16×1
Bad/OLD/second: A5×1 A16×1`, change: func(s badSite) { s.old("Bad", "course/second", bson.D{}, bson.D{}, "chapter/c") }},
		{name: "no root", want: `
Bad/OLD/: A13×1 L-70×1
Bad/OLD/ failed: Bad/OLD/: it has blocks and no course root
Bad/OLD/r is not met`, change: func(s badSite) {
			s.drop(blocks, func(d bson.D) bool { id := d[0].Value.(bson.D); return id[1].Value == "Bad" && id[3].Value == "course" }) //nolint:forcetypeassert // as made above
		}},
		{name: "no definition, no metadata", want: `
Bad/OLD/r: A9×1 A10×1`, change: func(s badSite) {
			put(s.the(blocks, "problem"), nil, "definition")
			put(s.the(blocks, "problem"), nil, "metadata")
		}},
		{name: "a definition is missing", want: `
course-v1:Bad+NEW+r: , in full SP-20×1
course-v1:Bad+NEW+r failed: course-v1:Bad+NEW+r: 1 blocks have lost their definitions, html/h is one of them (SP-20)`, change: func(s badSite) { s.drop(definitions, func(d bson.D) bool { return d[0].Value == oid(102) }) }},
		{name: "a head is missing", want: `
course-v1:Bad+NEW+r: PR-7×1
course-v1:Bad+NEW+r failed: course-v1:Bad+NEW+r: its structure 00000000000000000000004d is not in the source`, change: func(s badSite) { put(s.the(indexes, "Bad"), oid(77), "versions", "published-branch") }},
		{name: "children that are nowhere", want: `
Bad/OLD/r: A2×3 A3×1 L-70×1
course-v1:Bad+NEW+r: L-72×1`, change: func(s badSite) {
			put(s.the(blocks, "vertical"), bson.A{"i4x://Bad/OLD/problem/p", "i4x://Bad/OLD/html/gone", "i4x://Good/OLD/html/h", "nonsense", int32(7)}, "definition", "children")
			put(s.the(structures, "course"), bson.A{entry("course/course", 101, bson.D{}, "chapter/c", "chapter/gone"), entry("chapter/c", 0, bson.D{})}, "blocks")
		}},
		{name: "a cycle", want: `
Bad/OLD/r: A5×1 A6×1 L-70×1
course-v1:Bad+NEW+r: A5×1 A6×1`, change: func(s badSite) {
			put(s.the(blocks, "vertical"), bson.A{"i4x://Bad/OLD/chapter/c", "i4x://Bad/OLD/problem/p"}, "definition", "children")
			put(s.the(structures, "course"), bson.A{entry("course/course", 101, bson.D{}, "chapter/c"), entry("chapter/c", 0, bson.D{}, "sequential/s"), entry("sequential/s", 0, bson.D{}, "chapter/c")}, "blocks")
		}},
		{name: "blocks twice", want: `
Bad/OLD/r: OM-5×1
course-v1:Bad+NEW+r: SP-12×1`, change: func(s badSite) {
			s.old("Bad", "problem/p", bson.D{e("data", "<problem><p>Two?</p></problem>")}, bson.D{})
			put(s.the(structures, "course"), bson.A{entry("course/course", 101, bson.D{}, "html/h"), entry("html/h", 102, bson.D{}), entry("html/h", 102, bson.D{e("display_name", "Twice")})}, "blocks")
		}},
		{name: "keys beyond limits", want: `
Bad/OLD/r: CV-5×1 L-70×1
Bad/OLD/r failed: Bad/OLD/r: 1 blocks would have keys of more than 255 characters, the first block-v1:Bad+OLD+r+type@problem+block@_n…~230b07`, change: func(s badSite) {
			long := strings.Repeat("n", 300)
			put(s.the(blocks, "vertical"), bson.A{"i4x://Bad/OLD/problem/p", "i4x://Bad/OLD/problem/" + long}, "definition", "children")
			s.old("Bad", "problem/"+long, bson.D{e("data", "<problem/>")}, bson.D{})
		}},
		{name: "dates that are texts", change: func(s badSite) {
			put(s.the(blocks, "problem"), "tomorrow", "metadata", "due")
			put(s.the(blocks, "problem"), bson.D{e("edited_on", "2013-02-05"), e("edited_by", "jo")}, "edit_info")
			put(s.the(structures, "course"), "yesterday", "edited_on")
			put(s.the(indexes, "Bad"), "2014", "last_update")
		}},
		{name: "values of other types", want: `
Bad/OLD/r: A9×1 L-70×2
course-v1:Bad+NEW+r: SP-17×1
course-v1:Bad+NEW+r failed: course-v1:Bad+NEW+r: structure 000000000000000000000064: unsupported split schema`, change: func(s badSite) {
			put(s.the(blocks, "problem"), bson.A{"x"}, "metadata")
			put(s.the(blocks, "html"), int32(7), "definition")
			put(s.the(blocks, "vertical"), "i4x://Bad/OLD/problem/p", "definition", "children")
			put(s.the(structures, "course"), "none", "blocks")
		}},
		{name: "text that is none", want: `
Bad/OLD/r: A15×1`, change: func(s badSite) {
			put(s.the(blocks, "problem"), "<problem>a\x00b\xff</problem>", "definition", "data", "data")
		}},
		{name: "a document of 16 MB", change: func(s badSite) {
			put(s.the(blocks, "problem"), "<problem><p>"+strings.Repeat("x", 16<<20-1000)+"</p></problem>", "definition", "data", "data")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := badSite{}
			s.courses("Good", 1)
			s.courses("Bad", 100)
			if c.change != nil {
				c.change(s)
			}
			dir := s.write(t, c.mangle)
			was := treeOf(t, dir)
			got := strings.Join(append(listBad(t, dir), convertBad(t, dir)...), "\n")
			got = manyLetters.ReplaceAllString(strings.ReplaceAll(got, dir, "DUMP"), "n…")
			if diff := cmp.Diff(strings.TrimSpace(c.want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(was, treeOf(t, dir)); diff != "" {
				t.Errorf("the source (-before +after):\n%s", diff)
			}
		})
	}
}

// treeOf are the digests of the files below a folder.
func treeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		all[name] = fmt.Sprintf("%d bytes %x", len(b), sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
