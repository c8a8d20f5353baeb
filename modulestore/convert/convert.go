package convert

import (
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
)

// Source is a course or library of an old store, read.
type Source struct {
	// Name is the key that the old site knows it by: ORG/COURSE/RUN, course-v1:…, library-v1:….
	Name string
	// Old and Run name a course of the old store, which knows no key of today; both are empty for the versioned store.
	Old modulestore.OldCourse
	Run string
	// Key names a course or library of the versioned store.
	Key keys.Course
	// Draft and Published are the two views. A library, or a course with one branch, has the same one twice; Published is
	// nil where nothing was ever published.
	Draft, Published *modulestore.Branch
	// Assets are the static files, sorted by path. They go into the state as they are.
	Assets []*courseware.Asset
	// AssetsXML is the older form of asset metadata, nil for none (olx.md §1.13).
	AssetsXML []byte
	// Host is the host name of the old site, so that absolute links into it are found; "" where it is not known.
	Host string
	// Problems is what reading found wrong already; it goes into the report.
	Problems modulestore.Tally
}

// isOld reports whether the source is a course of the old store.
func (s *Source) isOld() bool { return s.Old != modulestore.OldCourse{} }

// Options say what a conversion makes.
type Options struct {
	// To is the key of the result; zero stands for the key that follows from the source's (modulestore.md §5.3), which for
	// the versioned store is its own.
	To keys.Course
	// RemapWiki gives a wiki with the usual name of the source that of the result, instead of leaving both courses at one
	// wiki (modulestore.md §5.5).
	RemapWiki bool
}

// Mapping is one line of the key map: what a thing was called and is called now (CV-7). Of one kind of key no two lines
// have the same Old, nor the same New.
type Mapping struct {
	Old    string `json:"old"`
	New    string `json:"new"`
	View   string `json:"view"`   // "draft", "published" or "both"
	Reason string `json:"reason"` // one of the Reason constants
}

// Result is what a conversion makes.
type Result struct {
	Key   keys.Course
	State courseware.State
	// DraftsOnly says that the source was never published: State.Published holds its drafts, and an import must leave the
	// published branch alone.
	DraftsOnly bool
	Keys       []Mapping // ordered by kind, then by Old
	Report     Report
	// Written and WrittenDrafts say who wrote the blocks of State.Published and State.Draft in the old store, and when; what that does
	// not know is not there. The latter is nil where both are one tree.
	Written, WrittenDrafts map[courseware.BlockID]Written
}

// Written is who wrote a block when.
type Written struct {
	On time.Time
	By *int64 // a user of the old site, nil where nobody is known
}

// Convert makes the state, the key map and the report of a source. It fails with fault.Invalid where the source has no
// root or its key cannot become one of today, with fault.Refused where a key would be too long (CV-5) or a key of the old form
// is asked for (CV-8), and with the error of temporary storage.
func Convert(src Source, o Options) (*Result, error) {
	key, err := target(&src, o)
	if err != nil {
		return nil, err
	}
	if src.Draft == nil || src.Draft.Block(src.Draft.Root) == nil {
		return nil, noRoot(src.Name)
	}
	c := newConverter(&src, o, key)
	if err := c.ids.check(); err != nil {
		return nil, err
	}
	draft, err := c.view(viewDraft, src.Draft)
	if err != nil {
		return nil, err
	}
	r := &Result{Key: key}
	both := draft
	switch src.Published {
	case nil:
		r.State.Published, r.DraftsOnly = draft, true
	case src.Draft:
		r.State.Published = draft
	default:
		if r.State.Published, err = c.view(viewPublished, src.Published); err != nil {
			return nil, err
		}
		c.pagesInBoth(draft, r.State.Published)
		if share(draft, r.State.Published) {
			draft = nil
		}
		r.State.Draft = draft
	}
	c.written(r, both)
	r.Keys = c.mappings()
	r.Report = c.finish(r)
	return r, nil
}

// share lets two trees share the blocks that say the same, and reports whether that is all of them.
func share(draft, published *courseware.Course) (all bool) {
	all = len(draft.Blocks) == len(published.Blocks) && string(draft.GradingPolicy) == string(published.GradingPolicy)
	for id, b := range draft.Blocks {
		switch p := published.Blocks[id]; {
		case p != nil && p.Equal(b):
			draft.Blocks[id] = p
		default:
			all = false
		}
	}
	return all
}

// written says who wrote the blocks. What is published word for word from a draft was written when the draft was.
func (c *converter) written(r *Result, draft *courseware.Course) {
	drafts := c.writers(c.src.Draft)
	switch {
	case c.src.Published == nil || c.src.Published == c.src.Draft:
		r.Written = drafts
		return
	default:
		r.Written = c.writers(c.src.Published)
	}
	for id, w := range drafts {
		b := r.State.Published.Blocks[id]
		if p, known := r.Written[id]; b != nil && b == draft.Blocks[id] && (!known || w.On.Before(p.On)) {
			r.Written[id] = w
		}
	}
	if r.State.Draft != nil {
		r.WrittenDrafts = drafts
	}
}

// writers says who wrote the blocks of a view. Before 2014 only who published them was kept (OM-24).
func (c *converter) writers(branch *modulestore.Branch) map[courseware.BlockID]Written {
	out := make(map[courseware.BlockID]Written, branch.Len())
	for b := range branch.Blocks() {
		w := Written{b.Edit.On, b.Edit.By}
		if w.On.IsZero() {
			w = Written{b.Edit.PublishedOn, b.Edit.PublishedBy}
		}
		if !w.On.IsZero() {
			out[c.ids.of[b.ID].id] = w
		}
	}
	return out
}
