package keys

import (
	"strings"
	"unicode/utf8"
)

// The forms of Old Mongo (keys.md §2.2: slash, i4x, c4x). Nothing new is written in them, and they are read for ever.

const (
	whySlash = "want a known prefix, or ORG/COURSE/RUN"
	whyI4x   = "want i4x://ORG/COURSE/TYPE/NAME, perhaps with @REVISION"
	whyC4x   = "want /c4x/ORG/COURSE/TYPE/NAME, perhaps with @REVISION"
)

// readSlash reads ORG/COURSE/RUN, where the run may be empty.
func (k *key) readSlash(s string) string {
	*k = key{s: s, form: FormSlash}
	if k.org = until(s, 0, classOld, '/'); k.org == 0 {
		return whySlash
	}
	if k.crs = until(s, int(k.org)+1, classOld, '/'); k.crs == 0 {
		return whySlash
	}
	if scan(s, int(k.crs)+1, classOld) != len(s) {
		return whySlash
	}
	k.run = uint16(len(s))
	return ""
}

// readOld reads i4x and c4x. The type is any text without a slash.
func (k *key) readOld(s string, form Form, why string) string {
	*k = key{s: s, form: form}
	if !strings.HasPrefix(s, forms[form].lead) {
		return why
	}
	if k.org = until(s, k.body(), classOld, '/'); k.org == 0 {
		return why
	}
	if k.crs = until(s, int(k.org)+1, classOld, '/'); k.crs == 0 {
		return why
	}
	i := int(k.crs) + 1
	n := strings.IndexByte(s[i:], '/')
	if n <= 0 {
		return why
	}
	if !utf8.ValidString(s[i : i+n]) {
		return whyUTF8
	}
	k.typ = uint16(i + n)
	i += n + 1
	if k.id = until(s, i, classBID, atEnd); k.id != 0 {
		return ""
	}
	if k.id = until(s, i, classBID, '@'); k.id == 0 {
		return why
	}
	if k.branch = until(s, int(k.id)+1, classBID, atEnd); k.branch == 0 {
		return why
	}
	return ""
}
