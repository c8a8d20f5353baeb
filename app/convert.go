package app

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/openlectern/lectern/conversion"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/convert"
	"github.com/openlectern/lectern/modulestore/gridfs"
)

// ConvertOptions say what of an old site to convert, and how.
type ConvertOptions struct {
	Courses []string // keys that the old site knows them by; none for all
	Org     string   // only courses and libraries of that organization
	// To is the key of the one course that is converted, zero for the one that follows from its own; Run instead is the run of
	// each, "" for its own.
	To  keys.Course
	Run string
	// RemapWiki and Host are as in package convert.
	RemapWiki bool
	Host      string
	NoFiles   bool // leave files out, and keep those that are here
	// Lenient accepts content that is not all there: blocks without their definition, and sources of which parts cannot be
	// read.
	Lenient bool
	// Overwrite brings courses that were edited here since they were converted back to what the source says.
	Overwrite bool
	// Verify reads back what was written and compares it with the source before it is committed.
	Verify bool
	// History makes history of the versions that the source has, as many of each branch as Depth says, 0 for all.
	History bool
	Depth   int
	Jobs    int    // courses at a time, 0 for as many as there are processors, at most four
	KeyMaps string // folder, or file where one course is converted, to write the maps of keys to; "" for none
	Message string // for the history
	// Progress may be nil.
	Progress Progress
}

// The ends that the conversion of a course can come to.
const (
	CourseConverted = "converted"
	CourseUnchanged = "unchanged" // the source is what it was when it was converted
	CourseFailed    = "failed"
)

// ConvertedCourse tells what became of one course or library.
type ConvertedCourse struct {
	*course.Report        // zeros where it failed
	Source         string // the key that the old site knows it by
	Store          string
	Status         string
	Edited         bool            // unchanged in the source, and edited here since
	Made           *convert.Report // nil where nothing was made
	Differences    []convert.Difference
	Left           []gridfs.BadFile // files that are left out
	Thumbnails     int              // passed over: they are made anew
	Moments        int              // logs that history was made of
	Skipped        []SkippedVersion // versions that history was not made of
	KeyMap         string           // file with the map of keys, "" where none was written
	Err            error            // why it failed
}

// Converted is what became of an old site.
type Converted struct {
	Courses  []*ConvertedCourse // ordered by source
	Problems modulestore.Tally  // of the site as a whole
}

// Failed returns how many courses were not converted.
func (c *Converted) Failed() (n int) {
	for _, x := range c.Courses {
		if x.Status == CourseFailed {
			n++
		}
	}
	return n
}

// ConvertOldSite brings courses and libraries of an old site into the store (modulestore.md §5): each in one transaction, or not
// at all. One that was converted before and is what it was is left alone, so that a run which broke off goes on where it was.
// What fails does so by itself, and the others go on; an error ends the whole run, and the result then tells of those that
// were done. The source is never written to.
func (a *App) ConvertOldSite(ctx context.Context, site OldSite, o ConvertOptions) (_ *Converted, err error) {
	if err := a.notOld(ctx, "ConvertOldSite", true, thing{course: o.To}); err != nil {
		return nil, err
	}
	if err := a.may(ctx, "ConvertOldSite"); err != nil {
		return nil, err
	}
	if o.Verify && a.dryRun {
		return nil, fault.Errorf(fault.Usage, "--verify", "a dry run writes nothing that could be read back").WithNext("leave one of them out")
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := a.sweep(ctx); err != nil {
		return nil, err
	}
	src, err := site.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	r := &oldReader{src: src, o: o, bad: map[string]error{}}
	defer func() { err = errors.Join(err, r.close()) }()
	o.Progress.begin("reading the old site")
	if err := r.list(ctx, site.Index); err != nil {
		return nil, err
	}
	c := &conversions{app: a, reader: r, o: o, out: &Converted{}}
	err = c.run(ctx)
	c.out.Problems = r.problems // those that were met on the way, too
	return c.out, err
}

// check refuses what can be refused without a look at the source.
func (o *ConvertOptions) check() error {
	if strings.HasSuffix(o.KeyMaps, ".csv") && len(o.Courses) != 1 {
		return fault.Errorf(fault.Usage, "--key-map", "there is a map for each course").WithNext("name a folder, or one course")
	}
	if !o.To.IsZero() && o.Run != "" {
		return fault.Errorf(fault.Usage, "--run", "a key has its run already").WithNext("give --to or --run")
	}
	return nil
}

// digest is of everything that makes another result of the same source. The first item is the version of the
// converter's rules.
func (o *ConvertOptions) digest() string {
	text, err := json.Marshal([]any{1, o.To.String(), o.Run, o.RemapWiki, o.Host, o.NoFiles, o.History, o.Depth})
	if err != nil {
		panic(err) // texts and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// conversions is a run under way.
type conversions struct {
	app    *App
	reader *oldReader
	o      ConvertOptions
	out    *Converted

	mu   sync.Mutex // guards done and the order of what Progress is told
	done int
}

// jobs is how many courses are converted at a time: each is held in memory.
func (o *ConvertOptions) jobs() int {
	if o.Jobs > 0 {
		return o.Jobs
	}
	return min(4, runtime.GOMAXPROCS(0))
}

// run converts what the reader has found, a part of it at a time.
func (c *conversions) run(ctx context.Context) error {
	items := c.reader.items
	for _, it := range items {
		it.out = &ConvertedCourse{Report: &course.Report{}, Source: it.name, Store: it.store}
		c.out.Courses = append(c.out.Courses, it.out)
	}
	if !c.o.To.IsZero() && len(items) > 1 {
		return fault.Errorf(fault.Usage, "--to", "%d courses cannot have one key", len(items)).WithNext("name one course, or give --run")
	}
	var todo []*oldItem
	for _, it := range items {
		if err := c.begin(ctx, it); err != nil {
			return err
		}
		if it.out.Status == "" {
			todo = append(todo, it)
		}
	}
	c.done = len(items) - len(todo)
	size := max(len(todo), 1)
	if c.reader.src.Live() { // a dump is read through as often as there are parts, a server is asked for what is wanted
		size = coursesAtOnce
	}
	for part := range slices.Chunk(todo, size) {
		if err := c.part(ctx, part); err != nil {
			for _, it := range todo {
				if it.out.Status == "" {
					it.fail(err)
				}
			}
			return err
		}
	}
	return ctx.Err()
}

// coursesAtOnce is how many courses of a server are kept in temporary storage together.
const coursesAtOnce = 20

// begin finds out whether there is anything to do for a course.
func (c *conversions) begin(ctx context.Context, it *oldItem) error {
	if it.err != nil {
		it.fail(it.err)
		return nil
	}
	made, err := conversion.Of(ctx, c.app.DB, it.name)
	if err != nil {
		return err
	}
	for _, m := range made {
		same := m.Store == it.store && m.Digest == it.digest && m.Options == c.o.digest() && (it.target.IsZero() || m.Target == it.target.String())
		if !same {
			continue
		}
		edited, err := m.Edited(ctx, c.app.DB)
		if err != nil {
			return err
		}
		if edited && c.o.Overwrite || c.o.Verify && !edited {
			return nil // it is read after all
		}
		return c.unchanged(ctx, it, m, edited)
	}
	return nil
}

// unchanged tells of a course that is here already.
func (c *conversions) unchanged(ctx context.Context, it *oldItem, m conversion.Conversion, edited bool) error {
	var kept savedReport
	if err := json.Unmarshal(m.Report, &kept); err != nil {
		return fault.Errorf(fault.Internal, m.Target, "the report of its conversion: %w", err)
	}
	it.out.Status, it.out.Edited = CourseUnchanged, edited
	it.out.Course, it.out.Unchanged, it.out.Assets.Unchanged = m.Target, kept.Blocks, kept.Assets
	var err error
	it.out.KeyMap, err = c.app.writeKeyMap(c.o.KeyMaps, len(c.reader.items), m.Target, func(yield func(conversion.Key) error) error {
		return conversion.Keys(ctx, c.app.DB, m.ID, yield)
	})
	return err
}

// part converts some courses, several at a time.
func (c *conversions) part(ctx context.Context, items []*oldItem) error {
	if len(items) == 0 {
		return nil
	}
	store, err := c.reader.read(ctx, items)
	if err != nil {
		return err
	}
	work := make(chan *oldItem)
	var wg sync.WaitGroup
	for range min(c.o.jobs(), len(items)) {
		wg.Go(func() {
			for it := range work {
				err := c.course(ctx, store, it)
				if err != nil {
					it.fail(err)
				}
				c.one()
			}
		})
	}
	for _, it := range items {
		work <- it
	}
	close(work)
	wg.Wait()
	return errors.Join(store.close(), ctx.Err())
}

// one tells that a course is done.
func (c *conversions) one() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	if c.o.Progress != nil {
		c.o.Progress("courses", c.done, len(c.reader.items))
	}
}

// fail notes why a course is not converted; nothing of it was written.
func (it *oldItem) fail(err error) {
	it.out.Status, it.out.Err = CourseFailed, err
	it.out.Report = &course.Report{Course: it.out.Course}
	it.out.Moments, it.out.Skipped, it.out.KeyMap = 0, nil, ""
}

// savedReport is what a conversion is remembered with.
type savedReport struct {
	Blocks int              `json:"blocks"` // of the drafts, pages with them
	Assets int              `json:"assets"`
	Left   []gridfs.BadFile `json:"left,omitempty"`
	Made   convert.Report   `json:"made"`
}

func newSavedReport(state courseware.State, left []gridfs.BadFile, made convert.Report) savedReport {
	now := state.Published
	if state.Draft != nil {
		now = state.Draft
	}
	return savedReport{len(now.Blocks), len(now.Assets), left, made}
}

// CheckConvert looks whether there is a source, and whether what is asked for makes sense, for a database that does not exist
// yet, so that none is made for nothing. Where there is one, [App.ConvertOldSite] finds out by itself.
func CheckConvert(ctx context.Context, c Config, site OldSite, o ConvertOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	url, _ := c.paths()
	if file, ok := sqlitePath(url); !ok || !missing(file) {
		return nil
	}
	src, err := site.open(ctx)
	if err != nil {
		return err
	}
	return src.Close()
}

// KeyMaps is the folder for the maps of keys of courses that are converted: key-maps beside the media folder, or
// "<path>-key-maps" beside a SQLite file given by DB.
func (c Config) KeyMaps() string {
	const name = "key-maps"
	if path, ok := sqlitePath(c.DB); ok && c.Data == "" {
		return path + "-" + name
	}
	return filepath.Join(cmp.Or(c.Data, DefaultData), name)
}
