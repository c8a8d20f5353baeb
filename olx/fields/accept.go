package fields

import (
	"strconv"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/pyjson"
	"github.com/openlectern/lectern/olx/xmltree"
)

// Parse reads the JSON text of a value. A text that is not JSON, which no reader of this program makes, is taken as a
// string.
func Parse(v courseware.Value) pyjson.Value {
	p, _, err := pyjson.Parse(string(v))
	if err != nil {
		return pyjson.Str(string(v))
	}
	return p
}

// Value makes a courseware value of JSON.
func Value(p pyjson.Value) courseware.Value { return courseware.Value(p.Plain()) }

// accepts reports whether a field of type t takes a value of this JSON type (olx.md §1.8.1). Null is taken by all.
func accepts(t Type, v pyjson.Value) bool {
	if v.Kind == pyjson.Null {
		return true
	}
	switch t {
	case Boolean:
		return true
	case Integer, Float:
		return isNumber(t, v)
	case List, KeyList:
		return v.Kind == pyjson.Array
	case Dict, KeyMap:
		return v.Kind == pyjson.Object
	case Date:
		if v.Kind == pyjson.String {
			_, ok := parseDate(v.Text)
			return ok || v.Text == ""
		}
		return v.Kind == pyjson.Number
	case RelativeTime:
		if v.Kind == pyjson.String {
			_, ok := parseRelative(v.Text)
			return ok || v.Text == ""
		}
		return v.Kind == pyjson.Number
	}
	return v.Kind == pyjson.String
}

func isNumber(t Type, v pyjson.Value) bool {
	switch v.Kind {
	case pyjson.Number:
		return true
	case pyjson.String:
		s := strings.TrimSpace(v.Text)
		if s == "" {
			return v.Text == ""
		}
		if t == Integer {
			return isDigits(strings.TrimLeft(s[:1], "+-") + s[1:])
		}
		_, err := strconv.ParseFloat(s, 64)
		return err == nil || isDigits(s)
	}
	return false
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// Normal returns the form in which a value of type t is kept: dates and durations in the one spelling they are written in
// where they can be read, strings without the characters that XML cannot hold, a value that the type does not take as
// its JSON text. Normal(Normal(v)) is Normal(v).
func Normal(t Type, v courseware.Value) courseware.Value {
	p := Parse(v)
	if !accepts(t, p) && p.Kind != pyjson.String {
		p = pyjson.Str(p.Line())
	}
	switch {
	case p.Kind == pyjson.String:
		if s, ok := normalText(t, p.Text); ok {
			return courseware.Text(s)
		}
		return courseware.Text(Clean(p.Text))
	case p.Kind == pyjson.Number && t == Date:
		if s, ok := dateOfMillis(p.Text); ok {
			return courseware.Text(s)
		}
	case p.Kind == pyjson.Number && t == RelativeTime:
		if s, ok := relativeOfSeconds(p.Text); ok {
			return courseware.Text(s)
		}
	}
	return Value(p)
}

func normalText(t Type, s string) (string, bool) {
	switch t {
	case Date:
		return normalDate(s)
	case Timedelta:
		return normalDelta(s)
	case RelativeTime:
		return normalRelative(s)
	}
	return "", false
}

// Clean returns s without the characters that XML cannot hold (olx.md §5.2).
func Clean(s string) string {
	if xmltree.IsLegal(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if !xmltree.IsLegal(string(r)) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// Readable reports whether a stored value can be used as its type says; where not, the field counts as null and its text
// is only kept (olx.md §1.8.1).
func Readable(t Type, v courseware.Value) bool {
	p := Parse(v)
	if t == Timedelta && p.Kind == pyjson.String {
		_, ok := parseDelta(p.Text)
		return ok
	}
	return accepts(t, p)
}

// Bool returns what a stored value says as a boolean: of strings `true` in any case alone is true, of other values what
// is not empty or zero (olx.md §1.8.1).
func Bool(v courseware.Value) bool {
	switch p := Parse(v); p.Kind {
	case pyjson.Bool:
		return p.IsTrue()
	case pyjson.String:
		return strings.EqualFold(p.Text, "true")
	case pyjson.Number:
		mantissa, _, _ := strings.Cut(strings.ToLower(p.Text), "e")
		return strings.Trim(mantissa, "-0.") != ""
	case pyjson.Array, pyjson.Object:
		return len(p.Items) > 0
	}
	return false
}
