package olx

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/xmltree"
)

// maxName is how long a part of a name may be in bytes: with its suffix it is a segment of a path (olx.md §5.1).
const maxName = 240

// isWord reports whether r is a word character as Python's \w has it.
func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

func isNameRune(r rune) bool { return isWord(r) || strings.ContainsRune("-~.:", r) }

// validName reports whether s can be the id of a block and a path below the folder of its type (olx.md §1.5).
func validName(s string) bool {
	if s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !isNameRune(r) }) {
		return false
	}
	for part := range strings.SplitSeq(s, ":") {
		if part == "" || part == "." || part == ".." || len(part) > maxName {
			return false
		}
	}
	return len(s) <= 2*maxName
}

// validID makes a name that is not fit for an id into one that is, deterministically.
func validID(s string) string {
	if validName(s) {
		return s
	}
	clean := collapse(s, isNameRune)
	if !validName(clean) {
		clean = collapse(clean, func(r rune) bool { return isNameRune(r) && r != ':' })
	}
	if len(clean) > maxName {
		sum := sha1.Sum([]byte(s))
		cut := maxName - 1 - 12
		for !utf8.RuneStart(clean[cut]) {
			cut--
		}
		clean = clean[:cut] + "_" + hex.EncodeToString(sum[:6])
	}
	if !validName(clean) { // "." and ".."
		clean = "_" + clean
	}
	return clean
}

// clean makes a name of a title as the reference does (olx.md §1.5).
func clean(s string) string {
	return collapse(s, func(r rune) bool { return isWord(r) || r == '.' || r == '%' || r == '-' })
}

// collapse replaces characters that are not kept by underscores, and runs of underscores by one.
func collapse(s string, keep func(rune) bool) string {
	var b strings.Builder
	b.Grow(len(s))
	last := rune(0)
	for _, r := range s {
		if !keep(r) || r == utf8.RuneError {
			r = '_'
		}
		if r != '_' || last != '_' {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// digest returns the first 12 hexadecimal digits of the SHA-1 of an element's canonical form.
func digest(canonical []byte) string {
	sum := sha1.Sum(canonical)
	return hex.EncodeToString(sum[:6])
}

// givenName returns the name that an element has as written, by the order of its sources (olx.md §1.5); "" for none.
func givenName(n *xmltree.Node) string {
	for _, source := range [...]string{"url_name", "slug", "name", "display_name"} {
		s, _ := n.Attr(source)
		if source == "name" || source == "display_name" {
			s = clean(s)
		}
		if s != "" {
			return s
		}
	}
	return ""
}

// rename returns another name for a block whose name is taken: the type, the name, and the digest of its content. A name
// that was made so before gets a new digest only.
func rename(tag, name string, canonical []byte) string {
	sum := digest(canonical)
	if middle, ok := strings.CutPrefix(name, tag+"_"); ok && len(middle) >= 12 && isHex(middle[len(middle)-12:]) {
		name = strings.TrimSuffix(middle[:len(middle)-12], "_")
	}
	if name == "" {
		return tag + "_" + sum
	}
	return tag + "_" + name + "_" + sum
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// namePath returns the path of a name below the folder of its type (olx.md §1.4).
func namePath(name string) string { return strings.ReplaceAll(name, ":", "/") }

// definitionPath returns where the definition file of a block is, from the course directory.
func definitionPath(id courseware.BlockID) string { return id.Type + "/" + namePath(id.Name) + ".xml" }

func place(file string, line int) string {
	if line > 0 {
		return fmt.Sprintf("%s:%d", file, line)
	}
	return file
}
