package keys

import (
	"strings"
	"unicode/utf8"
)

// htmlID returns the block id, and for the old forms their fields joined by - and cleaned (keys.md §2.5).
func (k key) htmlID(tag string) string {
	if !k.form.Deprecated() {
		return k.idText()
	}
	return clean(strings.Join([]string{tag, k.orgText(), k.code(), k.typeText(), k.idText()}, "-"))
}

// clean writes _ for every character outside letters, numbers, _ and -, and one _ for several.
func clean(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		j := scan(s, i, classWord)
		for _, c := range []byte(s[i:j]) {
			if c != '_' {
				b.WriteByte(c)
			} else {
				underscore(&b)
			}
		}
		if i = j; i == len(s) {
			break
		}
		if s[i] == '-' {
			b.WriteByte('-')
			i++
			continue
		}
		underscore(&b)
		_, n := utf8.DecodeRuneInString(s[i:])
		i += n
	}
	return b.String()
}

func underscore(b *strings.Builder) {
	if t := b.String(); t == "" || t[len(t)-1] != '_' {
		b.WriteByte('_')
	}
}
