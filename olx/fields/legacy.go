package fields

import (
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/pyjson"
)

// ReadLegacy reads the text of an attribute in dialect L (olx.md §1.8.1): as JSON where it is JSON that the type takes,
// else as the text itself. Keys that stand twice in an object are named.
func ReadLegacy(t Type, text string) (v courseware.Value, twice []string) {
	text = Clean(text)
	p, twice, err := pyjson.Parse(text)
	if err != nil || !accepts(t, p) {
		return Normal(t, courseware.Text(text)), nil
	}
	return Normal(t, Value(p)), twice
}

// WriteLegacy writes a value in dialect L: texts as they are, all else as JSON on one line with the keys in their order.
// A text that would be read back as something else is written as a JSON string, so that reading returns what was written.
func WriteLegacy(t Type, v courseware.Value) string {
	v = Normal(t, v)
	p := Parse(v)
	if p.Kind != pyjson.String {
		return p.Line()
	}
	if back, _ := ReadLegacy(t, p.Text); back == v {
		return p.Text
	}
	if quoted := p.Line(); accepts(t, p) {
		return quoted
	}
	return p.Text
}
