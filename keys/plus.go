package keys

import "strings"

const (
	whyChar    = "an empty field, or a character that is not allowed there"
	whyPlain   = "want ORG+COURSE+RUN"
	whyLibrary = "want ORG+LIBRARY"
	whyOrder   = "want branch@, version@, type@, block@ at the end, each once and in this order"
	whyVersion = "a version is 24 lower-case hexadecimal digits"
	whyLossy   = "organisation, course or branch would be lost beside a version: name them in full, or the version alone"
	whyType    = "type@ is missing"
	whyBlock   = "block@ is missing"
)

// plus reads the fields of a + form (keys.md §2.2) from s[i:], where block@ holds characters of block. It says nothing
// about which fields a form needs.
func plus(s string, i int, block class) (key, string) {
	k := key{s: s}
	j := 0
	for n := 0; ; n++ {
		j = scan(s, i, classID)
		if j < len(s) && s[j] == '@' {
			break
		}
		if j == i {
			return k, whyChar
		}
		switch n {
		case 0:
			k.org = uint16(j)
		case 1:
			k.crs = uint16(j)
		case 2:
			k.run = uint16(j)
		default:
			return k, whyPlain
		}
		if j == len(s) {
			return k, ""
		}
		if s[j] != '+' {
			return k, whyChar
		}
		i = j + 1
	}
	// Each keyword that matches moves i on, so the order is fixed. Spelled out four times, because looping over a
	// table of them was clearly slower.
	if strings.HasPrefix(s[i:], "branch@") {
		if j = scan(s, i+len("branch@"), classID); j == i+len("branch@") {
			return k, whyChar
		}
		k.branch = uint16(j)
		if i = j + 1; j == len(s) || s[j] != '+' {
			return k, ended(s, j)
		}
	}
	if strings.HasPrefix(s[i:], "version@") {
		if j = scan(s, i+len("version@"), classHex); j != i+len("version@")+2*versionSize {
			return k, whyVersion
		}
		k.ver = uint16(j)
		if i = j + 1; j == len(s) || s[j] != '+' {
			return k, ended(s, j)
		}
	}
	if strings.HasPrefix(s[i:], "type@") {
		if j = scan(s, i+len("type@"), classID); j == i+len("type@") {
			return k, whyChar
		}
		k.typ = uint16(j)
		if i = j + 1; j == len(s) || s[j] != '+' {
			return k, ended(s, j)
		}
	}
	if strings.HasPrefix(s[i:], "block@") {
		if j = scan(s, i+len("block@"), block); j == i+len("block@") {
			return k, whyChar
		}
		k.id = uint16(j)
		if j == len(s) || s[j] != '+' {
			return k, ended(s, j)
		}
	}
	return k, whyOrder
}

// ended returns why a field must not end at s[j]: it may at the end of the text.
func ended(s string, j int) string {
	if j == len(s) {
		return ""
	}
	return whyChar
}

// inCourse checks the part of a + form that names a course (keys.md §2.3, §6.4 b): a whole course, or a version alone.
// Anything between would print as less than it says.
func (k key) inCourse() string {
	switch {
	case k.run != 0:
		return ""
	case k.ver == 0:
		return whyPlain
	case k.org != 0 || k.branch != 0:
		return whyLossy
	}
	return ""
}

// inLibrary is inCourse for legacy libraries (keys.md §6.4 c). A third plain segment is for the caller to drop.
func (k key) inLibrary() string {
	switch {
	case k.crs != 0:
		return ""
	case k.org != 0 || k.ver == 0:
		return whyLibrary
	case k.branch != 0:
		return whyLossy
	}
	return ""
}

// parseCourseV1 reads course-v1:… and drops a type and block (keys.md §2.3).
func parseCourseV1(s string) (key, string) {
	k, why := plus(s, len("course-v1:"), classBID)
	if why == "" {
		why = k.inCourse()
	}
	if why != "" {
		return key{}, why
	}
	k.form, k.typ, k.id = FormCourse, 0, 0
	k.s = s[:k.course()]
	return k, ""
}

// parseSlashes reads slashes:…, a second spelling of course-v1:….
func parseSlashes(s string) (key, string) {
	c := "course-v1:" + s[len("slashes:"):]
	if len(c) > maxLen {
		return key{}, whyLong
	}
	return parseCourseV1(c)
}

// parseLegacyLibrary reads library-v1:… and drops a third plain segment, a type and a block.
func parseLegacyLibrary(s string) (key, string) {
	k, why := plus(s, len("library-v1:"), classBID)
	if why == "" {
		why = k.inLibrary()
	}
	if why != "" {
		return key{}, why
	}
	if k.run != 0 {
		return parseLegacyLibrary(s[:k.crs] + s[k.run:])
	}
	k.form, k.typ, k.id = FormLegacyLibrary, 0, 0
	k.s = s[:k.course()]
	return k, ""
}

// parseBlockV1 reads block-v1:….
func parseBlockV1(s string) (key, string) {
	k, why := plus(s, len("block-v1:"), classID)
	return k.inBlock(FormBlock, why)
}

// parseAssetV1 reads asset-v1:…, whose path may hold a %.
func parseAssetV1(s string) (key, string) {
	k, why := plus(s, len("asset-v1:"), classBID)
	return k.inBlock(FormAsset, why)
}

func (k key) inBlock(form Form, why string) (key, string) {
	if why == "" {
		why = k.inCourse()
	}
	switch {
	case why != "":
		return key{}, why
	case k.typ == 0: // printed as type None, so another key (keys.md §6.4 a)
		return key{}, whyType
	case k.id == 0:
		return key{}, whyBlock
	}
	k.form = form
	return k, ""
}

// parseLegacyBlock reads lib-block-v1:… and drops a third plain segment.
func parseLegacyBlock(s string) (key, string) {
	k, why := plus(s, len("lib-block-v1:"), classID)
	if why == "" {
		why = k.inLibrary()
	}
	switch {
	case why != "":
		return key{}, why
	case k.typ == 0:
		return key{}, whyType
	case k.id == 0:
		return key{}, whyBlock
	case k.run != 0:
		return parseLegacyBlock(s[:k.crs] + s[k.run:])
	}
	k.form = FormLegacyBlock
	return k, ""
}

// parseLocation reads location:…, five plain segments.
func parseLocation(s string) (key, string) {
	k := key{s: s, form: FormLocation}
	i := len("location:")
	for _, end := range [...]*uint16{&k.org, &k.crs, &k.run, &k.typ} {
		if *end = until(s, i, classID, '+'); *end == 0 {
			return key{}, whyLocation
		}
		i = int(*end) + 1
	}
	if k.id = until(s, i, classID, atEnd); k.id == 0 {
		return key{}, whyLocation
	}
	return k, ""
}

const whyLocation = "want location:ORG+COURSE+RUN+TYPE+ID"

// parseDefinitionV1 reads def-v1:….
func parseDefinitionV1(s string) (key, string) {
	k := key{s: s, form: FormDefinition}
	const at = len("def-v1:")
	k.id = until(s, at, classHex, '+')
	if k.id == 0 || !strings.HasPrefix(s[k.id:], "+type@") {
		return key{}, "want def-v1:ID+type@TYPE"
	}
	if k.id-uint16(at) != 2*versionSize {
		return key{}, "a definition id is 24 lower-case hexadecimal digits"
	}
	if k.typ = until(s, int(k.id)+len("+type@"), classID, atEnd); k.typ == 0 {
		return key{}, whyChar
	}
	return k, ""
}
