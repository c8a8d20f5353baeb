package keys

// key is what every kind is made of: the canonical text, its form, and where its fields end. An end of 0 means that the
// field is absent: no field can end before the first character. What a field is called differs by form:
//
//	        org   crs            run  branch  ver             typ    id
//	+ forms  org   course/library  run  branch  version         type   block id or path
//	slash    org   course          run
//	i4x c4x  org   course               @rev                    type   name
//	: forms  org   slug                                         type   id
//	def-v1                                                      type   definition id
//	bundle         path                         version/draft   type   uuid
//	types          family                                       type
//	asides   end of the wrapped key, still escaped
//
// The offsets follow from the text, so == on keys of one kind is equality of texts.
type key struct {
	s                                   string
	form                                Form
	org, crs, run, branch, ver, typ, id uint16
}

// maxLen is the longest text whose offsets fit.
const maxLen = 1<<16 - 1

// String returns the canonical text, "" for no key. It does not allocate.
func (k key) String() string { return k.s }

// IsZero reports whether this is no key.
func (k key) IsZero() bool { return k.s == "" }

// Form returns how the key is written.
func (k key) Form() Form { return k.form }

// Deprecated reports whether the key is written in an old form without a prefix: o/c/r, i4x://, /c4x/ or a bare block
// type.
func (k key) Deprecated() bool { return k.form.Deprecated() }

// AppendText appends the canonical text to b; the error is always nil.
func (k key) AppendText(b []byte) ([]byte, error) { return append(b, k.s...), nil }

// MarshalText returns the canonical text, empty for no key; the error is always nil.
func (k key) MarshalText() ([]byte, error) { return []byte(k.s), nil }

// body returns where the fields begin.
func (k key) body() int { return len(forms[k.form].lead) }

func (k key) orgText() string {
	if k.org == 0 {
		return ""
	}
	return k.s[k.body():k.org]
}

func (k key) code() string {
	if k.crs == 0 {
		return ""
	}
	return k.s[k.org+1 : k.crs]
}

func (k key) runText() (string, bool) {
	if k.run == 0 {
		return "", false
	}
	return k.s[k.crs+1 : k.run], true
}

// plain returns the end of the plain segments of a + form, 0 when it has none.
func (k key) plain() uint16 { return max(k.crs, k.run) }

// course returns the end of the part of a + form that names the course or library.
func (k key) course() uint16 { return max(k.crs, k.run, k.branch, k.ver) }

func (k key) branchText() (string, bool) {
	switch {
	case k.branch == 0:
		return "", false
	case k.form == FormI4x || k.form == FormC4x:
		return k.s[k.id+1 : k.branch], true
	}
	return k.s[int(k.plain())+len("+branch@") : k.branch], true
}

// versionText returns the 24 hexadecimal digits of the version.
func (k key) versionText() (string, bool) {
	if k.ver == 0 {
		return "", false
	}
	return k.s[k.ver-2*versionSize : k.ver], true
}

func (k key) version() (Version, bool) {
	t, ok := k.versionText()
	if !ok {
		return Version{}, false
	}
	return hexVersion(t), true
}

func (k key) typeText() string {
	if k.typ == 0 {
		return ""
	}
	switch k.form {
	case FormBlock, FormAsset, FormLegacyBlock:
		return k.s[int(k.course())+len("+type@") : k.typ]
	case FormLocation:
		return k.s[k.run+1 : k.typ]
	}
	return k.s[k.crs+1 : k.typ]
}

func (k key) idText() string {
	if k.id == 0 {
		return ""
	}
	switch k.form {
	case FormBlock, FormAsset, FormLegacyBlock:
		return k.s[int(k.typ)+len("+block@") : k.id]
	case FormCollection:
		return k.s[k.crs+1 : k.id]
	}
	return k.s[k.typ+1 : k.id]
}

// context returns the key of the course or library that k lies in, and false where that has no text: for i4x and c4x,
// definitions and block types. It allocates the new text.
func (k key) context() (key, bool) {
	var form Form
	end := int(k.course())
	switch k.form {
	case FormCourse, FormSlash, FormLegacyLibrary, FormLibrary:
		return k, true
	case FormBlock, FormAsset, FormLocation:
		form = FormCourse
	case FormLegacyBlock:
		form = FormLegacyLibrary
	case FormLibraryBlock, FormCollection, FormContainer:
		form = FormLibrary
	case FormAsideUsage1, FormAsideUsage2:
		return k.inner().context()
	default:
		return key{}, false
	}
	shift := len(forms[form].lead) - k.body()
	move := func(at uint16) uint16 {
		if at == 0 {
			return 0
		}
		return uint16(int(at) + shift)
	}
	return key{
		s: forms[form].lead + k.s[k.body():end], form: form,
		org: move(k.org), crs: move(k.crs), run: move(k.run), branch: move(k.branch), ver: move(k.ver),
	}, true
}
