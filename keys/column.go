package keys

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How keys go into text and database columns and come back (keys.md §3.4, §7). In both, the empty text is the zero key.

func (k *key) unmarshal(kind Kind, b []byte) error {
	if len(b) == 0 {
		*k = key{}
		return nil
	}
	n, err := parsed(kind, string(b))
	if err == nil {
		*k = n
	}
	return err
}

// scanColumn reads a column. NULL and "" are the zero key. Text that ends in LF loses all its trailing white space
// first, as old rows may have it; other white space is not cut, and so is refused.
func (k *key) scanColumn(kind Kind, src any) error {
	var s string
	switch v := src.(type) {
	case nil:
	case string:
		s = v
	case []byte:
		s = string(v)
	default:
		return fail(kind, fmt.Sprintf("%v", v), fmt.Sprintf("a column of type %T holds no key", v))
	}
	if strings.HasSuffix(s, "\n") {
		s = strings.TrimRightFunc(s, space)
	}
	if s == "" {
		*k = key{}
		return nil
	}
	n, err := parsed(kind, s)
	if err == nil {
		*k = n
	}
	return err
}

// space reports what Python strips: the information separators are white space to it.
func space(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

// maxColumn is the width of Open edX's key columns, in code points.
const maxColumn = 255

// column returns the text to store: without branch and version. It refuses what a column cannot give back unchanged.
func (k key) column(kind Kind) (driver.Value, error) {
	st, err := k.stored(kind)
	if err != nil {
		return nil, err
	}
	s := st.s
	switch {
	case len(s) > maxColumn && utf8.RuneCountInString(s) > maxColumn:
		return nil, fail(kind, s, "longer than the 255 characters of a column")
	case strings.IndexByte(s, 0) >= 0:
		return nil, fail(kind, s, "a column cannot hold the character NUL")
	case strings.HasSuffix(s, "\n"), strings.HasSuffix(s, " "):
		// Readers cut a final LF, and MySQL's collations ignore final spaces.
		return nil, fail(kind, s, "a column does not keep a line break or space at the end")
	}
	return s, nil
}
