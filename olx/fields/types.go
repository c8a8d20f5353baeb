package fields

import "github.com/openlectern/lectern/courseware"

// Type is the type of a field's value (olx.md §6).
type Type uint8

// The types of values. The zero Type is String, as which an unknown field is read.
const (
	String Type = iota
	Integer
	Float
	Boolean
	List
	Dict
	Date
	Timedelta
	RelativeTime
	Key     // a usage key as text
	KeyList // a list of usage keys
	KeyMap  // an object with usage keys as values
)

// Class says how blocks of a type are written (olx.md §1.7).
type Class uint8

// The classes of block types.
const (
	Legacy     Class = iota + 1 // L: a file of its own, settings in dialect L
	Inline                      // L-inline: like Legacy, in the parent's file
	Pure                        // P: in the parent's file, settings in dialect P
	Assessment                  // P-custom: in the parent's file, settings as plain text
	Detached                    // D: plain files beside the tree
)

// Body says what is between the tags of a type's element.
type Body uint8

// The kinds of body.
const (
	Raw      Body = iota // kept byte for byte
	Children             // child blocks
	HTML                 // a file of its own
	Video                // the children of a video element (olx.md §6.4)
)

// Field is one setting of a block type.
type Field struct {
	Name    string
	Type    Type
	Default courseware.Value // when neither the block nor, if inheritable, an ancestor has a value

	Content    bool // not a setting but content: not in policy files
	PolicyOnly bool // never an attribute in an archive (olx.md §1.9, §1.11)
	Element    bool // in dialect P a child element instead of an attribute, or for a legacy type a child of its own kind
}

// Block is a block type.
type Block struct {
	Tag    string
	Class  Class
	Body   Body
	Fields []Field

	// ExtraFirst: attributes that are no fields stand before the fields, because the type keeps its element as raw data
	// (olx.md §3.2).
	ExtraFirst bool
	// Leading are the fields that stand before all other attributes, in this order.
	Leading []string
}

// Container reports whether blocks of the type hold other blocks.
func (b *Block) Container() bool { return b.Body == Children }

// Field returns the field of that name: one of the type's own or one that any block may have.
func (b *Block) Field(name string) (Field, bool) {
	for _, f := range b.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Common(name)
}

// Common returns the field of that name that any block may have (olx.md §6.1).
func Common(name string) (Field, bool) {
	if f, ok := Inherited(name); ok {
		return f, true
	}
	for _, f := range anywhere {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Inherited returns the field of that name that a block takes from its nearest ancestor with a value (olx.md §6.1).
func Inherited(name string) (Field, bool) {
	for _, f := range inheritable {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Lookup returns a block type by its tag; nil for an unknown one.
func Lookup(tag string) *Block {
	for i := range blocks {
		if blocks[i].Tag == tag {
			return &blocks[i]
		}
	}
	return nil
}

// Alias returns the template that a tag is another name of customtag for (olx.md §6.4), and whether it is one.
func Alias(tag string) (impl string, ok bool) {
	switch tag {
	case "book", "image", "slides", "discuss", "videodev":
		return tag, true
	}
	return "", false
}

// Stripped reports whether an attribute of that name is no setting of any legacy block (olx.md §1.9).
func Stripped(name string) bool {
	switch name {
	case "data_dir", "tabs", "grading_policy", "discussion_blackouts", "course", "org", "url_name", "filename",
		"xml_attributes", "x-is-pointer-node":
		return true
	}
	return false
}
