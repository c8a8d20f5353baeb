package collections

import (
	"time"

	"github.com/openlectern/lectern/content/publishing"
)

// ID is the row id of a collection.
type ID int64

// Collection is a named set of entities. Code is unique in the package and never changes. A collection that is not
// Enabled was deleted softly.
type Collection struct {
	ID                 ID
	Package            publishing.PackageID
	Code               string
	Title, Description string
	Enabled            bool
	Created, Modified  time.Time
	By                 publishing.UserID // who made it
}

// New describes a collection to create. Times are the transaction's clock when zero: a restored backup brings its own.
type New struct {
	Code               string
	Title, Description string
	Disabled           bool
	By                 publishing.UserID
	Created, Modified  time.Time
}

// Edit names what [Update] changes; nil leaves a field alone.
type Edit struct {
	Title, Description *string
}

// Change is what a call did to a collection: the body of an event about it (content-model.md §19). Added and Removed are
// the real difference of members, in id order.
type Change struct {
	Collection       Collection // after the call; as it was, when Deleted for good
	Created          bool
	MetadataModified bool
	Deleted          bool
	Added, Removed   []publishing.EntityID
}

// Member is an entity in a collection.
type Member struct {
	Collection ID
	Entity     publishing.EntityID
	Created    time.Time
	By         publishing.UserID
}

// Members names entities that are to be put into a collection, or taken out.
type Members struct {
	Collection ID
	Entities   []publishing.EntityID
}
