package backup

import (
	"errors"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// maxNesting is how deep arrays and inline tables may stand in each other: the parser follows them by calling itself.
const maxNesting = 50

// decode reads a TOML file. What is wrong with it is added to the problems.
func decode(content []byte, file string, problems *Problems) (map[string]any, bool) {
	if !utf8.Valid(content) {
		problems.add(file, "", "", CodeEncoding, "the file is not UTF-8")
		return nil, false
	}
	if !shallow(content) {
		problems.add(file, "", "", CodeTOML, "brackets more than %d deep", maxNesting)
		return nil, false
	}
	var t map[string]any
	err := toml.Unmarshal(content, &t)
	var where *toml.DecodeError
	switch {
	case errors.As(err, &where):
		line, column := where.Position()
		problems.add(file, "", "", CodeTOML, "not valid TOML: %s at line %d, column %d", where.Error(), line, column)
	case err != nil:
		problems.add(file, "", "", CodeTOML, "not valid TOML: %v", err)
	}
	return t, err == nil
}

// shallow reports whether brackets outside of strings and comments are not too deep. Text that is not TOML may be
// counted wrong, towards too deep.
func shallow(b []byte) bool {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '[', '{':
			if depth++; depth > maxNesting {
				return false
			}
		case ']', '}':
			depth = max(depth-1, 0)
		case '#':
			for i < len(b) && b[i] != '\n' {
				i++
			}
		case '"', '\'':
			i = endOfString(b, i)
		}
	}
	return true
}

// endOfString returns where the string that begins at i ends. Where it does not, the parser goes no further, and this goes
// to the end of the line or file.
func endOfString(b []byte, i int) int {
	quote := b[i]
	if len(b) > i+2 && b[i+1] == quote && b[i+2] == quote {
		for j := i + 3; j < len(b); j++ {
			switch {
			case b[j] == '\\' && quote == '"':
				j++
			case b[j] == quote && j+2 < len(b) && b[j+1] == quote && b[j+2] == quote:
				return j + 2
			}
		}
		return len(b)
	}
	j := i + 1
	for ; j < len(b) && b[j] != '\n'; j++ {
		switch {
		case b[j] == '\\' && quote == '"':
			j++
		case b[j] == quote:
			return j
		}
	}
	return j
}
