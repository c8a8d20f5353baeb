package keys

import (
	"strings"
	"unicode/utf8"
)

// The forms with a fixed number of fields between colons: libraries of today with what is in them, and the definitions
// of a retired store (keys.md §2.2). A field that ends in a line break is refused: see keys.md §6.4.

func (k *key) readLibrary(s string) string {
	*k = key{s: s, form: FormLibrary}
	if !k.inLib(atEnd) {
		return "want lib:ORG:SLUG"
	}
	return ""
}

// inLib reads organisation and slug, which sep follows.
func (k *key) inLib(sep int) bool {
	if k.org = until(k.s, k.body(), classASCII, ':'); k.org == 0 {
		return false
	}
	k.crs = until(k.s, int(k.org)+1, classSlug, sep)
	return k.crs != 0
}

// inTyped reads organisation, slug, type and id.
func (k *key) inTyped() bool {
	if !k.inLib(':') {
		return false
	}
	if k.typ = until(k.s, int(k.crs)+1, classASCII, ':'); k.typ == 0 {
		return false
	}
	k.id = until(k.s, int(k.typ)+1, classSlug, atEnd)
	return k.id != 0
}

func (k *key) readLibraryBlock(s string) string {
	*k = key{s: s, form: FormLibraryBlock}
	if !k.inTyped() {
		return "want lb:ORG:SLUG:TYPE:ID"
	}
	return ""
}

func (k *key) readContainer(s string) string {
	*k = key{s: s, form: FormContainer}
	if !strings.HasPrefix(s, "lct:") {
		return whyPrefix
	}
	if !k.inTyped() {
		return "want lct:ORG:SLUG:TYPE:ID"
	}
	return ""
}

func (k *key) readCollection(s string) string {
	*k = key{s: s, form: FormCollection}
	if !strings.HasPrefix(s, "lib-collection:") {
		return whyPrefix
	}
	if k.inLib(':') {
		k.id = until(s, int(k.crs)+1, classSlug, atEnd)
	}
	if k.id == 0 {
		return "want lib-collection:ORG:SLUG:ID"
	}
	return ""
}

// readBundle reads bundle-olx:UUID:VERSION:TYPE:PATH, where VERSION is an integer or the name of a draft.
func (k *key) readBundle(s string) string {
	const why = "want bundle-olx:UUID:VERSION:TYPE:PATH"
	*k = key{s: s, form: FormBundle}
	i := k.body()
	const size = 36
	if len(s) <= i+size || s[i+size] != ':' || !canonicalUUID(s[i:i+size]) {
		return "want a UUID in lower case after bundle-olx:"
	}
	k.id = uint16(i + size)
	i += size + 1
	n := strings.IndexByte(s[i:], ':')
	if n <= 0 {
		return why
	}
	k.ver = uint16(i + n)
	switch v := s[i : i+n]; {
	case !utf8.ValidString(v):
		return whyUTF8
	case allDigits(v) && !integer(v):
		return "an integer version has at most 4,300 ASCII digits and no leading zero"
	}
	if k.typ = until(s, int(k.ver)+1, classASCII, ':'); k.typ == 0 {
		return why
	}
	if k.crs = until(s, int(k.typ)+1, classPath, atEnd); k.crs == 0 {
		return why
	}
	return ""
}

// canonicalUUID reports whether the 36 bytes of s are a UUID as it is printed; the variant bits do not matter.
func canonicalUUID(s string) bool {
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if classes[s[i]]&bitHex == 0 {
				return false
			}
		}
	}
	return true
}

// maxDigits is where the reference's integers end: it fails on longer ones, so no key of it has them (keys.md §5).
const maxDigits = 4300

// integer reports whether s is a decimal number without leading zeros.
func integer(s string) bool {
	if s == "" || len(s) > maxDigits || s[0] == '0' && s != "0" {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
