package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/archive"
)

// benchDemo imports the sample course into an empty store and once more unchanged, and exports it.
func benchDemo(b *bench) error { return b.imports("demo", b.demo, 0) }

// benchProblems does the same with a generated folder of n problems: the course of job 3 as OLX.
func benchProblems(b *bench) error {
	path, err := b.problems()
	if err != nil {
		return err
	}
	return b.imports("problems", path, b.n)
}

// imports measures the parts of two imports and an export. The use case itself (app.Import) is reading and then
// importing; it is taken apart here because reading is the same whether anything has changed or not.
func (b *bench) imports(name, path string, ops int) (err error) {
	before, err := b.empty()
	if err != nil {
		return err
	}
	after, err := b.fresh(before)
	if err != nil {
		return err
	}
	store, err := b.openApp(after)
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed {
			err = errors.Join(err, store.Close())
		}
	}()
	var src *archive.Archive
	var read *olx.Result
	if _, err := b.measure(name+" read", ops, func(ctx context.Context) error {
		src, read, err = readArchive(ctx, path)
		return err
	}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	ops = len(read.State.Published.Blocks)
	b.lines[len(b.lines)-1].Ops = ops
	im := course.Import{Key: read.State.Published.Key, State: read.State, KeepAssets: true}
	if _, err := b.measure(name+" prepare", ops, func(ctx context.Context) error { return im.Prepare(ctx) }); err != nil {
		return err
	}
	first, err := b.measure(name+" import", ops, func(ctx context.Context) error {
		r, err := importCourse(ctx, store, im)
		if err == nil && r.PublishLog == nil {
			err = errors.New("nothing was published")
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := store.Close(); err != nil { // the rows are counted in the file
		return err
	}
	closed = true
	if err := b.raw(first, before, after); err != nil {
		return err
	}
	if store, err = b.openApp(after); err != nil {
		return err
	}
	closed = false
	if _, err := b.measure(name+" again", ops, func(ctx context.Context) error {
		r, err := importCourse(ctx, store, im)
		if err == nil && (r.ChangeLog != nil || r.DraftsLog != nil || r.PublishLog != nil) {
			err = errors.New("an import of what is there already wrote something")
		}
		return err
	}); err != nil {
		return err
	}
	out := filepath.Join(b.dir, name+".tar.gz")
	_, err = b.measure(name+" export", ops, func(ctx context.Context) error {
		_, err := store.Export(ctx, read.State.Published.Key, out, "", nil)
		return err
	})
	return err
}

func (b *bench) openApp(path string) (*app.App, error) {
	return app.Open(b.ctx, app.Config{DB: path, Media: path + "-media", Write: true,
		Clock: func() time.Time { return firstDay }, OnStatement: func(string) { b.statements.Add(1) }})
}

func readArchive(ctx context.Context, path string) (*archive.Archive, *olx.Result, error) {
	src, err := archive.Open(ctx, path, archive.Limits{}, archive.Options{})
	if err != nil {
		return nil, nil, err
	}
	r, err := olx.Read(ctx, src, olx.ReadOptions{})
	if err != nil {
		return nil, nil, errors.Join(err, src.Close())
	}
	return src, r, nil
}

// importCourse is the second half of app.Import.
func importCourse(ctx context.Context, a *app.App, im course.Import) (report *course.Report, err error) {
	if _, err := a.Sweep(ctx, media.GuardAge); err != nil {
		return nil, err
	}
	err = a.Update(ctx, func(tx *db.Tx) error {
		report, err = im.Run(ctx, tx, a.Files)
		return err
	})
	return report, err
}

// problems returns the folder of a course with n problems, 50 to a vertical, 5 verticals to a sequential, 4 of those to
// a chapter, each block a file of its own.
func (b *bench) problems() (string, error) {
	return b.made(fmt.Sprintf("problems-%d", b.n), func(w *archive.Writer) error {
		files := map[string][]byte{}
		below := make([]string, b.n)
		for i := range below {
			below[i] = "problem/" + code(i)
			files[below[i]] = []byte(blockXML(i, 1))
		}
		for i, kind := range []string{"vertical", "sequential", "chapter"} {
			below = addLevel(files, kind, levels[i], below)
		}
		files["course/r"] = parent("course", "Bench", below)
		files["course"] = []byte(courseRoot)
		for _, name := range slices.SortedFunc(maps.Keys(files), archiveOrder) {
			if err := w.AddBytes(name+".xml", files[name]); err != nil {
				return err
			}
		}
		return nil
	})
}

// courseRoot is the root file of generated archives.
const courseRoot = `<course org="Bench" course="B1" url_name="r"/>` + "\n"

// archiveOrder is the order in which an archive takes files: that of their names with .xml.
func archiveOrder(x, y string) int { return strings.Compare(x+".xml", y+".xml") }

// made returns the path of an archive that is made once.
func (b *bench) made(name string, fill func(*archive.Writer) error) (string, error) {
	path := filepath.Join(b.cache, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	w, err := archive.Create(b.ctx, path, firstDay)
	if err != nil {
		return "", err
	}
	if err := fill(w); err != nil {
		return "", errors.Join(err, w.Discard())
	}
	_, err = w.Close()
	return path, err
}

// addLevel adds the files of one kind of container and returns their names.
func addLevel(files map[string][]byte, kind string, l level, below []string) (names []string) {
	for part := range slices.Chunk(below, l.size) {
		name := fmt.Sprintf("%s/%s%04d", kind, kind, len(names))
		files[name] = parent(kind, fmt.Sprintf("%s %d", l.title, len(names)), part)
		names = append(names, name)
	}
	return names
}

// parent is the OLX of a container: pointers to its children.
func parent(kind, title string, children []string) []byte {
	out := fmt.Appendf(nil, "<%s display_name=%q>\n", kind, title)
	for _, c := range children {
		out = fmt.Appendf(out, "  <%s url_name=%q/>\n", filepath.Dir(c), filepath.Base(c))
	}
	return fmt.Appendf(out, "</%s>\n", kind)
}

// memoryFile is the size of one static file of benchMemory.
const memoryFile = 8 << 20

// textFile is the size of one html body of benchMemory.
const textFile = 64 << 10

// benchMemory imports an archive with n MiB of static files and a quarter of that in html blocks, none of which the
// program holds all of, and exports it again.
func benchMemory(b *bench) (err error) {
	path, err := b.largeArchive()
	if err != nil {
		return err
	}
	empty, err := b.empty()
	if err != nil {
		return err
	}
	at, err := b.fresh(empty)
	if err != nil {
		return err
	}
	a, err := b.openApp(at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if _, err = b.measure("memory import", b.n, func(ctx context.Context) error {
		_, err := a.Import(ctx, path, app.ImportOptions{KeepAssets: true})
		return err
	}); err != nil {
		return err
	}
	key, err := keys.NewCourse("Bench", "B1", "r") // courseRoot
	if err != nil {
		return err
	}
	_, err = b.measure("memory export", b.n, func(ctx context.Context) error {
		_, err := a.Export(ctx, key, filepath.Join(b.dir, "memory.tar.gz"), "", nil)
		return err
	})
	return err
}

// largeArchive makes an archive of n MiB in static files of bytes that hardly compress, and n/4 MiB in the bodies of html
// blocks, writing as it goes.
func (b *bench) largeArchive() (string, error) {
	return b.made(fmt.Sprintf("large-text-%d.tar.gz", b.n), func(w *archive.Writer) error {
		text := make([]byte, textFile/2)
		var blocks []string
		for i := 0; i*textFile < b.n<<18; i++ {
			blocks = append(blocks, fmt.Sprintf("html/h%05d", i))
		}
		var err error
		add := func(name string, data []byte) {
			if err == nil {
				err = w.AddBytes(name, data)
			}
		}
		add("chapter/c.xml", parent("chapter", "C", []string{"sequential/s"}))
		add("course.xml", []byte(courseRoot))
		add("course/r.xml", parent("course", "Bench", []string{"chapter/c"}))
		for i, name := range blocks {
			if _, err := io.ReadFull(newNoise(-1-i), text); err != nil {
				return err
			}
			add(name+".html", fmt.Appendf(nil, "%x", text))
			add(name+".xml", fmt.Appendf(nil, "<html filename=%q/>\n", filepath.Base(name)))
		}
		add("sequential/s.xml", parent("sequential", "S", []string{"vertical/v"}))
		for i := 0; i*memoryFile < b.n<<20 && err == nil; i++ {
			err = w.Add(fmt.Sprintf("static/file%04d.bin", i), memoryFile, func() (io.ReadCloser, error) {
				return io.NopCloser(io.LimitReader(newNoise(i), memoryFile)), nil
			})
		}
		add("vertical/v.xml", parent("vertical", "V", blocks))
		return err
	})
}

// newNoise returns endless bytes, another sequence for every seed.
func newNoise(seed int) io.Reader {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	return rand.NewChaCha8(key)
}
