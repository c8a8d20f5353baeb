package courseware

import (
	"bytes"
	"slices"
	"strings"
)

// BlockID names a block within one course: its type and its name (the url_name of an archive, the block id of a key).
// The zero value names nothing.
type BlockID struct {
	Type string
	Name string
}

// String returns "type/name", the form of policy files.
func (id BlockID) String() string { return id.Type + "/" + id.Name }

// IsZero reports whether id names nothing.
func (id BlockID) IsZero() bool { return id == BlockID{} }

// Compare orders ids by type, then name, by bytes.
func (id BlockID) Compare(other BlockID) int {
	if c := strings.Compare(id.Type, other.Type); c != 0 {
		return c
	}
	return strings.Compare(id.Name, other.Name)
}

// RootName is the name every course root carries inside Lectern, whatever its archive calls it (design.md §4).
const RootName = "course"

// The types of detached blocks: files beside the tree, without a parent (olx.md §1.14).
const (
	TypeAbout             = "about"
	TypeCourseInfo        = "course_info"
	TypeStaticTab         = "static_tab"
	TypeCustomTagTemplate = "custom_tag_template"
)

// Form says how a source wrote a block, so that an export can write it the same way (olx.md §1.7, §1.10).
type Form uint8

const (
	// FormDefault leaves the choice to the writer: own file for legacy types, inline for pure XBlocks.
	FormDefault Form = iota
	// FormInline is an element inside its parent's file.
	FormInline
	// FormFile is a definition file of its own, which the parent points to.
	FormFile
)

// Block is one node of a course, without its children's content. Blocks are shared between the published and the
// draft tree of an archive, so they are not changed once they are part of a Course.
type Block struct {
	ID BlockID
	// Container is true for a block whose type holds other blocks, even when it holds none now.
	Container bool
	// Children are the ids of the child blocks in order. Nil and empty mean the same.
	Children []BlockID
	// Fields are the own settings of the block, in source order: a field that is present is explicitly set,
	// even to its default (olx.md §7 law 21).
	Fields Fields
	// Extra are attributes that no field of the type claims, in source order with exact text (olx.md §1.9).
	Extra []Attr
	// Data is the body: an html block's exact bytes, a raw type's inner XML verbatim, a detached block's file.
	Data Body
	// Nodes are further child elements that are not blocks, verbatim, in order: wiki, textbook, show, asides.
	Nodes [][]byte
	// Form is how the source wrote the block.
	Form Form
	// Opaque marks an element of an unknown type, or one that could not be read: Data is its whole element, verbatim.
	Opaque bool
	// Path is the block's own name in its source where that differs from the one derived from ID ("a/b" for "a:b").
	Path string
}

// Attr is an XML attribute kept as it was written, its value decoded.
type Attr struct {
	Name  string
	Value string
}

// Title returns the display name of the block, or "" when none is set.
func (b *Block) Title() string {
	s, _ := b.Fields.Text("display_name")
	return s
}

// Equal reports whether two blocks say the same.
func (b *Block) Equal(o *Block) bool {
	return b.ID == o.ID && b.Container == o.Container && b.Form == o.Form && b.Opaque == o.Opaque && b.Path == o.Path &&
		slices.Equal(b.Children, o.Children) && slices.Equal(b.Fields, o.Fields) && slices.Equal(b.Extra, o.Extra) &&
		b.Data.Equal(o.Data) && slices.EqualFunc(b.Nodes, o.Nodes, bytes.Equal)
}
