package keys

import (
	"database/sql/driver"
	"strings"
	"unicode/utf8"
)

// xblockFamily is the family of bare block types, and what the older name of it is rewritten to (keys.md §2.3).
const (
	xblockFamily  = "xblock.v1"
	xmoduleFamily = "xmodule.v1"
)

// BlockType names a type of block within a family of them: block-type-v1:FAMILY:TYPE, or the bare TYPE of the family
// xblock.v1. The zero BlockType is no key, and also what the empty text reads as. Safe for concurrent use.
type BlockType struct{ key }

// ParseBlockType reads any text: what is not block-type-v1:FAMILY:TYPE is a bare type. It refuses only broken UTF-8, more
// than 65,535 bytes, and a written-out family xblock.v1 around what would read as another key (keys.md §6.4 d).
func ParseBlockType(s string) (k BlockType, err error) {
	err = k.parse(KindBlockType, s)
	return k, err
}

// ValidBlockType reports whether [ParseBlockType] accepts s, without making an error.
func ValidBlockType(s string) bool { return valid(KindBlockType, s) }

// NewBlockType returns the key of a type in a family; that of xblock.v1 and xmodule.v1 is the bare type.
func NewBlockType(family, blockType string) (BlockType, error) {
	s := forms[FormBlockType].lead + family + ":" + blockType
	if strings.IndexByte(family, ':') >= 0 {
		return BlockType{}, fail(KindBlockType, s, "a family holds no colon")
	}
	b, err := ParseBlockType(s)
	if err == nil && b.IsZero() {
		return BlockType{}, fail(KindBlockType, s, "a bare block type is not empty")
	}
	return b, err
}

func (k *key) readBlockType(s string) string {
	*k = key{}
	if !utf8.ValidString(s) {
		return whyUTF8
	}
	family, typ, ok := splitBlockType(s)
	if ok {
		if family != xblockFamily && family != xmoduleFamily {
			at := len(forms[FormBlockType].lead) + len(family)
			*k = key{s: s, form: FormBlockType, crs: uint16(at), typ: uint16(len(s))}
			return ""
		}
		if _, _, nested := splitBlockType(typ); nested {
			return "would print as the key of another family"
		}
		s = typ
	}
	if s != "" {
		*k = key{s: s, form: FormBareType, typ: uint16(len(s))}
	}
	return ""
}

// splitBlockType returns family and type of block-type-v1:FAMILY:TYPE.
func splitBlockType(s string) (family, typ string, ok bool) {
	rest, ok := strings.CutPrefix(s, forms[FormBlockType].lead)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ":")
}

// Kind returns KindBlockType.
func (b BlockType) Kind() Kind { return KindBlockType }

// Deprecated reports whether this is a bare type; no key counts as the empty one.
func (b BlockType) Deprecated() bool { return b.form != FormBlockType }

// Family returns the family, "xblock.v1" for a bare type and for no key.
func (b BlockType) Family() string { return b.family() }

func (k key) family() string {
	if k.form != FormBlockType {
		return xblockFamily
	}
	return k.s[k.body():k.crs]
}

// Type returns the block type.
func (b BlockType) Type() string { return b.blockType() }

func (k key) blockType() string {
	if k.form != FormBlockType {
		return k.s
	}
	return k.s[k.crs+1:]
}

// Equal reports b == o.
func (b BlockType) Equal(o BlockType) bool { return b == o }

// Compare orders keys by family and type, then by form; no key comes first. The order is total.
func (b BlockType) Compare(o BlockType) int { return compare(b.key, o.key) }

// UnmarshalText reads a key; an empty text is the zero key.
func (b *BlockType) UnmarshalText(t []byte) error { return b.unmarshal(KindBlockType, t) }

// Scan reads a text column; NULL and "" are the zero key, and text that ends in LF loses its trailing white space.
func (b *BlockType) Scan(src any) error { return b.scanColumn(KindBlockType, src) }

// Value returns the text of the key for a column, as [Usage.Value].
func (b BlockType) Value() (driver.Value, error) { return b.column(KindBlockType) }
