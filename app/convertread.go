package app

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/convert"
	"github.com/openlectern/lectern/modulestore/gridfs"
	"github.com/openlectern/lectern/modulestore/inventory"
	"github.com/openlectern/lectern/modulestore/oldmongo"
	"github.com/openlectern/lectern/modulestore/split"
)

// oldItem is a course or library that is to be converted.
type oldItem struct {
	name, store string
	index       *split.Index    // of the versioned store
	shape       *oldmongo.Shape // of the old one
	files       []*gridfs.File
	metadata    []gridfs.Asset // of a course of the old store; the versioned one has it in its structures
	problems    modulestore.Tally
	digest      string        // of what is read
	target      keys.Course   // the key it gets; none where that follows from its own in a way that only the converter knows
	err         error         // why it cannot be converted
	past        []pastVersion // with history: oldest first
	out         *ConvertedCourse
}

// oldReader reads what is to be converted. Lists are made first: what was converted already is not read.
type oldReader struct {
	src       modulestore.Source
	o         ConvertOptions
	items     []*oldItem // ordered by name
	olds      *oldmongo.Store
	problems  modulestore.Tally
	bad       map[string]error // the first part that cannot be read, by collection
	histories *split.Histories // read when they are first needed
}

func (r *oldReader) close() error {
	if r.olds == nil {
		return nil
	}
	return r.olds.Close()
}

// unreadable takes notice of a part that cannot be read.
func (r *oldReader) unreadable(collection string, err error) error {
	r.problems.Add(modulestore.Unreadable, err.Error())
	if r.bad[collection] == nil {
		r.bad[collection] = err
	}
	return nil
}

// broken returns the error of one of these collections, or of a source of which it is not known what is missing.
func (r *oldReader) broken(collections ...string) error {
	if r.o.Lenient {
		return nil
	}
	for _, name := range append(collections, "") {
		if err := r.bad[name]; err != nil {
			return fault.Errorf(fault.Invalid, cmp.Or(name, "the source"), "a part cannot be read, so it is not known what is missing: %w", err).
				WithNext("dump the site again; what can be read is converted with --lenient")
		}
	}
	return nil
}

// wants reports whether the store may be asked about at all.
func (r *oldReader) wants(old bool) bool {
	return len(r.o.Courses) == 0 || slices.ContainsFunc(r.o.Courses, func(key string) bool { return isOldKey(key) == old })
}

func isOldKey(key string) bool {
	return !strings.HasPrefix(key, "course-v1:") && !strings.HasPrefix(key, "library-v1:")
}

// chosen reports whether a course is one of those to convert.
func (r *oldReader) chosen(key, org string) bool {
	return (len(r.o.Courses) == 0 || slices.Contains(r.o.Courses, key)) && (r.o.Org == "" || r.o.Org == org)
}

// list finds what there is to convert.
func (r *oldReader) list(ctx context.Context, index string) error {
	files, assets := gridfs.NewCensus(), map[string][]gridfs.Asset{}
	indexes := split.NewCensus(nil)
	err := r.src.Scan(ctx, modulestore.Pass{
		Bad: r.unreadable,
		Want: func(name string) bool {
			switch name {
			case modulestore.CollectionIndexes:
				return r.wants(false)
			case modulestore.CollectionAssets:
				return r.wants(true)
			case modulestore.CollectionFiles:
				return !r.o.NoFiles
			}
			return false
		},
		Doc: func(name string, d bson.Doc) error {
			switch name {
			case modulestore.CollectionIndexes:
				indexes.AddIndex(d)
			case modulestore.CollectionAssets:
				key := d.Lookup("course_id").String()
				assets[key] = append(assets[key], gridfs.AssetsOf(d.Lookup("assets"))...)
			case modulestore.CollectionFiles:
				files.AddFile(d)
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	if r.wants(false) {
		if err := r.listSplit(ctx, indexes, index); err != nil {
			return err
		}
	}
	if r.wants(true) {
		if err := r.listOld(ctx, assets); err != nil {
			return err
		}
	}
	for _, key := range r.o.Courses {
		if !slices.ContainsFunc(r.items, func(it *oldItem) bool { return it.name == key }) {
			if err := r.broken(modulestore.CollectionIndexes, modulestore.CollectionBlocks); err != nil {
				return err
			}
			return fault.Errorf(fault.NotFound, key, "the site has no such course or library").WithNext("see: lectern legacy scan")
		}
	}
	slices.SortFunc(r.items, func(x, y *oldItem) int { return cmp.Or(cmp.Compare(x.name, y.name), cmp.Compare(x.store, y.store)) })
	r.give(files.Files())
	return r.settle()
}

func (r *oldReader) listSplit(ctx context.Context, census *split.Census, mirror string) error {
	var rows []split.Index
	if mirror != "" {
		var err error
		if rows, err = readIndex(ctx, mirror); err != nil {
			return err
		}
	}
	all, problems := census.Indexes(rows)
	for i := range all {
		x := &all[i]
		org := x.Key.Org()
		if !r.chosen(x.Name, org) {
			continue
		}
		it := &oldItem{name: x.Name, store: inventory.Split, index: x, target: x.Key}
		if t := problems[x.Name]; t != nil {
			it.problems.Merge(*t)
		}
		if len(x.Heads()) == 0 {
			it.err = fault.Errorf(fault.Invalid, x.Name, "its index names no version")
		}
		r.items = append(r.items, it)
	}
	return nil
}

func (r *oldReader) listOld(ctx context.Context, assets map[string][]gridfs.Asset) (err error) {
	var only *modulestore.OldCourse
	if len(r.o.Courses) == 1 {
		if org, rest, ok := strings.Cut(r.o.Courses[0], "/"); ok {
			if code, _, ok := strings.Cut(rest, "/"); ok {
				only = &modulestore.OldCourse{Org: org, Course: code}
			}
		}
	}
	if r.olds, err = oldmongo.Read(ctx, r.src, only, r.unreadable); err != nil {
		return err
	}
	r.problems.Merge(r.olds.Odd())
	for _, s := range r.olds.Courses() {
		name := s.Key()
		if !r.chosen(name, s.Of.Org) {
			continue
		}
		it := &oldItem{name: name, store: inventory.OldMongo, shape: s, metadata: assets[name], problems: s.Problems}
		it.target, _ = keys.NewCourse(s.Of.Org, s.Of.Course, cmp.Or(r.o.Run, s.Run)) // none where letters have to change
		switch {
		case s.Run == "":
			it.err = fault.Errorf(fault.Invalid, name, "it has blocks and no course root").WithNext("look at it with: lectern legacy report")
		case s.Problems.Count(modulestore.MovedMeanwhile) > 0:
			it.err = fault.Errorf(fault.Conflict, name, "somebody edited it while it was read (OM-33)").WithNext("run the command again at a quiet time")
		default:
			it.err = r.broken(modulestore.CollectionBlocks, modulestore.CollectionAssets)
		}
		r.items = append(r.items, it)
	}
	return nil
}

// give hands files to their courses; all runs of a course of the old store share theirs (GF-4).
func (r *oldReader) give(files []*gridfs.File) {
	byKey, byOld := map[keys.Course][]*gridfs.File{}, map[modulestore.OldCourse][]*gridfs.File{}
	for _, f := range files {
		switch {
		case !f.Course.IsZero():
			byKey[f.Course] = append(byKey[f.Course], f)
		case f.Old != modulestore.OldCourse{}:
			byOld[f.Old] = append(byOld[f.Old], f)
		}
	}
	for _, it := range r.items {
		if it.shape != nil {
			it.files = byOld[it.shape.Of]
		} else {
			it.files = byKey[it.index.Key]
		}
	}
}

// settle chooses the keys, and makes the digests by which a source is known again.
func (r *oldReader) settle() error {
	taken := map[string]*oldItem{}
	for _, it := range r.items {
		if it.err == nil && !r.o.NoFiles {
			it.err = r.broken(modulestore.CollectionFiles)
		}
		switch {
		case !r.o.To.IsZero():
			it.target = r.o.To
		case r.o.Run != "" && it.index != nil && !it.index.IsLibrary() && !it.index.Key.IsZero():
			var err error
			if it.target, err = keys.NewCourse(it.index.Key.Org(), it.index.Key.Code(), r.o.Run); err != nil {
				return fault.Errorf(fault.Usage, "--run", "%w", err)
			}
		}
		if it.err != nil {
			continue
		}
		if !it.target.IsZero() {
			// The versioned store's courses come after the old one's in the order of names, and have the key by right.
			folded := strings.ToLower(it.target.String())
			if other := taken[folded]; other != nil && it.store == inventory.Split {
				other.err = takenBy(other, it)
			} else if other != nil {
				it.err = takenBy(it, other)
				continue
			}
			taken[folded] = it
		}
		var err error
		if it.digest, err = r.digest(it); err != nil {
			return err
		}
	}
	return nil
}

func takenBy(it, other *oldItem) error {
	return fault.Errorf(fault.Conflict, it.name, "it would become %s, and so does %s", it.target, other.name).
		WithNext("convert it by itself under another key: --course " + it.name + " --run NAME")
}

// digest is of everything that a course is made of. Structures and definitions never change (SP-8), so the heads stand for
// them.
func (r *oldReader) digest(it *oldItem) (string, error) {
	h := sha256.New()
	if it.shape != nil {
		blocks, err := r.olds.Digest(it.shape)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, "blocks", blocks)
		h.Write(gridfs.XML(it.metadata))
	} else {
		for _, head := range it.index.Heads() {
			fmt.Fprintln(h, head.Branch, head.ID)
		}
	}
	for _, f := range it.files {
		fmt.Fprintln(h, "file", f.Digest())
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// oldStore is the content of some of them, in temporary storage.
type oldStore struct {
	mu    sync.Mutex // guards the two stores, which are for one goroutine at a time
	olds  *oldmongo.Store
	split *split.Store
	bytes *gridfs.Bytes // nil without files
	host  string
	r     *oldReader
}

// read fetches the content of courses.
func (r *oldReader) read(ctx context.Context, items []*oldItem) (s *oldStore, err error) {
	s = &oldStore{olds: r.olds, host: r.o.Host, r: r}
	if r.o.History && r.histories == nil && slices.ContainsFunc(items, func(it *oldItem) bool { return it.index != nil }) {
		r.o.Progress.begin("reading the history")
		if r.histories, err = split.ReadHistories(ctx, r.src, r.unreadable); err != nil {
			return nil, err
		}
	}
	var versions []modulestore.ID
	var files []*gridfs.File
	for _, it := range items {
		if it.index != nil {
			for _, head := range it.index.Heads() {
				versions = append(versions, head.ID)
			}
			if r.o.History {
				it.remember(r.histories, r.o.Depth)
			}
			for _, v := range it.past {
				versions = append(versions, v.ID)
			}
		}
		for _, f := range it.files {
			if f.Category != "thumbnail" && !f.IsJunk() {
				files = append(files, f)
			}
		}
	}
	r.o.Progress.begin("reading versions")
	if s.split, err = split.Read(ctx, r.src, versions, r.unreadable); err != nil {
		return nil, err
	}
	if r.o.NoFiles {
		return s, nil
	}
	r.o.Progress.begin("reading files")
	if s.bytes, err = gridfs.Fetch(ctx, r.src, unique(files), r.unreadable); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// unique leaves out files that several runs share.
func unique(files []*gridfs.File) []*gridfs.File {
	seen := make(map[*gridfs.File]bool, len(files))
	return slices.DeleteFunc(files, func(f *gridfs.File) bool {
		twice := seen[f]
		seen[f] = true
		return twice
	})
}

func (s *oldStore) close() error {
	err := s.split.Close()
	if s.bytes != nil {
		err = errors.Join(err, s.bytes.Close())
	}
	return err
}

// load reads a course. Its files are not in it yet, as their keys follow from the course's.
func (s *oldStore) load(it *oldItem) (convert.Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := convert.Source{Name: it.name, Host: s.host}
	out.Problems.Merge(it.problems)
	if it.shape != nil {
		c, err := s.olds.Load(it.shape)
		if err != nil {
			return out, err
		}
		out.Old, out.Run, out.Draft, out.Published, out.AssetsXML = it.shape.Of, it.shape.Run, c.Draft, c.Published, gridfs.XML(it.metadata)
		return out, nil
	}
	out.Key = it.index.Key
	loaded := map[modulestore.ID]*split.Loaded{}
	for _, head := range it.index.Heads() {
		b := loaded[head.ID]
		if b == nil {
			var err error
			if b, err = s.split.Load(it.index.Key, head.ID); fault.Is(err, fault.NotFound) {
				err = cmp.Or(s.r.broken(modulestore.CollectionStructures), err)
			}
			if err != nil {
				return out, err
			}
			loaded[head.ID] = b
			out.Problems.Merge(b.Structure)
			out.Problems.Merge(b.Content)
			if n := b.Content.Count(modulestore.MissingDefinition); n > 0 && !s.r.o.Lenient {
				if err := s.r.broken(modulestore.CollectionDefinitions); err != nil {
					return out, err
				}
				return out, fault.Errorf(fault.Invalid, it.name, "%d blocks have lost their definitions, %s is one of them (SP-20)", n, firstOf(b.Content, modulestore.MissingDefinition)).
					WithNext("dump the site again, or convert what is there with --lenient")
			}
		}
		switch head.Branch {
		case split.PublishedBranch:
			out.Published = b.Branch
		case split.LibraryBranch:
			out.Draft, out.Published = b.Branch, b.Branch
		default:
			out.Draft = b.Branch
		}
		if head.Branch != split.PublishedBranch || out.AssetsXML == nil {
			out.AssetsXML = gridfs.XML(b.Assets)
		}
	}
	if out.Draft == nil {
		out.Draft = out.Published
	}
	return out, nil
}

// convert makes of a course what it is in a store of today, with its files. Its key is that of the options; where they have none its
// own with another run, if one is given.
func (s *oldStore) convert(it *oldItem, o convert.Options, run string) (src convert.Source, files *gridfs.Made, res *convert.Result, err error) {
	if src, err = s.load(it); err != nil {
		return src, nil, nil, err
	}
	key := it.target
	if key.IsZero() { // which only the converter can tell
		first, err := convert.Convert(src, o)
		if err != nil {
			return src, nil, nil, err
		}
		if key = first.Key; run != "" {
			if key, err = keys.NewCourse(key.Org(), key.Code(), run); err != nil {
				return src, nil, nil, fault.Errorf(fault.Usage, "--run", "%w", err)
			}
			o.To = key
		}
	}
	files = gridfs.Assets(nil, key, nil)
	if s.bytes != nil {
		files = gridfs.Assets(it.files, key, s.bytes)
	}
	src.Assets = files.Assets
	src.Problems.Merge(files.Problems)
	res, err = convert.Convert(src, o)
	return src, files, res, err
}

// firstOf says where something was met first.
func firstOf(t modulestore.Tally, rule modulestore.Rule) string {
	for _, p := range t.Problems() {
		if p.Rule == rule {
			return p.First
		}
	}
	return ""
}
