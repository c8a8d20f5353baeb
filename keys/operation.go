package keys

// Operations on branch and version (keys.md §2.5). Each makes a new text and reads it again, so whatever a parser
// refuses no operation can make. An operation that changes nothing returns the key itself.

// withBranch sets the branch and drops the version, which belonged to the old branch.
func (k key) withBranch(kind Kind, branch string) (key, error) {
	switch k.form {
	case FormI4x, FormC4x:
		if !all(branch, classBID) {
			return key{}, fail(kind, branch, "not a branch")
		}
		return parsed(kind, k.s[:k.id]+"@"+branch)
	case FormCourse, FormLegacyLibrary, FormBlock, FormLegacyBlock, FormAsset:
		if !all(branch, classID) {
			return key{}, fail(kind, branch, "not a branch")
		}
		if k.plain() == 0 {
			return key{}, fail(kind, k.s, whyOnlyVer)
		}
		return parsed(kind, k.s[:k.plain()]+"+branch@"+branch+k.s[k.course():])
	case 0:
		return key{}, fail(kind, k.s, whyZero)
	}
	return key{}, fail(kind, k.s, whyNoBranch)
}

func (k key) withoutBranch(kind Kind) (key, error) {
	switch k.form {
	case FormI4x, FormC4x:
		if k.branch != 0 {
			k.s, k.branch = k.s[:k.id], 0
		}
		return k, nil
	case FormCourse, FormLegacyLibrary, FormBlock, FormLegacyBlock, FormAsset:
		switch {
		case k.plain() == 0:
			return key{}, fail(kind, k.s, whyOnlyVer)
		case k.branch == 0 && k.ver == 0:
			return k, nil
		}
		return parsed(kind, k.s[:k.plain()]+k.s[k.course():])
	case FormAsideUsage1, FormAsideUsage2, FormAsideDefinition1, FormAsideDefinition2:
		return key{}, fail(kind, k.s, whyNoBranch)
	}
	return k, nil
}

func (k key) withVersion(kind Kind, v Version) (key, error) {
	switch k.form {
	case FormCourse, FormLegacyLibrary, FormBlock, FormLegacyBlock, FormAsset:
		head := k.s[:max(k.plain(), k.branch)] + "+"
		if k.plain() == 0 {
			head = forms[k.form].lead
		}
		return parsed(kind, head+"version@"+v.String()+k.s[k.course():])
	case 0:
		return key{}, fail(kind, k.s, whyZero)
	}
	return key{}, fail(kind, k.s, whyNoVer)
}

func (k key) withoutVersion(kind Kind) (key, error) {
	switch k.form {
	case FormCourse, FormLegacyLibrary, FormBlock, FormLegacyBlock, FormAsset:
		switch {
		case k.plain() == 0:
			return key{}, fail(kind, k.s, whyOnlyVer)
		case k.ver == 0:
			return k, nil
		}
		return parsed(kind, k.s[:max(k.plain(), k.branch)]+k.s[k.course():])
	case FormAsideUsage1, FormAsideUsage2, FormAsideDefinition1, FormAsideDefinition2:
		return key{}, fail(kind, k.s, whyNoVer)
	}
	return k, nil
}

// versionOnly keeps the version of the course part and drops everything else of it.
func (k key) versionOnly(kind Kind) (key, error) {
	v, ok := k.versionText()
	if !ok || k.form == FormBundle {
		return key{}, fail(kind, k.s, "names no version")
	}
	if k.plain() == 0 {
		return k, nil
	}
	return parsed(kind, forms[k.form].lead+"version@"+v+k.s[k.course():])
}

// stored returns what a column holds: no branch, no version. Asides have neither, so one inside them stays.
func (k key) stored(kind Kind) (key, error) {
	if k.form.aside() {
		return k, nil
	}
	return k.withoutBranch(kind)
}

// block makes the key of a block or asset in the course or library k. Type and id are of the classes given, so that
// neither can be read as another field.
func (k key) block(kind Kind, form Form, typ string, typeClass class, id string, idClass class) (key, error) {
	switch {
	case !all(typ, typeClass):
		return key{}, fail(kind, typ, "not a block type")
	case !all(id, idClass):
		return key{}, fail(kind, id, "not a block id")
	}
	lead, course := forms[form].lead, k.s[k.body():]
	switch form {
	case FormLibraryBlock, FormContainer:
		return parsed(kind, lead+course+":"+typ+":"+id)
	}
	return parsed(kind, lead+course+"+type@"+typ+"+block@"+id)
}

// oldBlock makes an i4x or c4x key; the type is any text without a slash.
func oldBlock(kind Kind, form Form, org, course, typ, id string) (key, error) {
	return parsed(kind, forms[form].lead+org+"/"+course+"/"+typ+"/"+id)
}
