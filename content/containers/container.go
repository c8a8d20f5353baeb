package containers

import (
	"time"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/publishing"
)

// Codes of the container types that stock code knows.
const (
	Unit       = "unit"
	Subsection = "subsection"
	Section    = "section"
)

// Prefix begins the type codes of Lectern's own container types, which hold children of any kind.
const Prefix = "lectern."

// NewContainer describes a container to create. Ref is the code when empty. Dependent says that it was made as part of
// another and has no meaning alone.
type NewContainer struct {
	Type      string // type code
	Code      string // unique in the package over all container types
	Ref       string
	Created   time.Time // the transaction's clock when zero
	By        publishing.UserID
	Dependent bool
}

// Container is a container as it was created; its id is its entity's.
type Container struct {
	ID      publishing.EntityID
	Package publishing.PackageID
	Type    string
	Code    string
}

// Child is a row of a container version: an entity, and the version that it is pinned to, 0 for none.
type Child struct {
	Entity publishing.EntityID
	Pin    publishing.VersionID
}

// NewVersion describes a version to create with exactly these children and settings files. With Base, an earlier
// version of the same container, it has that one's children and shares its list; Children must be empty then.
// Num 0 takes the highest number plus one.
type NewVersion struct {
	Entity   publishing.EntityID
	Num      int
	Title    string
	Children []Child
	Base     publishing.VersionID
	Files    []components.File
	Created  time.Time         // the change set's when zero
	By       publishing.UserID // the change set's when 0; may be Nobody
}

// Action says how [NextVersion] makes its list of children from the latest one's.
type Action uint8

// The actions.
const (
	Keep    Action = iota // the same list; no children are given
	Replace               // exactly the given children
	Append                // the latest's children, then the given ones
	Remove                // the latest's without the given: unpinned rows of an unpinned child, rows with that pin of a pinned one
)

// NextVersion describes a version that starts from the latest one, which need not be the draft. A nil Title is the
// latest's. Files replaces or adds settings files, and drops those with media 0; others are kept unless Fresh.
//
// Without a latest version it must say its title, and its action is Keep for an empty list or Replace.
type NextVersion struct {
	Entity   publishing.EntityID
	Num      int
	Title    *string
	Action   Action
	Children []Child
	Files    []components.File
	Fresh    bool
	Created  time.Time         // the change set's when zero
	By       publishing.UserID // the change set's when 0
}

// Entry is a child as a reader sees it: the version that stands in the row's place.
type Entry struct {
	Entity  publishing.EntityID
	Version publishing.VersionID
	Num     int
	Title   string
	Pinned  bool
}
