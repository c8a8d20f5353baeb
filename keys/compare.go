package keys

import (
	"cmp"
	"strings"
)

// compare orders two keys of one kind by their fields, then by form (keys.md §3.3, §7). UTF-8 sorts as code points do,
// and lower-case hexadecimal digits as the bytes they stand for, so fields compare as texts.
func compare(a, b key) int {
	switch {
	case a == b:
		return 0
	case a.s == "":
		return -1
	case b.s == "":
		return 1
	}
	switch aa, ba := a.form.aside(), b.form.aside(); {
	case aa && ba:
		return compareAsides(a, b)
	case aa:
		return 1
	case ba:
		return -1
	}
	var c int
	switch a.form {
	case FormDefinition, FormBundle:
		c = compareDefinitions(a, b)
	case FormBlockType, FormBareType:
		c = cmp.Or(strings.Compare(a.family(), b.family()), strings.Compare(a.blockType(), b.blockType()))
	default:
		c = compareFields(a, b)
	}
	return cmp.Or(c, cmp.Compare(a.form, b.form))
}

func compareFields(a, b key) int {
	if c := optional(a.orgText(), a.org != 0, b.orgText(), b.org != 0); c != 0 {
		return c
	}
	if c := optional(a.code(), a.crs != 0, b.code(), b.crs != 0); c != 0 {
		return c
	}
	ar, aok := a.runText()
	br, bok := b.runText()
	if c := optional(ar, aok, br, bok); c != 0 {
		return c
	}
	ar, aok = a.branchText()
	br, bok = b.branchText()
	if c := optional(ar, aok, br, bok); c != 0 {
		return c
	}
	ar, aok = a.versionText()
	br, bok = b.versionText()
	if c := optional(ar, aok, br, bok); c != 0 {
		return c
	}
	return cmp.Or(strings.Compare(a.typeText(), b.typeText()), strings.Compare(a.idText(), b.idText()))
}

// optional puts an absent field before a present one, even an empty one.
func optional(a string, aok bool, b string, bok bool) int {
	switch {
	case aok && bok:
		return strings.Compare(a, b)
	case aok:
		return 1
	case bok:
		return -1
	}
	return 0
}

func compareDefinitions(a, b key) int {
	da, db := Definition{a}, Definition{b}
	if c := cmp.Or(strings.Compare(da.ID(), db.ID()), strings.Compare(da.Type(), db.Type())); c != 0 {
		return c
	}
	av, aok := a.bundleVersion()
	bv, bok := b.bundleVersion()
	if c := optional(a.bundlePath(), aok, b.bundlePath(), bok); c != 0 {
		return c
	}
	ai, bi := integer(av), integer(bv)
	switch {
	case ai && bi: // without leading zeros the longer number is the greater
		return cmp.Or(cmp.Compare(len(av), len(bv)), strings.Compare(av, bv))
	case ai && bok:
		return -1
	case bi && aok:
		return 1
	}
	return optional(av, aok, bv, bok)
}

func compareAsides(a, b key) int {
	if c := compare(a.inner(), b.inner()); c != 0 {
		return c
	}
	at, _ := a.asideType()
	bt, _ := b.asideType()
	return cmp.Or(strings.Compare(at, bt), cmp.Compare(a.form, b.form))
}
