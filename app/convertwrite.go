package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/conversion"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/convert"
	"github.com/openlectern/lectern/modulestore/gridfs"
)

// made is a course as it is to be written.
type made struct {
	src   convert.Source
	res   *convert.Result
	files *gridfs.Made
	im    course.Import
	saved savedReport
	text  json.RawMessage               // saved, as it is kept
	past  iter.Seq2[course.Past, error] // nil without history
}

// course converts one course and writes it.
func (c *conversions) course(ctx context.Context, store *oldStore, it *oldItem) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m, err := c.make(ctx, store, it)
	if err != nil {
		return err
	}
	out := it.out
	out.Course, out.Made, out.Left, out.Thumbnails = m.res.Key.String(), &m.saved.Made, m.files.Left, m.files.Thumbnails
	var report *course.Report
	var differences []convert.Difference
	var wrote bool
	if c.o.History && it.index != nil { // the old store keeps none
		known, err := c.authors(ctx, it)
		if err != nil {
			return err
		}
		m.past = c.past(store, it, m, known)
	}
	err = c.app.make(ctx, func(tx *db.Tx, files media.Files) (err error) {
		report, differences, wrote, err = c.write(ctx, tx, files, it, m)
		return err
	})
	if errors.Is(err, db.ErrForeignKey) { // at the statement, or where an engine looks at the end
		err = fault.Errorf(fault.Conflict, m.res.Key.String(), "it would be made anew, to have its history, and tables that are not Lectern's name what is there: %w", err).
			WithNext("delete those rows first, or leave --history out")
	}
	out.Differences = differences
	if err != nil {
		return err
	}
	out.Report, out.Status = c.app.forgetReport(report), CourseConverted
	if !wrote {
		out.Status = CourseUnchanged
	}
	out.KeyMap, err = c.app.writeKeyMap(c.o.KeyMaps, len(c.reader.items), out.Course, func(yield func(conversion.Key) error) error {
		for _, k := range m.res.Keys {
			if err := yield(conversion.Key(k)); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// make makes of a course what is to be written.
func (c *conversions) make(ctx context.Context, store *oldStore, it *oldItem) (*made, error) {
	m := &made{}
	var err error
	if m.src, m.files, m.res, err = store.convert(it, convert.Options{To: c.target(it), RemapWiki: c.o.RemapWiki}, c.o.Run); err != nil {
		return nil, err
	}
	old := make(map[string]string, len(m.files.Keys))
	for _, k := range m.files.Keys {
		old[k.New] = k.Old
	}
	for i, k := range m.res.Keys { // a file that got another name is known by its first one
		if was, ok := old[k.New]; ok {
			m.res.Keys[i].Old = was
		}
	}
	m.saved = newSavedReport(m.res.State, m.files.Left, m.res.Report)
	if m.text, err = json.Marshal(m.saved); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	m.im = course.Import{Key: m.res.Key, State: m.res.State, By: c.app.By, Message: c.o.Message, Source: it.name, DraftsOnly: m.res.DraftsOnly, KeepAssets: c.o.NoFiles}
	if err := c.sign(ctx, m); err != nil {
		return nil, err
	}
	return m, m.im.Prepare(ctx)
}

// sign says who wrote the blocks, where they are known here.
func (c *conversions) sign(ctx context.Context, m *made) error {
	var ids []int64
	for _, views := range [...]map[courseware.BlockID]convert.Written{m.res.Written, m.res.WrittenDrafts} {
		for _, w := range views {
			if w.By != nil {
				ids = append(ids, *w.By)
			}
		}
	}
	known, err := c.known(ctx, ids)
	if err != nil {
		return err
	}
	of := func(views map[courseware.BlockID]convert.Written) map[courseware.BlockID]course.Wrote {
		out := make(map[courseware.BlockID]course.Wrote, len(views))
		for id, w := range views {
			x := course.Wrote{At: w.On}
			if w.By != nil && known[*w.By] {
				x.By = publishing.UserID(*w.By)
			}
			out[id] = x
		}
		return out
	}
	m.im.Written, m.im.WrittenDrafts = of(m.res.Written), of(m.res.WrittenDrafts)
	return nil
}

// target is the key that the converter is told, none for the one that it would choose.
func (c *conversions) target(it *oldItem) keys.Course {
	if c.o.To.IsZero() && c.o.Run == "" {
		return keys.Course{}
	}
	return it.target
}

// write brings a course in and remembers what it was made of. wrote is false where it was there as it is.
func (c *conversions) write(ctx context.Context, tx *db.Tx, files media.Files, it *oldItem, m *made) (report *course.Report, differences []convert.Difference, wrote bool, err error) {
	key := m.res.Key.String()
	was, known, err := conversion.Find(ctx, tx, key)
	if err != nil {
		return nil, nil, false, err
	}
	late := false
	if known && m.past != nil {
		if late, err = c.late(ctx, tx, it, was); err != nil {
			return nil, nil, false, err
		}
	}
	if err := c.mayReplace(ctx, tx, it, key, was, known, late); err != nil {
		return nil, nil, false, err
	}
	if late {
		if err := c.unmake(ctx, tx, m.res.Key); err != nil {
			return nil, nil, false, err
		}
		known = false
	}
	if m.past != nil {
		report, it.out.Moments, err = m.im.RunAfter(ctx, tx, files, m.past)
	} else {
		report, err = m.im.Run(ctx, tx, files)
	}
	if err != nil {
		return nil, nil, false, err
	}
	made, err := course.Find(ctx, tx, m.res.Key)
	if err != nil {
		return nil, nil, false, err
	}
	if c.o.Verify {
		if differences, err = c.verify(ctx, tx, files, made, m); err != nil {
			return nil, differences, false, err
		}
	}
	now := conversion.Conversion{Package: made.Package.ID, Source: it.name, Store: it.store, Target: key, Digest: it.digest, Options: c.o.digest(), Report: m.text, By: c.app.By}
	if m.incomplete() { // to be looked at again whatever the source says
		now.Digest = strings.Repeat("0", len(it.digest))
	}
	if known && was.Digest == now.Digest && was.Options == now.Options && report.ChangeLog == nil && report.PublishLog == nil && report.DraftsLog == nil {
		return report, differences, false, nil
	}
	_, err = conversion.Save(ctx, tx, now, func(yield func(conversion.Key) bool) {
		for _, k := range m.res.Keys {
			if !yield(conversion.Key(k)) {
				return
			}
		}
	})
	return report, differences, true, err
}

// incomplete reports whether another look at the same source may find more.
func (m *made) incomplete() bool {
	return m.src.Problems.Count(modulestore.BadFile) > 0 || m.src.Problems.Count(modulestore.MissingDefinition) > 0
}

// mayReplace refuses to write over what was not made of the same source, or was edited since. What was edited is lost where the
// course is made anew, so that is never done.
func (c *conversions) mayReplace(ctx context.Context, tx *db.Tx, it *oldItem, key string, was conversion.Conversion, known, anew bool) error {
	if !known {
		exists, err := packageExists(ctx, tx, key)
		if err == nil && exists {
			err = fault.Errorf(fault.Conflict, key, "it exists, and was not made of %s", it.name).WithNext("convert under another key, with --to or --run")
		}
		return err
	}
	if was.Source != it.name || was.Store != it.store {
		return fault.Errorf(fault.Conflict, key, "it exists, and was made of %s, not of %s", was.Source, it.name).
			WithNext("convert under another key, with --to or --run")
	}
	edited, err := was.Edited(ctx, tx)
	if err == nil && edited && anew {
		return fault.Errorf(fault.Conflict, key, "it was converted without this history and edited here since: history does not go in before what was edited").
			WithNext("look at what was edited with: lectern course history " + key + "; leave --history out, or convert it beside under another key, with --run or --to")
	}
	if err == nil && edited && !c.o.Overwrite {
		err = fault.Errorf(fault.Conflict, key, "the old site has changed %s, and it was edited here since it was converted", it.name).
			WithNext("look at what was edited with: lectern course history " + key + "; write over it with --overwrite")
	}
	return err
}

// verify reads back what was written and compares it with the source (CV-35). Differences that no rule allows are an error.
func (c *conversions) verify(ctx context.Context, tx *db.Tx, files media.Files, made *course.Course, m *made) ([]convert.Difference, error) {
	got, err := made.LoadState(ctx, tx, files)
	if err != nil {
		return nil, err
	}
	differences := convert.Compare(m.src, m.res, got)
	if !c.o.NoFiles {
		more, err := compareFiles(ctx, m.src.Assets, got)
		if err != nil {
			return differences, err
		}
		differences = append(differences, more...)
	}
	for _, d := range differences {
		if d.Waived == "" {
			return differences, fault.Errorf(fault.Invalid, made.Key.String(), "what was written is not what was read: %s %s: %s is %q and was %q (CV-35)", d.View, d.Block, d.What, d.Is, d.Was).
				WithNext("nothing of the course was kept; please report it with the course")
		}
	}
	return differences, nil
}

// compareFiles compares static files byte by byte, by their digests.
func compareFiles(ctx context.Context, want []*courseware.Asset, got courseware.State) (out []convert.Difference, err error) {
	now := got.Published.Assets
	if got.Draft != nil {
		now = got.Draft.Assets
	}
	have := make(map[string]*courseware.Asset, len(now))
	for _, a := range now {
		have[a.Path] = a
	}
	tell := func(a *courseware.Asset, what, was, is string) {
		out = append(out, convert.Difference{View: "draft", Block: "static/" + a.Path, What: what, Was: was, Is: is})
	}
	for _, a := range want {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		b := have[a.Path]
		delete(have, a.Path)
		if b == nil {
			tell(a, "file", a.EntryKey, "")
			continue
		}
		if !bytes.Equal(a.Entry, b.Entry) {
			tell(a, "entry", string(a.Entry), string(b.Entry))
		}
		was, err := fileDigest(a)
		if err != nil {
			return out, err
		}
		is, err := fileDigest(b)
		if err != nil {
			return out, err
		}
		if was != is {
			tell(a, "digest", was, is)
		}
	}
	for _, a := range now {
		if have[a.Path] != nil {
			tell(a, "file", "", a.EntryKey)
		}
	}
	return out, nil
}

func fileDigest(a *courseware.Asset) (digest string, err error) {
	if a.Open == nil {
		return "", nil
	}
	r, err := a.Open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	digest, _, err = media.Digest(r)
	return digest, err
}

// writeKeyMap writes the map of keys of a course as CSV and returns the file, "" where none is wanted. to is a folder, which is
// made, or the file itself where it ends in .csv and there is one course.
func (a *App) writeKeyMap(to string, courses int, key string, each func(yield func(conversion.Key) error) error) (file string, err error) {
	if to == "" || a.dryRun {
		return "", nil
	}
	if file = to; !strings.HasSuffix(to, ".csv") {
		if err := os.MkdirAll(to, 0o777); err != nil { //nolint:gosec // as any folder that a command makes
			return "", fault.Errorf(fault.Unavailable, to, "cannot be made: %w", err)
		}
		file = filepath.Join(to, mapName(key))
	} else if courses > 1 {
		return "", fault.Errorf(fault.Usage, "--key-map", "%d maps do not go into one file", courses).WithNext("name a folder")
	}
	w, err := createWhole(file, false)
	if err != nil {
		return "", err
	}
	out := csv.NewWriter(w)
	err = out.Write([]string{"old_key", "new_key", "view", "reason"})
	if err == nil {
		err = each(func(k conversion.Key) error { return out.Write([]string{k.Old, k.New, k.View, k.Reason}) })
	}
	if out.Flush(); err == nil {
		err = out.Error()
	}
	if err != nil {
		return "", errors.Join(err, w.discard())
	}
	return file, w.commit()
}

// mapName is the name of a file for a course. Keys that give one name are told apart by a digest.
func mapName(key string) string {
	plain := strings.TrimPrefix(strings.TrimPrefix(key, "course-v1:"), "library-v1:")
	name := plainName(plain)
	if name != plain || strings.HasPrefix(key, "library-v1:") {
		sum := sha256.Sum256([]byte(key))
		name += "-" + hex.EncodeToString(sum[:3])
	}
	return name + ".csv"
}
