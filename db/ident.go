package db

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/fault"
)

// CheckIdentifier refuses what cannot be an identifier in every engine: text of more than limit characters (SQLite
// stores them silently), text that is not UTF-8 or has a NUL, and text that ends in a space, which the MySQL family's
// binary collations ignore, so that "x" and "x " would be one key there (design.md §4). It is for keys, codes and paths
// and must be asked before they reach SQL. The empty identifier is accepted. The error is a fault.Invalid.
func CheckIdentifier(s string, limit int) error {
	switch {
	case !utf8.ValidString(s):
		return fault.Errorf(fault.Invalid, fmt.Sprintf("%q", s), "is not UTF-8 text")
	case strings.IndexByte(s, 0) >= 0:
		return fault.Errorf(fault.Invalid, fmt.Sprintf("%q", s), "has a NUL character")
	case strings.HasSuffix(s, " "):
		return fault.Errorf(fault.Invalid, fmt.Sprintf("%q", s), "ends in a space, which some databases ignore")
	case len(s) > limit && utf8.RuneCountInString(s) > limit:
		return fault.Errorf(fault.Invalid, fmt.Sprintf("%.40q…", s), "has more than %d characters", limit)
	}
	return nil
}

func textError(why string) error {
	err := &conditionError{cond: ErrText, cause: errors.New(why)}
	return &fault.Error{Kind: fault.Invalid, Text: err.Error(), Err: err}
}
