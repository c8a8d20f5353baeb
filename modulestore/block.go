package modulestore

import (
	"time"

	"github.com/openlectern/lectern/courseware"
)

// Block is a block as an old store keeps it. Fields are those explicitly set, in stored order and JSON form; names that
// no block type knows are kept like others (modulestore.md OM-12).
type Block struct {
	ID courseware.BlockID
	// Content are the content-scoped fields, Settings the settings-scoped ones.
	Content, Settings courseware.Fields
	// Defaults are values that came with a copy from a library (modulestore.md SP-28).
	Defaults courseware.Fields
	// Children are the child blocks in order, those of other courses left out. Listed tells a list that is empty from none.
	Children []courseware.BlockID
	Listed   bool
	Asides   []Aside
	Edit     Edit
}

// Aside is what an XBlock aside keeps with a block.
type Aside struct {
	Type   string
	Fields courseware.Fields
}

// Edit is who wrote a block when. Moments are zero and people nil where nothing is known.
type Edit struct {
	On              time.Time
	By              *int64
	SubtreeOn       time.Time // in the old store; the versioned one computes it (L-36)
	SubtreeBy       *int64
	PublishedOn     time.Time
	PublishedBy     *int64
	Version         ID     // the structure that last changed the block
	Previous        ID     // the one that did before
	Source          ID     // the structure that this content was published from
	Original        string // the library block it is a copy of, a usage key
	OriginalVersion ID     // that block's version
	Definition      ID     // the document with its content; versioned store only
}

// Token is what the versioned store compares to tell whether a published block is what the draft says
// (modulestore.md L-50).
func (e *Edit) Token() ID {
	if !e.Source.IsZero() {
		return e.Source
	}
	return e.Version
}

// IsDirectOnly reports whether blocks of a type never have a draft of their own (modulestore.md, terms).
func IsDirectOnly(blockType string) bool {
	switch blockType {
	case "course", "chapter", "sequential":
		return true
	}
	return IsDetached(blockType)
}

// IsDetached reports whether blocks of a type are never anybody's child.
func IsDetached(blockType string) bool {
	switch blockType {
	case courseware.TypeAbout, courseware.TypeStaticTab, courseware.TypeCourseInfo:
		return true
	}
	return false
}
