package split

import (
	"context"
	"slices"
	"time"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// Version is one structure of a branch.
type Version struct {
	ID modulestore.ID
	On time.Time
	By *int64 // nil where nothing is known; some are negative (OM-16)
	// Removed is how many versions before this one were pruned, as a note says (PR-8); 0 where there is none.
	Removed int
}

// Histories knows what follows what among the structures of a source. It keeps some sixty bytes of each.
type Histories struct {
	versions map[modulestore.ID]link
	cuts     map[modulestore.ID]cut
}

// cut is a note of ours about versions that were pruned before a structure (PR-8).
type cut struct {
	before  modulestore.ID // what the history goes on with
	removed int
}

type link struct {
	previous modulestore.ID
	on       time.Time
	by       *int64
}

// ReadHistories reads the structures of a source without their blocks. bad is as in [modulestore.Pass].
func ReadHistories(ctx context.Context, src modulestore.Source, bad func(collection string, err error) error) (*Histories, error) {
	h := &Histories{versions: map[modulestore.ID]link{}, cuts: map[modulestore.ID]cut{}}
	err := src.Scan(ctx, modulestore.Pass{
		Want: func(collection string) bool {
			return collection == modulestore.CollectionStructures || collection == modulestore.CollectionCuts
		},
		Bad: bad,
		Doc: func(collection string, d bson.Doc) error {
			if collection == modulestore.CollectionCuts {
				n, _ := d.Lookup("removed").Int()
				h.cuts[modulestore.IDOf(d.Lookup("_id"))] = cut{modulestore.IDOf(d.Lookup("before")), int(n)}
				return nil
			}
			l := link{previous: modulestore.IDOf(d.Lookup("previous_version")), by: modulestore.Person(d.Lookup("edited_by"))}
			l.on, _ = d.Lookup("edited_on").Time()
			h.versions[modulestore.IDOf(d.Lookup("_id"))] = l
			return nil
		},
	})
	return h, err
}

// Of returns the versions that led to a head, which is the last of them, oldest first: no more than depth where that is not
// 0. whole is false where the first of them follows one that is not in the source, and where versions between them were pruned.
func (h *Histories) Of(head modulestore.ID, depth int) (list []Version, whole bool) {
	seen, gaps := map[modulestore.ID]bool{}, false
	for id := head; !id.IsZero() && !seen[id]; {
		l, there := h.versions[id]
		if !there {
			slices.Reverse(list)
			return list, false
		}
		seen[id] = true
		v := Version{ID: id, On: l.on, By: l.by}
		if _, there := h.versions[l.previous]; !there && !l.previous.IsZero() {
			if c, noted := h.cuts[id]; noted {
				l.previous, v.Removed = c.before, c.removed
			}
		}
		list = append(list, v)
		if id = l.previous; len(list) == depth {
			break
		}
		gaps = gaps || v.Removed > 0
	}
	slices.Reverse(list)
	return list, !gaps
}
