package components

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/openlectern/lectern/fault"
)

// maxPath is the most characters of a path.
const maxPath = 500

// CheckPath reports a path that a new file of a version cannot have as fault.Invalid. Beyond what the reference refuses
// (a leading slash, white space at either end, a backslash) these are refused: an empty path, segments that are empty,
// "." or "..", NUL, over 500 characters (content-model.md §3). Such a path could not be unpacked safely, or not be told
// from others on every engine.
func CheckPath(path string) error {
	bad := func(why string) error { return fault.Errorf(fault.Invalid, "path "+quote(path), "%s", why) }
	switch {
	case path == "":
		return bad("it is empty")
	case !utf8.ValidString(path):
		return bad("it is not UTF-8")
	case !inheritable(path):
		return bad("it begins with a slash, begins or ends with white space, or has a backslash")
	case strings.ContainsRune(path, 0):
		return bad("it has a NUL character")
	case utf8.RuneCountInString(path) > maxPath:
		return bad("it has more than 500 characters")
	}
	for s := range strings.SplitSeq(path, "/") {
		if s == "" || s == "." || s == ".." {
			return bad("each part between slashes must be a name")
		}
	}
	return nil
}

// inheritable reports whether a next version may take the path over from the latest one: by the reference's rule, which
// was once looser than ours.
func inheritable(path string) bool {
	return !strings.HasPrefix(path, "/") && strings.TrimFunc(path, blank) == path && strings.IndexByte(path, '\\') < 0
}

// blank reports what the reference trims: Python's white space also counts the separators of ASCII.
func blank(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
