package collections

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// eventChange is what an event about a collection says (content-model.md §19).
type eventChange struct {
	ID               ID                    `json:"collection_id"`
	Code             string                `json:"collection_code"`
	Created          bool                  `json:"created"`
	MetadataModified bool                  `json:"metadata_modified"`
	Deleted          bool                  `json:"deleted"`
	Added            []publishing.EntityID `json:"entities_added"`
	Removed          []publishing.EntityID `json:"entities_removed"`
}

// tell leaves an event for each change, in order, made by one user.
func tell(ctx context.Context, tx *db.Tx, by publishing.UserID, changes ...Change) error {
	return tellBy(ctx, tx, func(Change) publishing.UserID { return by }, changes)
}

// createdEvents leaves the events of new collections: one that begins disabled has none.
func createdEvents(ctx context.Context, tx *db.Tx, changes []Change) error {
	var list []Change
	for _, ch := range changes {
		if ch.Created {
			list = append(list, ch)
		}
	}
	return tellBy(ctx, tx, func(ch Change) publishing.UserID { return ch.Collection.By }, list)
}

func tellBy(ctx context.Context, tx *db.Tx, by func(Change) publishing.UserID, changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	title, err := publishing.LockedTitle(ctx, tx, changes[0].Collection.Package)
	if err != nil {
		return err
	}
	list := make([]outbox.Event, len(changes))
	for i, ch := range changes {
		c := ch.Collection
		data, err := json.Marshal(eventChange{c.ID, c.Code, ch.Created, ch.MetadataModified, ch.Deleted, some(ch.Added), some(ch.Removed)})
		if err != nil {
			return fmt.Errorf("event of collection %s: %w", c.Code, err)
		}
		list[i] = outbox.Event{Package: int64(c.Package), Type: outbox.CollectionChanged, At: c.Modified, By: int64(by(ch)), Title: title, Data: string(data)}
	}
	return outbox.Append(ctx, tx, list...)
}

// some returns list, or an empty one for JSON.
func some(list []publishing.EntityID) []publishing.EntityID {
	if list == nil {
		return []publishing.EntityID{}
	}
	return list
}
