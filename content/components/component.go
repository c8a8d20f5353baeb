package components

import (
	"time"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
)

// Type says what sort of component something is: "xblock.v1:problem". Neither part may hold a colon; the name may be
// blank.
type Type struct {
	Namespace, Name string
}

// String returns the type as a ref begins: "xblock.v1:problem".
func (t Type) String() string { return t.Namespace + ":" + t.Name }

// NewComponent describes a component to create. Ref is "namespace:name:code" when empty, by a convention that nobody
// may rely on. Dependent says that it was made as part of a container and has no meaning alone.
type NewComponent struct {
	Type      Type
	Code      string
	Ref       string
	Created   time.Time // the transaction's clock when zero
	By        publishing.UserID
	Dependent bool
}

// Component is a component as it was created; its id is its entity's.
type Component struct {
	ID      publishing.EntityID
	Package publishing.PackageID
	Type    Type
	Code    string
}

// A File is a named content of a version. Paths are by convention "block.xml" for the OLX and "static/…" for others.
type File struct {
	Path  string
	Media media.ID
}

// NewVersion describes a version to create with exactly these files. Num 0 takes the highest number plus one.
type NewVersion struct {
	Entity  publishing.EntityID
	Num     int
	Title   string
	Files   []File
	Created time.Time         // the change set's when zero
	By      publishing.UserID // the change set's when 0; may be Nobody
}

// NextVersion describes a version that starts from the latest one, which need not be the draft. A nil Title is the
// latest's, or empty for a first version. Files replaces or adds paths, and drops those with media 0; others are kept
// unless Fresh.
type NextVersion struct {
	Entity  publishing.EntityID
	Num     int
	Title   *string
	Files   []File
	Fresh   bool
	Created time.Time         // the change set's when zero
	By      publishing.UserID // the change set's when 0
}

// FileRow is a file of a stored version.
type FileRow struct {
	Version publishing.VersionID
	Path    string
	Media   media.Media
}

// Filter narrows [Components]: nil and empty fields do not care.
type Filter struct {
	Draft, Published *bool    // whether the branch has a live version; an absent row counts as no
	Namespace        string   // of the type
	Names            []string // any of these type names
	// DraftTitle and PublishedTitle look for text in the title of that branch or in the code, ignoring letter case.
	DraftTitle, PublishedTitle string
}
