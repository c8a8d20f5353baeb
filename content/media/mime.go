package media

import (
	"strings"

	"github.com/openlectern/lectern/fault"
)

// maxTypePart is the width of each of a media type's three columns, in characters.
const maxTypePart = 127

// A Type is a media type in its three parts: "image/svg+xml" is {image, svg, xml}.
type Type struct {
	Type, SubType, Suffix string
}

// String returns the type as it is written in headers. A suffix that is empty is left out.
func (t Type) String() string {
	if t.Suffix == "" {
		return t.Type + "/" + t.SubType
	}
	return t.Type + "/" + t.SubType + "+" + t.Suffix
}

// ParseType reads "type/sub_type" or "type/sub_type+suffix" (content-model.md §13). Parameters are not understood: they
// stay part of the last part. Other forms are fault.Invalid, and so is a part over 127 characters, one with characters
// outside printable ASCII and one that begins or ends with a space, because engines disagree on whether two such types
// are one row.
func ParseType(s string) (Type, error) {
	bad := func(why string) (Type, error) {
		return Type{}, fault.Errorf(fault.Invalid, "media type "+quote(s), "%s", why)
	}
	rest, suffix, _ := strings.Cut(s, "+")
	t, sub, ok := strings.Cut(rest, "/")
	switch {
	case !ok || strings.Count(s, "/") != 1:
		return bad("it needs exactly one slash")
	case strings.Contains(suffix, "+"):
		return bad("it has more than one plus sign")
	}
	for _, p := range []string{t, sub, suffix} {
		switch {
		case len(p) > maxTypePart:
			return bad("a part is over 127 characters")
		case strings.Trim(p, " ") != p:
			return bad("a part begins or ends with a space")
		}
		for i := range len(p) {
			if p[i] < ' ' || p[i] > '~' {
				return bad("only printable ASCII characters can be in it")
			}
		}
	}
	return Type{Type: t, SubType: sub, Suffix: suffix}, nil
}

// quote shortens s for a message and puts it in quotation marks.
func quote(s string) string {
	const most = 100
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return `"` + s + `"`
}
