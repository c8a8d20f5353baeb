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

// plus reads the fields of a + form (keys.md §2.2), where block@ holds characters of block. It says nothing about which
// fields a form needs.
func (k *key) plus(s string, form Form, block class) string {
	*k = key{s: s, form: form}
	i, j := k.body(), 0
	for n := 0; ; n++ {
		j = scan(s, i, classID)
		if j < len(s) && s[j] == '@' {
			break
		}
		if j == i {
			return whyChar
		}
		switch n {
		case 0:
			k.org = uint16(j)
		case 1:
			k.crs = uint16(j)
		case 2:
			k.run = uint16(j)
		default:
			return whyPlain
		}
		if j == len(s) {
			return ""
		}
		if s[j] != '+' {
			return whyChar
		}
		i = j + 1
	}
	// Each keyword that matches moves i on, so the order is fixed. Spelled out four times, because looping over a
	// table of them was clearly slower.
	if strings.HasPrefix(s[i:], "branch@") {
		if j = scan(s, i+len("branch@"), classID); j == i+len("branch@") {
			return whyChar
		}
		k.branch = uint16(j)
		if i = j + 1; j == len(s) || s[j] != '+' {
			return ended(s, j)
		}
	}
	if strings.HasPrefix(s[i:], "version@") {
		if j = scan(s, i+len("version@"), classHex); j != i+len("version@")+2*versionSize {
			return whyVersion
		}
		k.ver = uint16(j)
		if i = j + 1; j == len(s) || s[j] != '+' {
			return ended(s, j)
		}
	}
	if strings.HasPrefix(s[i:], "type@") {
		if j = scan(s, i+len("type@"), classID); j == i+len("type@") {
			return whyChar
		}
		k.typ = uint16(j)
		if i = j + 1; j == len(s) || s[j] != '+' {
			return ended(s, j)
		}
	}
	if strings.HasPrefix(s[i:], "block@") {
		if j = scan(s, i+len("block@"), block); j == i+len("block@") {
			return whyChar
		}
		k.id = uint16(j)
		if j == len(s) || s[j] != '+' {
			return ended(s, j)
		}
	}
	return whyOrder
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
func (k *key) inCourse() string {
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
func (k *key) inLibrary() string {
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

// inBlock checks that type and block are there. A missing type would print as type None, which is another key (keys.md
// §6.4 a).
func (k *key) inBlock() string {
	switch {
	case k.typ == 0:
		return whyType
	case k.id == 0:
		return whyBlock
	}
	return ""
}

// dropBlock drops the type and block that the keys of courses and legacy libraries may have (keys.md §2.3).
func (k *key) dropBlock() {
	k.typ, k.id = 0, 0
	k.s = k.s[:k.course()]
}

// readCourseV1 reads course-v1:….
func (k *key) readCourseV1(s string) string {
	if why := k.plus(s, FormCourse, classBID); why != "" {
		return why
	}
	k.dropBlock()
	return k.inCourse()
}

// readSlashes reads slashes:…, a second spelling of course-v1:….
func (k *key) readSlashes(s string) string {
	s = forms[FormCourse].lead + s[len("slashes:"):]
	if len(s) > maxLen {
		return whyLong
	}
	return k.readCourseV1(s)
}

// readLegacyLibrary reads library-v1:… and drops a third plain segment.
func (k *key) readLegacyLibrary(s string) string {
	if why := k.plus(s, FormLegacyLibrary, classBID); why != "" {
		return why
	}
	if k.run != 0 {
		return k.readLegacyLibrary(s[:k.crs] + s[k.run:])
	}
	k.dropBlock()
	return k.inLibrary()
}

// readBlockV1 reads block-v1:….
func (k *key) readBlockV1(s string) string {
	if why := k.plus(s, FormBlock, classID); why != "" {
		return why
	}
	if why := k.inCourse(); why != "" {
		return why
	}
	return k.inBlock()
}

// readAssetV1 reads asset-v1:…, whose path may hold a %.
func (k *key) readAssetV1(s string) string {
	if why := k.plus(s, FormAsset, classBID); why != "" {
		return why
	}
	if why := k.inCourse(); why != "" {
		return why
	}
	return k.inBlock()
}

// readLegacyBlock reads lib-block-v1:… and drops a third plain segment.
func (k *key) readLegacyBlock(s string) string {
	if why := k.plus(s, FormLegacyBlock, classID); why != "" {
		return why
	}
	if k.run != 0 {
		return k.readLegacyBlock(s[:k.crs] + s[k.run:])
	}
	if why := k.inLibrary(); why != "" {
		return why
	}
	return k.inBlock()
}

// readLocation reads location:…, five plain segments.
func (k *key) readLocation(s string) string {
	*k = key{s: s, form: FormLocation}
	i := k.body()
	for _, end := range [...]*uint16{&k.org, &k.crs, &k.run, &k.typ} {
		if *end = until(s, i, classID, '+'); *end == 0 {
			return whyLocation
		}
		i = int(*end) + 1
	}
	if k.id = until(s, i, classID, atEnd); k.id == 0 {
		return whyLocation
	}
	return ""
}

const whyLocation = "want location:ORG+COURSE+RUN+TYPE+ID"

// readDefinitionV1 reads def-v1:….
func (k *key) readDefinitionV1(s string) string {
	*k = key{s: s, form: FormDefinition}
	k.id = until(s, k.body(), classHex, '+')
	if k.id == 0 || !strings.HasPrefix(s[k.id:], "+type@") {
		return "want def-v1:ID+type@TYPE"
	}
	if int(k.id)-k.body() != 2*versionSize {
		return "a definition id is 24 lower-case hexadecimal digits"
	}
	if k.typ = until(s, int(k.id)+len("+type@"), classID, atEnd); k.typ == 0 {
		return whyChar
	}
	return ""
}
