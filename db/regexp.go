package db

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// The patterns of Open edX's CHECK constraints (content-schema.md §2.1, §8), as SQLite's catalogue has them. Go's
// regexp knows neither \Z nor a Unicode \w, so each is answered by a function of its own, with the meaning that Python's
// re.search gives it. The constraints run on every insert of a component, so that is also the fast way.
var patterns = map[string]func(string) bool{
	`^[a-zA-Z0-9_.-]+\Z`:         func(s string) bool { return s != "" && spanASCIICode(s) == len(s) },
	`^[\w.-]+\Z`:                 isUnicodeCode,
	`^[a-z0-9\-_\.]+$`:           func(s string) bool { n := spanTypeCode(s); return n > 0 && atEnd(s[n:]) },
	`^[a-z][a-z](\-[a-z0-9]+)*$`: isLanguage,
}

// sqliteRegexp is SQLite's function behind X REGEXP Y, called with (Y, X). It answers as the function that Django gives
// its connections does: NULL for NULL, other values by their text. Any pattern but ours is an error.
func sqliteRegexp(pattern, text driver.Value) (driver.Value, error) {
	if pattern == nil || text == nil {
		return nil, nil
	}
	p, ok := pattern.(string)
	match := patterns[p]
	if !ok || match == nil {
		return nil, fmt.Errorf("regexp: lectern does not know the pattern %q", pattern)
	}
	switch x := text.(type) {
	case string:
		return match(x), nil
	case int64:
		return match(strconv.FormatInt(x, 10)), nil
	case float64:
		return match(strconv.FormatFloat(x, 'g', -1, 64)), nil
	}
	return false, nil // Python's text of bytes has quotes, which no pattern accepts
}

// spanASCIICode returns the length of the longest prefix of [a-zA-Z0-9_.-].
func spanASCIICode(s string) int {
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-') {
			return i
		}
	}
	return len(s)
}

// spanTypeCode returns the length of the longest prefix of [a-z0-9\-_\.].
func spanTypeCode(s string) int {
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-') {
			return i
		}
	}
	return len(s)
}

// isUnicodeCode is [\w.-]+ to the very end: \w is a letter, a number of any kind or an underscore; combining marks are
// none (content-model.md §3).
func isUnicodeCode(s string) bool {
	for i := spanASCIICode(s); i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !(unicode.IsLetter(r) || unicode.IsNumber(r) || r == '_' || r == '.' || r == '-') || r == utf8.RuneError && size == 1 {
			return false
		}
		i += size
	}
	return s != ""
}

func isLanguage(s string) bool {
	lower := func(c byte) bool { return 'a' <= c && c <= 'z' }
	if len(s) < 2 || !lower(s[0]) || !lower(s[1]) {
		return false
	}
	for s = s[2:]; len(s) > 1 && s[0] == '-'; {
		n := 1
		for n < len(s) && (lower(s[n]) || '0' <= s[n] && s[n] <= '9') {
			n++
		}
		if n == 1 {
			return false
		}
		s = s[n:]
	}
	return atEnd(s)
}

// atEnd is Python's $ without MULTILINE: the end, or before one newline at the end.
func atEnd(rest string) bool { return rest == "" || rest == "\n" }
