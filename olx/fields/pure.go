package fields

import (
	"regexp"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/pyjson"
)

// ReadPure reads the text of an attribute in dialect P (olx.md §1.8.2): a string as it is, all else as JSON or as a plain
// YAML scalar. Keys that stand twice in an object are named.
func ReadPure(t Type, text string) (v courseware.Value, twice []string) {
	text = Clean(text)
	if t == String || t == Key {
		return Normal(t, courseware.Text(text)), nil
	}
	p, twice, err := pyjson.Parse(text)
	if err != nil {
		p, twice = scalar(text), nil
	}
	return Normal(t, Value(p.Sorted())), twice
}

// WritePure writes a value in dialect P: a string as it is, all else as JSON with two spaces of indent and sorted keys.
// ok is false for a null string, which no attribute can say.
func WritePure(t Type, v courseware.Value) (text string, ok bool) {
	p := Parse(Normal(t, v))
	if t == String || t == Key {
		return p.Text, p.Kind == pyjson.String
	}
	return p.Indented(2), true
}

var (
	yamlInt   = regexp.MustCompile(`^[-+]?(0|[1-9][0-9_]*)$`)
	yamlFloat = regexp.MustCompile(`^([-+]?)([0-9][0-9_]*)?\.([0-9_]*)([eE][-+][0-9]+)?$`)
)

// scalar reads a YAML 1.1 scalar, no more of YAML than that: no anchors, tags, aliases or blocks.
func scalar(text string) pyjson.Value {
	s := strings.TrimSpace(text)
	switch s {
	case "", "~", "null", "Null", "NULL":
		return pyjson.Value{}
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE":
		return pyjson.Boolean(true)
	case "n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE":
		return pyjson.Boolean(false)
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF":
		return pyjson.Num("Infinity")
	case "-.inf", "-.Inf", "-.INF":
		return pyjson.Num("-Infinity")
	case ".nan", ".NaN", ".NAN":
		return pyjson.Num("NaN")
	}
	plain := strings.ReplaceAll(strings.TrimPrefix(s, "+"), "_", "")
	if yamlInt.MatchString(s) {
		return pyjson.Num(plain)
	}
	if m := yamlFloat.FindStringSubmatch(s); m != nil && m[2]+m[3] != "" {
		digit := func(s string) string {
			if s = strings.ReplaceAll(s, "_", ""); s == "" {
				return "0"
			}
			return s
		}
		whole := strings.TrimLeft(digit(m[2]), "0")
		return pyjson.Num(strings.TrimPrefix(m[1], "+") + digit(whole) + "." + digit(m[3]) + m[4])
	}
	return pyjson.Str(text)
}
