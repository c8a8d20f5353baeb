package backup

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/blake2b"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// WriteOptions says what an archive tells about its making. Empty fields are left out of it.
type WriteOptions struct {
	Now       time.Time // of the dump
	By, Email string    // of the person who makes it
	Origin    string    // host name of the server
	Course    *Course   // the course that the package is, if it is one
	// Progress is told after each batch how many of how many entities are written. It may be nil.
	Progress func(done, total int)
}

// Summary counts what an archive holds.
type Summary struct {
	Key      string // of the package
	Entities int    // components and containers, those without a version included
	Media    int    // distinct contents, by digest and type
	Content  int64  // bytes of all files of versions
	Lectern  bool   // the format has no room for all of it: only Lectern can restore the rest
	Warnings []Problem
}

// Write writes a package as an archive to out, as q sees it: q should see one state throughout, as a transaction of
// db.DB.View does. Equal content and options give equal bytes. A media file that is missing or is not what its digest
// says is an error.
//
// After an error what was written is no archive.
func Write(ctx context.Context, q db.Querier, files media.Files, pkg publishing.Package, out io.Writer, o WriteOptions) (*Summary, error) {
	src, other, err := readSource(ctx, q, pkg)
	if err != nil {
		return nil, err
	}
	z, err := newZipWriter(out)
	if err != nil {
		return nil, err
	}
	w := &writer{
		ctx: ctx, z: z, src: src, files: files, o: o, names: newNamer(), parents: map[string]bool{},
		media: map[media.ID]struct{}{}, warn: &Problems{}, extras: map[publishing.EntityID][]publishing.VersionID{},
		lectern: o.Course != nil,
	}
	for _, ref := range other {
		w.warn.add(packageFile, "", "", CodeLoss, "%s is neither a component nor a container and is left out", printable(ref))
	}
	if err := w.all(); err != nil {
		return nil, err
	}
	if err := z.close(); err != nil {
		return nil, err
	}
	if w.lectern {
		// Lectern keeps the white space, and nobody else reads it.
		w.warn.List = slices.DeleteFunc(w.warn.List, func(p Problem) bool { return p.Code == CodePadding })
	}
	return &Summary{
		Key: pkg.Ref, Entities: len(src.items), Media: len(w.media), Content: w.content, Lectern: w.lectern, Warnings: w.warn.List,
	}, nil
}

// writer is one archive being written.
type writer struct {
	ctx   context.Context
	z     *zipWriter
	src   *source
	files media.Files
	o     WriteOptions
	e     emitter
	names *namer

	parents map[string]bool // folders written that entities share
	own     map[string]bool // folders written of the present entity
	buffer  bytes.Buffer

	lectern bool // something was seen that the format has no room for
	pins    []pin
	extras  map[publishing.EntityID][]publishing.VersionID // versions that only pins name

	media   map[media.ID]struct{}
	content int64
	warn    *Problems
}

func (w *writer) all() error {
	p := w.src.pkg
	w.head()
	if err := w.z.file(packageFile, p.Updated, w.e.b); err != nil {
		return err
	}
	for _, dir := range []string{entitiesDir, collectionsDir} {
		if err := w.z.dir(dir, p.Updated); err != nil {
			return err
		}
	}
	if err := w.batches(nil, w.entity); err != nil {
		return err
	}
	sets, err := w.src.sets(w.ctx)
	if err != nil {
		return err
	}
	for i := range sets {
		if err := w.set(&sets[i]); err != nil {
			return err
		}
	}
	if w.lectern || len(w.pins) > 0 {
		return w.beside()
	}
	return nil
}

// batches calls fn for every entity with its versions.
func (w *writer) batches(more map[publishing.EntityID][]publishing.VersionID, fn func(*loaded) error) error {
	items := w.src.items
	for from := 0; from < len(items); from += batchSize {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		to := min(from+batchSize, len(items))
		batch, err := w.src.load(w.ctx, items[from:to], more, true)
		if err != nil {
			return err
		}
		for i := range batch {
			if err := fn(&batch[i]); err != nil {
				return fmt.Errorf("%s: %w", printable(batch[i].Ref), err)
			}
		}
		if w.o.Progress != nil {
			w.o.Progress(to, len(items))
		}
	}
	return nil
}

// head writes package.toml (backup-format.md §4.1). An address that is empty is left out: Python's reader refuses it
// (defect B3).
func (w *writer) head() {
	e, p := &w.e, w.src.pkg
	e.reset()
	e.table("[meta]")
	e.integer("format_version", 1)
	for _, f := range [...]struct{ name, value string }{{"created_by", w.o.By}, {"created_by_email", w.o.Email}} {
		if f.value != "" {
			e.str(f.name, f.value)
		}
	}
	e.time("created_at", w.o.Now)
	if w.o.Origin != "" {
		e.str("origin_server", w.o.Origin)
	}
	e.table("[learning_package]")
	e.str("title", p.Title)
	e.str("key", p.Ref)
	e.str("description", p.Description)
	e.time("created", p.Created)
	e.time("updated", p.Updated)
	w.trimmed(packageFile, "title", p.Title)
	if strings.TrimFunc(p.Title, pythonSpace) == "" {
		w.warn.add(packageFile, "", "title", CodeBlank, "the title is nothing but white space: readers refuse it")
	}
}

// trimmed warns of a text that readers cut (defect B15).
func (w *writer) trimmed(file, field, text string) {
	if strings.TrimFunc(text, pythonSpace) != text {
		w.warn.add(file, "", field, CodePadding, "white space at an end of %q is lost on reading", text)
	}
}

// entity writes the file of a component or container, and the files of a component (backup-format.md §4.2).
func (w *writer) entity(l *loaded) error {
	w.locate(l.item)
	file := l.place.entityFile()
	when := w.src.pkg.Updated
	for _, v := range l.versions {
		if v.Created.After(when) {
			when = v.Created
		}
	}
	w.e.reset()
	w.identity(l)
	for i := range l.versions {
		w.version(l, &l.versions[i], file)
	}
	if err := w.shared(entitiesDir, file, when); err != nil {
		return err
	}
	if err := w.z.file(file, when, w.e.b); err != nil {
		return err
	}
	w.notice(l, file)
	if l.isContainer() {
		return nil
	}
	w.own = map[string]bool{}
	for i := range l.versions {
		v := &l.versions[i]
		folder := l.place.versions() + versionFolder(v.Num)
		if err := w.folders(folder+staticDir, v.Created); err != nil {
			return err
		}
		if err := w.contents(folder, v.files); err != nil {
			return err
		}
	}
	return nil
}

// locate gives an entity its name. Names depend on those given before, so they are given in the order of refs.
func (w *writer) locate(it *item) {
	it.place.folder = ""
	key := it.Ref
	if !it.isContainer() {
		it.place.folder = folderName(it.component.Namespace) + "/" + folderName(it.component.Name) + "/"
		key = it.code
	}
	it.place.name = w.names.name(entitiesDir+it.place.folder, key, !it.isContainer())
}

func (w *writer) identity(l *loaded) {
	e := &w.e
	e.table("[entity]")
	e.boolean("can_stand_alone", l.CanStandAlone)
	e.str("key", l.Ref)
	e.time("created", l.Created)
	if l.branches.Draft.Live() {
		e.table("[entity.draft]")
		e.integer("version_num", l.branches.Draft.Num)
	}
	e.table("[entity.published]")
	if l.branches.Published.Live() {
		e.integer("version_num", l.branches.Published.Num)
	} else {
		e.line("# unpublished: no published_version_num")
	}
	if l.isContainer() {
		e.table("[entity.container." + bareKey(l.container) + "]")
	}
	e.comment("### Versions")
}

func (w *writer) version(l *loaded, v *loadedVersion, file string) {
	e := &w.e
	e.table("[[version]]")
	e.str("title", v.Title)
	e.integer("version_num", v.Num)
	w.trimmed(file, "title", v.Title)
	if l.isContainer() {
		e.table("[version.container]")
		e.inline("children", w.src.refsOf(v.children))
	}
}

// notice takes note of what the format has no room for.
func (w *writer) notice(l *loaded, file string) {
	if !l.stock() {
		w.lectern = true
	}
	for _, v := range l.versions {
		w.lectern = w.lectern || len(v.settings) > 0
		if pinned(v.children) {
			w.warn.add(file, "", "children", CodePinned, "version %d pins children: Open edX restores them unpinned, Lectern as they are", v.Num)
			w.pinned(v.children)
		}
	}
	if l.branches.Draft.Exists && !l.branches.Draft.Live() && l.branches.Published.Live() {
		w.warn.add(file, "", "draft", CodeDraft, "its deletion is not published yet: Open edX restores the draft as published")
	}
}

// set writes a collection (backup-format.md §4.3).
func (w *writer) set(s *set) error {
	file := collectionsDir + w.names.name(collectionsDir, s.Code, false) + ending
	e := &w.e
	e.reset()
	e.table("[collection]")
	e.str("title", s.Title)
	e.str("key", s.Code)
	e.str("description", s.Description)
	e.time("created", s.Created)
	e.lines("entities", s.members)
	w.trimmed(file, "title", s.Title)
	return w.z.file(file, s.Modified, e.b)
}

// shared writes the folders on the way from base to a file that other entities may be in too.
func (w *writer) shared(base, file string, when time.Time) error {
	for i := len(base); i < len(file); i++ {
		if file[i] == '/' && !w.parents[file[:i]] {
			w.parents[file[:i]] = true
			if err := w.z.dir(file[:i+1], when); err != nil {
				return err
			}
		}
	}
	return nil
}

// folders writes the folders of a path that is one entity's own; the path ends in a slash or a file.
func (w *writer) folders(path string, when time.Time) error {
	for i := range len(path) {
		if path[i] != '/' || w.own[path[:i]] || w.parents[path[:i]] || i < len(entitiesDir) {
			continue
		}
		w.own[path[:i]] = true
		if err := w.z.dir(path[:i+1], when); err != nil {
			return err
		}
	}
	return nil
}

// printable quotes a text of the content where it would garble a terminal.
func printable(s string) string {
	const longest = 200
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) || s == "" {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// contents writes the files of a version into a folder.
func (w *writer) contents(folder string, list []components.FileRow) error {
	for _, f := range list {
		if err := components.CheckPath(f.Path); err != nil { // "..", which Python's writer would put into the archive
			return err
		}
		name := folder + f.Path
		if err := w.folders(name, f.Media.Created); err != nil {
			return err
		}
		if err := w.media1(name, f.Media); err != nil {
			return fmt.Errorf("%s: %w", printable(f.Path), err)
		}
		w.media[f.Media.ID] = struct{}{}
		w.content += f.Media.Size
		if f.Media.Size > media.DefaultLimit {
			w.warn.add(name, "", "", CodeTooLarge, "%d bytes: Open edX restores files of up to %d bytes only", f.Media.Size, media.DefaultLimit)
		}
	}
	return nil
}

// media1 writes one file: its bytes from the file store, else its text, an empty one too (defect B11).
func (w *writer) media1(name string, m media.Media) (err error) {
	if !m.HasFile {
		return w.z.file(name, m.Created, []byte(m.Text))
	}
	if w.files == nil {
		return fault.Errorf(fault.NotFound, "media file "+m.Digest, "there is no store for files")
	}
	r, err := w.files.Open(w.ctx, w.src.pkg.UUID, m.Digest)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // read to its end or given up: nothing is lost when closing fails
	sum, err := blake2b.New(20, nil)
	if err != nil {
		return err
	}
	var n int64
	if m.Size <= wholeEntry {
		w.buffer.Reset()
		if _, err = w.buffer.ReadFrom(io.LimitReader(r, wholeEntry+1)); err != nil {
			return err
		}
		n = int64(w.buffer.Len())
		_, _ = sum.Write(w.buffer.Bytes()) // a hash never fails to write
		if n == m.Size {
			err = w.z.file(name, m.Created, w.buffer.Bytes())
		}
	} else {
		c := &metered{r: io.TeeReader(r, sum)}
		err = w.z.stream(name, m.Created, c)
		n = c.n
	}
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != m.Size || got != m.Digest {
		return fault.Errorf(fault.Invalid, "media file "+m.Digest, "it holds %d bytes with digest %s instead of %d bytes: the media store is damaged", n, got, m.Size).
			WithNext("put the file back from another copy of the media store")
	}
	return nil
}

// metered counts what is read.
type metered struct {
	r io.Reader
	n int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	return n, err
}
