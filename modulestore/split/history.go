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
}

// Histories knows what follows what among the structures of a source. It keeps some sixty bytes of each.
type Histories struct {
	versions map[modulestore.ID]link
}

type link struct {
	previous modulestore.ID
	on       time.Time
	by       *int64
}

// ReadHistories reads the structures of a source without their blocks. bad is as in [modulestore.Pass].
func ReadHistories(ctx context.Context, src modulestore.Source, bad func(collection string, err error) error) (*Histories, error) {
	h := &Histories{versions: map[modulestore.ID]link{}}
	err := src.Scan(ctx, modulestore.Pass{
		Want: func(collection string) bool { return collection == modulestore.CollectionStructures }, Bad: bad,
		Doc: func(_ string, d bson.Doc) error {
			l := link{previous: modulestore.IDOf(d.Lookup("previous_version")), by: modulestore.Person(d.Lookup("edited_by"))}
			l.on, _ = d.Lookup("edited_on").Time()
			h.versions[modulestore.IDOf(d.Lookup("_id"))] = l
			return nil
		},
	})
	return h, err
}

// Of returns the versions that led to a head, which is the last of them, oldest first: no more than depth where that is not
// 0. whole is false where the first of them follows one that is not in the source.
func (h *Histories) Of(head modulestore.ID, depth int) (list []Version, whole bool) {
	seen := map[modulestore.ID]bool{}
	for id := head; !id.IsZero() && !seen[id]; {
		l, there := h.versions[id]
		if !there {
			slices.Reverse(list)
			return list, false
		}
		seen[id] = true
		list = append(list, Version{id, l.on, l.by})
		if id = l.previous; len(list) == depth {
			break
		}
	}
	slices.Reverse(list)
	return list, true
}
