package publishing

import (
	"context"
	"time"

	"github.com/openlectern/lectern/db"
)

// Meta says when, by whom and why drafts were changed. At is the transaction's clock when zero.
type Meta struct {
	At      time.Time
	By      UserID
	Kind    Kind
	Message string // at most 500 characters
	Source  string // where the change came from, at most 500 characters
}

// ChangeSet is one draft change log being made: what the reference calls a bulk draft context (content-model.md §6),
// carried as a value. It is valid inside the function given to [Change] only.
type ChangeSet struct {
	tx *db.Tx
}

// Change runs fn with a change set of the package and then writes one log with a record for every entity whose draft
// is another than before, and for everything that depends on one (content-model.md §5-§8). It returns nil and leaves
// no log when nothing changed. The package is locked first.
//
// A Change inside another's fn has a log of its own, whatever the package; the inner ends first. A dependency cycle
// among drafts at the end is fault.Invalid.
func Change(ctx context.Context, tx *db.Tx, pkg PackageID, m Meta, fn func(*ChangeSet) error) (*ChangeLog, error) {
	panic("soon")
}

// Tx returns the transaction of the change set.
func (c *ChangeSet) Tx() *db.Tx { return c.tx }

// Package returns the package whose drafts are changed.
func (c *ChangeSet) Package() PackageID { panic("soon") }

// At returns the time of the log, which is also that of new versions.
func (c *ChangeSet) At() time.Time { panic("soon") }

// By returns the user of the log, who also makes the new versions.
func (c *ChangeSet) By() UserID { panic("soon") }

// NewVersion describes a version to create. Num 0 takes the entity's highest number plus one. Dependencies are a set:
// order and duplicates do not matter. Created and By are the change set's unless set.
type NewVersion struct {
	Entity       EntityID
	Num          int
	Title        string
	Dependencies []EntityID
	Created      time.Time
	By           UserID
}

// CreateVersions creates versions, each of which becomes the draft of its entity, even where its number is lower than
// the present one's. It returns their ids and numbers, aligned. A number taken is fault.Conflict; an entity or
// dependency of another package is fault.Invalid, an unknown one fault.NotFound.
func (c *ChangeSet) CreateVersions(ctx context.Context, list []NewVersion) ([]VersionID, []int, error) {
	panic("soon")
}

// Pointer says which version the draft of an entity is to be; 0 deletes the draft, which any later pointer undoes.
type Pointer struct {
	Entity  EntityID
	Version VersionID
}

// SetDrafts moves drafts to versions that exist. Where the draft is that version already nothing happens and nothing
// is logged. A version of another entity is fault.Invalid, an unknown one fault.NotFound.
func (c *ChangeSet) SetDrafts(ctx context.Context, list []Pointer) error { panic("soon") }

// Reset moves drafts back to what is published: all of the package, or with only those of the given entities. What was
// never published is deleted, what was deleted is restored (content-model.md §10).
func (c *ChangeSet) Reset(ctx context.Context, only []EntityID) error { panic("soon") }

// Flush writes the pointers moved so far, so that reads in the same transaction see them. Side effects and digests
// still wait for the end of the change set.
func (c *ChangeSet) Flush(ctx context.Context) error { panic("soon") }

// Reset is [ChangeSet.Reset] as a change set of its own; nil only means the whole package, an empty list nothing. Inside
// a change set of the same package it joins that one, ignores m and returns nil.
func Reset(ctx context.Context, tx *db.Tx, pkg PackageID, m Meta, only []EntityID) (*ChangeLog, error) {
	panic("soon")
}
