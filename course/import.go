package course

import (
	"context"
	"time"

	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/keys"
)

// Import says what to bring into which course.
type Import struct {
	Key   keys.Course
	State courseware.State
	By    publishing.UserID
	// Kind is what history calls the logs; the zero value is an import.
	Kind    publishing.Kind
	Message string
	Source  string // where the content came from, for history
	// DraftsOnly leaves the published branch as it is.
	DraftsOnly bool
	// KeepAssets keeps static files that the source lacks.
	KeepAssets bool
	// Written and WrittenDrafts say who wrote blocks where they come from, of what is published and of the drafts: their versions
	// say so, too. Blocks that are not there are written now, by By.
	Written, WrittenDrafts map[courseware.BlockID]Wrote
	// Progress is called as new versions are written; may be nil.
	Progress func(done, total int)

	published, drafts *tree  // of State, by Prepare
	digest            string // of them and the options
}

// Wrote is who wrote a block when. A moment after that of the import is none.
type Wrote struct {
	At time.Time
	By publishing.UserID // 0 for nobody known here
}

// Prepare does what depends on State alone: it encodes the blocks and reads the static files for their digests. Called
// before the transaction it keeps that short, and is not done again when the transaction is; [Import.Run] does it where
// the caller has not.
func (im *Import) Prepare(ctx context.Context) (err error) {
	if im.published, err = want(ctx, im.State.Published); err != nil {
		return err
	}
	im.published.sign(im.Written)
	im.drafts = im.published
	if im.State.Draft != nil {
		if im.drafts, err = want(ctx, im.State.Draft); err != nil {
			return err
		}
		im.drafts.sign(im.WrittenDrafts)
	}
	im.digest = im.sum()
	return nil
}

// Report counts what an import did. Blocks are counted once each, as drafts; static files apart.
type Report struct {
	Course     string      `json:"course"`
	Created    int         `json:"created"`
	Changed    int         `json:"changed"`
	Moved      int         `json:"moved"`
	Deleted    int         `json:"deleted"`
	Unchanged  int         `json:"unchanged"`
	Assets     AssetReport `json:"assets"`
	ChangeLog  *int64      `json:"change_log"`
	DraftsLog  *int64      `json:"drafts_log"`
	PublishLog *int64      `json:"publish_log"`
}

// Forget takes the log ids out of a report whose changes were not committed, or are gone.
func (r *Report) Forget() { r.ChangeLog, r.DraftsLog, r.PublishLog = nil, nil, nil }

// AssetReport counts static files.
type AssetReport struct {
	Created   int `json:"created"`
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"`
	Deleted   int `json:"deleted"`
	Kept      int `json:"kept"`
}

// Run brings the course to the state wanted, as a difference: blocks that are as wanted get no new version, and when
// nothing differs nothing is written (design.md §4, olx.md §2.3). The published tree is written as drafts and published,
// then the draft tree is written as drafts. The same import again, with no other change between, is known by its digest
// and reads nothing of the course.
func (im Import) Run(ctx context.Context, tx *db.Tx, files media.Files) (*Report, error) {
	if im.drafts == nil {
		if err := im.Prepare(ctx); err != nil {
			return nil, err
		}
	}
	if im.Kind == "" {
		im.Kind = publishing.KindImport
	}
	root := im.published.nodes[im.published.root]
	language, _ := im.State.Published.Blocks[im.State.Published.Root].Fields.Text("language")
	c, _, err := ensure(ctx, tx, im.Key, root.title, language, im.By)
	if err != nil {
		return nil, err
	}
	if err := publishing.Lock(ctx, tx, c.Package.ID); err != nil {
		return nil, err
	}
	if kept, again, err := im.again(ctx, tx, c); err != nil || again {
		return im.unchanged(c, kept), err
	}
	report, err := im.bring(ctx, tx, files, c)
	if err == nil && (report.ChangeLog != nil || report.DraftsLog != nil || report.PublishLog != nil) {
		err = im.remember(ctx, tx, c, report.Assets.Kept)
	}
	return report, err
}

// bring writes what differs.
func (im Import) bring(ctx context.Context, tx *db.Tx, files media.Files, c *Course) (*Report, error) {
	published, drafts := im.published, im.drafts
	wereDrafts, wasPublished, err := c.branches(ctx, tx)
	if err != nil {
		return nil, err
	}
	keep := map[string]bool{}
	if im.KeepAssets {
		keep = wereDrafts.refs(func(n *node) bool {
			_, isAsset := refAsset(n.ref)
			return isAsset && drafts.nodes[n.ref] == nil && published.nodes[n.ref] == nil
		})
		for ref := range wasPublished.refs(func(n *node) bool { _, ok := refAsset(n.ref); return ok }) {
			keep[ref] = keep[ref] || published.nodes[ref] == nil
		}
	}
	w := newWriter(tx, files, c)
	w.progress = im.Progress

	same := equal(drafts, wereDrafts, nil)
	report := count(wereDrafts, drafts, keep, same)
	report.Course = c.Key.String()
	if same && drafts == published && wereDrafts == wasPublished {
		return report, nil
	}
	current := wereDrafts
	if !im.DraftsOnly && !equal(published, wasPublished, keep) {
		if report.ChangeLog, err = im.change(ctx, w, 0, published, current, keep, wasPublished); err != nil {
			return nil, err
		}
		if report.PublishLog, err = im.publish(ctx, tx, c, keep); err != nil {
			return nil, err
		}
		if c.run != 0 {
			if err := catalog.Rename(ctx, tx, c.run, published.nodes[published.root].title); err != nil {
				return nil, err
			}
		}
		if drafts == published { // they are as wanted now
			return report, nil
		}
		if current, err = c.snapshot(ctx, tx, publishing.Draft()); err != nil {
			return nil, err
		}
	}
	if !equal(drafts, current, keep) {
		log, err := im.change(ctx, w, 2, drafts, current, keep, wereDrafts, wasPublished)
		if err != nil {
			return nil, err
		}
		if im.State.Draft != nil && !im.DraftsOnly {
			report.DraftsLog = log
		} else {
			report.ChangeLog = log
		}
	}
	return report, nil
}

// change writes one change log. The logs of one import are a microsecond apart, so that history lists them in the order
// they were made and a time between them means what it says.
func (im Import) change(ctx context.Context, w *writer, step time.Duration, want, current *tree, keep map[string]bool, others ...*tree) (*int64, error) {
	log, err := publishing.Change(ctx, w.tx, w.course.Package.ID,
		publishing.Meta{At: w.tx.Now().Add(step * time.Microsecond), By: im.By, Kind: im.Kind, Message: im.Message, Source: im.Source},
		func(cs *publishing.ChangeSet) error { return w.apply(ctx, cs, want, current, keep, others...) })
	if err != nil || log == nil {
		return nil, err
	}
	return &log.ID, nil
}

// publish publishes everything that differs, apart from static files that are merely kept.
func (im Import) publish(ctx context.Context, tx *db.Tx, c *Course, keep map[string]bool) (*int64, error) {
	pointers, err := publishing.AllPointers(ctx, tx, c.Package.ID)
	if err != nil {
		return nil, err
	}
	var chosen []publishing.EntityID
	for _, p := range pointers {
		if p.Unpublished() && !keep[p.Ref] {
			chosen = append(chosen, p.Entity)
		}
	}
	if len(chosen) == 0 {
		return nil, nil
	}
	log, err := publishing.Publish(ctx, tx, c.Package.ID, chosen, true,
		publishing.PublishMeta{At: tx.Now().Add(time.Microsecond), By: im.By, Kind: im.Kind, Message: im.Message, Source: im.Source})
	if err != nil {
		return nil, err
	}
	return &log.ID, nil
}

// count tells how the drafts change from one tree to another; same says that they do not.
func count(from, to *tree, keep map[string]bool, same bool) *Report {
	r := new(Report)
	touched := map[string]ChangeKind{}
	if !same {
		for _, d := range compare(from, to) {
			if was, seen := touched[d.ref]; !seen || was == Moved {
				touched[d.ref] = d.kind
			}
		}
	}
	for ref, kind := range touched {
		_, asset := refAsset(ref)
		switch {
		case asset && kind == Added:
			r.Assets.Created++
		case asset && kind == Removed && keep[ref]:
			r.Assets.Kept++
		case asset && kind == Removed:
			r.Assets.Deleted++
		case asset:
			r.Assets.Changed++
		case kind == Added:
			r.Created++
		case kind == Removed:
			r.Deleted++
		case kind == Changed:
			r.Changed++
		case kind == Moved:
			r.Moved++
		}
	}
	for ref := range to.nodes {
		if _, was := touched[ref]; was {
			continue
		}
		if _, asset := refAsset(ref); asset {
			r.Assets.Unchanged++
		} else {
			r.Unchanged++
		}
	}
	return r
}
