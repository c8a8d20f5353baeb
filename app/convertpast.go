package app

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/conversion"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/convert"
	"github.com/openlectern/lectern/modulestore/split"
	"github.com/openlectern/lectern/user"
)

// pastVersion is a version of one branch of a course.
type pastVersion struct {
	split.Version
	branch string
}

// remember finds the versions that led to a course, oldest first. Those of before there was the course are of one that it
// is a re-run of, whose last is what it began with (SP-10).
func (it *oldItem) remember(h *split.Histories, depth int) {
	it.past = nil
	for _, head := range it.index.Heads() {
		list, whole := h.Of(head.ID, depth)
		if !whole {
			it.problems.Add(modulestore.TruncatedHistory, head.Branch)
		}
		began := it.index.EditedOn
		own := 0
		for own+1 < len(list) && !list[own+1].On.After(began) {
			own++
		}
		for i, v := range list[min(own, len(list)):] {
			if i == 0 && v.On.Before(began) {
				v.On = began
			}
			it.past = append(it.past, pastVersion{v, head.Branch})
		}
	}
	// What is published comes from the drafts of the same moment.
	slices.SortStableFunc(it.past, func(x, y pastVersion) int {
		return cmp.Or(x.On.Compare(y.On), cmp.Compare(x.branch, y.branch))
	})
}

// late reports whether a course is here without the history that is asked for: it was converted in another way, and there was
// nothing of it when the history begins.
func (c *conversions) late(ctx context.Context, q db.Querier, it *oldItem, was conversion.Conversion) (bool, error) {
	if was.Options == c.o.digest() || len(it.past) == 0 {
		return false, nil
	}
	began := it.past[0].On
	log, err := publishing.LogAt(ctx, q, was.Package, false, began)
	if err != nil || log != 0 {
		return false, err
	}
	if err := publishing.CheckKeptAt(ctx, q, was.Package, false, log, began); err != nil {
		return false, nil // it was there, and was pruned
	}
	return true, nil
}

// unmake takes a course away that is to be made anew. What people have named in its history would lose its meaning.
func (c *conversions) unmake(ctx context.Context, tx *db.Tx, key keys.Course) error {
	old, err := course.Find(ctx, tx, key)
	if err != nil {
		return err
	}
	labels, err := old.Labels(ctx, tx)
	if err != nil {
		return err
	}
	if len(labels) > 0 {
		noun := "course"
		if key.IsLibrary() {
			noun = "library"
		}
		return fault.Errorf(fault.Conflict, key.String(), "it was converted without this history, and %q is a label of one of its moments: it cannot be made anew", labels[0].Name).
			WithNext("remove the labels with: lectern " + noun + " label " + key.String() + " --remove NAME; or leave --history out")
	}
	return old.Unmake(ctx, tx)
}

// authors returns which editors of versions there are here.
func (c *conversions) authors(ctx context.Context, it *oldItem) (map[int64]bool, error) {
	var ids []int64
	for _, v := range it.past {
		if v.By != nil {
			ids = append(ids, *v.By)
		}
	}
	return c.known(ctx, ids)
}

// known returns which people of the old site there are here under the same number, as there are where Lectern works in the
// site's own database.
func (c *conversions) known(ctx context.Context, people []int64) (map[int64]bool, error) {
	slices.Sort(people)
	var ids []user.ID
	for _, id := range slices.Compact(people) {
		if id > 0 {
			ids = append(ids, user.ID(id))
		}
	}
	names, err := user.Names(ctx, c.app.DB, ids)
	known := make(map[int64]bool, len(names))
	for id := range names {
		known[int64(id)] = true
	}
	return known, err
}

// SkippedVersion is a version of an old site that did not become history.
type SkippedVersion struct {
	Structure string `json:"structure"`
	Branch    string `json:"branch"`
	Reason    string `json:"reason"`
}

// past yields the states of a course, each read and converted when its turn comes. A version in a form that is not read (SP-17), one that
// cannot be made into a course and one of which something is lost is passed over, and told of.
func (c *conversions) past(store *oldStore, it *oldItem, m *made, known map[int64]bool) iter.Seq2[course.Past, error] {
	return func(yield func(course.Past, error) bool) {
		var last time.Time
		reader := store.split.Past(it.index.Key)
		maker, err := convert.NewPast(convert.Source{Name: it.name, Key: it.index.Key, Assets: m.src.Assets, Host: m.src.Host},
			convert.Options{To: m.res.Key, RemapWiki: c.o.RemapWiki})
		if err != nil {
			yield(course.Past{}, err)
			return
		}
		it.out.Skipped = nil // of a transaction that runs again
		for _, v := range it.past {
			tree, err := c.pastTree(store, reader, maker, v)
			if fault.Is(err, fault.Invalid) || fault.Is(err, fault.Refused) { // that the head is neither has been seen before
				it.out.Skipped = append(it.out.Skipped, SkippedVersion{v.ID.String(), v.branch, err.Error()})
				continue
			}
			p := pastState(tree, known, v)
			// Two logs of one moment would not be told apart by time. The store's times are a millisecond apart at least.
			const step = 10 * time.Microsecond
			if p.At = v.On; !p.At.After(last) {
				p.At = last.Add(step)
			}
			last = p.At
			both := v.branch == split.LibraryBranch
			if !yield(p, err) || err != nil {
				return
			}
			if both {
				p.Published, p.At = true, p.At.Add(time.Microsecond)
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// pastTree reads and converts a version. One that has to be passed over is Invalid or Refused.
func (c *conversions) pastTree(store *oldStore, reader *split.Past, maker *convert.Past, v pastVersion) (*courseware.Course, error) {
	store.mu.Lock()
	branch, lost, err := reader.Load(v.branch, v.ID)
	store.mu.Unlock()
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, fault.Errorf(fault.Invalid, v.ID.String(), "it is not in the source any more, or cannot be read")
	case err != nil:
		return nil, err
	case len(lost) > 0 && !c.o.Lenient:
		return nil, fault.Errorf(fault.Invalid, v.ID.String(), "%d blocks have lost their definitions, %s is one of them (SP-20)", len(lost), lost[0])
	}
	return maker.Convert(branch)
}

// pastState is the state that a version was.
func pastState(tree *courseware.Course, known map[int64]bool, v pastVersion) course.Past {
	p := course.Past{Message: fmt.Sprintf("structure %s", v.ID), Published: v.branch == split.PublishedBranch, State: tree}
	switch {
	case v.By == nil:
	case known[*v.By]:
		p.By = publishing.UserID(*v.By)
	default:
		p.Message += fmt.Sprintf(", by user %d of the old site", *v.By)
	}
	return p
}
