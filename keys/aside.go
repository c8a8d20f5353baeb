package keys

import (
	"strings"
	"unicode/utf8"
)

// An aside is a key that wraps another and adds a name: PREFIX:enc(wrapped)::enc(name) (keys.md §4). The two versions
// differ in how they escape and in which "::" divides them.

// readAside reads an aside of the given form. The wrapped key is read by its kind, so what that refuses is refused here.
func (k *key) readAside(s string, form Form) string {
	*k = key{s: s, form: form}
	body := s[k.body():]
	v1 := form.firstAside()
	at := strings.LastIndex(body, "::")
	if v1 {
		at = strings.Index(body, "::")
	}
	left, right, written := body, "", at >= 0
	switch {
	case written:
		left, right = body[:at], body[at+2:]
	case !v1:
		return "want :: between the wrapped key and the aside type"
	}
	if !utf8.ValidString(right) {
		return whyUTF8
	}
	text, ok := form.unescape(left)
	if !ok {
		return "the wrapped key is not escaped as it must be"
	}
	if _, ok := form.unescape(right); !ok {
		return "the aside type is not escaped as it must be"
	}
	var inner key
	if why := inner.read(form.wraps(), text); why != "" {
		return why
	}
	if v1 && !wrappable(inner.s) {
		return whyWrap
	}
	if inner.s != text || !written {
		left = form.escape(inner.s)
		k.s = forms[form].lead + left + "::" + right
		if len(k.s) > maxLen {
			return whyLong
		}
	}
	k.org = uint16(k.body() + len(left))
	return ""
}

const whyWrap = "an aside of version 1 cannot wrap a key with :: in it or : at its end"

// wrappable reports whether an aside of version 1 can hold this key: else its "::" could be read in two places.
func wrappable(s string) bool { return !strings.Contains(s, "::") && !strings.HasSuffix(s, ":") }

// wrap makes the aside of the given form around k.
func (k key) wrap(form Form, asideType string) (key, error) {
	kind := form.kind()
	switch {
	case k.s == "":
		return key{}, fail(kind, "", whyZero)
	case form.firstAside() && !wrappable(k.s):
		return key{}, fail(kind, k.s, whyWrap)
	}
	return parsed(kind, forms[form].lead+form.escape(k.s)+"::"+form.escape(asideType))
}

// inner returns the key that an aside wraps.
func (k key) inner() key {
	text, _ := k.form.unescape(k.s[k.body():k.org]) // the parser has decoded and read it before
	var in key
	in.read(k.form.wraps(), text)
	return in
}

// base returns the key inside all asides, k itself when it is none.
func (k key) base() key {
	for k.form.aside() {
		k = k.inner()
	}
	return k
}

func (k key) asideType() (string, bool) {
	if !k.form.aside() {
		return "", false
	}
	t, _ := k.form.unescape(k.s[k.org+2:])
	return t, true
}

func (f Form) firstAside() bool { return f == FormAsideUsage1 || f == FormAsideDefinition1 }

// wraps returns the kind of the key inside an aside.
func (f Form) wraps() Kind {
	if f == FormAsideUsage1 || f == FormAsideUsage2 {
		return KindUsage
	}
	return KindDefinition
}

func (f Form) kind() Kind {
	if f.wraps() == KindUsage {
		return KindAsideUsage
	}
	return KindAsideDefinition
}

func (f Form) escape(s string) string {
	if f.firstAside() {
		// Both replacements in one pass from the left, which is what replacing $ first amounts to.
		return escape1.Replace(s)
	}
	return escape2.Replace(s)
}

var (
	escape1 = strings.NewReplacer("$", "$$", "::", "$::")
	escape2 = strings.NewReplacer("$", "$$", ":", "$:")
)

// unescape undoes escape, and refuses what escape cannot have written. It allocates only where there is an escape.
func (f Form) unescape(s string) (string, bool) {
	if f.firstAside() {
		return unescape1(s)
	}
	return unescape2(s)
}

func unescape1(s string) (string, bool) {
	if strings.IndexByte(s, '$') < 0 {
		return s, !strings.Contains(s, "::")
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		rest := s[i:]
		switch {
		case strings.HasPrefix(rest, "$$"):
			b.WriteByte('$')
			i += 2
		case strings.HasPrefix(rest, "$::"):
			b.WriteString("::")
			i += 3
		// The last one: of three colons the first two would have been escaped.
		case rest[0] == '$', strings.HasPrefix(rest, "::"), strings.HasPrefix(rest, ":$::"):
			return "", false
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String(), true
}

func unescape2(s string) (string, bool) {
	if strings.IndexByte(s, '$') < 0 {
		return s, strings.IndexByte(s, ':') < 0
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ':':
			return "", false
		case c != '$':
			b.WriteByte(c)
		case i+1 < len(s) && (s[i+1] == '$' || s[i+1] == ':'):
			i++
			b.WriteByte(s[i])
		default:
			return "", false
		}
	}
	return b.String(), true
}
