package courseware

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Value is the JSON text of a field, compact or not, with numbers and key order as the source wrote them
// (olx.md §7 law 23: never through float64). The zero Value is absent, which is not null.
type Value string

// Null is the explicit null.
const Null Value = "null"

// Text makes the Value of a string.
func Text(s string) Value {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // strings always encode
	}
	return Value(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// Text returns the string a Value holds; ok is false for any other JSON type.
func (v Value) Text() (s string, ok bool) {
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal([]byte(v), &s) == nil
}

// IsNull reports whether v is the explicit null.
func (v Value) IsNull() bool { return v == Null }

// Field is one explicitly set field.
type Field struct {
	Name  string
	Value Value
}

// Fields is a list of explicitly set fields, each name at most once.
type Fields []Field

// Lookup returns the value of a field; ok is false when it is not set.
func (f Fields) Lookup(name string) (v Value, ok bool) {
	for i := range f {
		if f[i].Name == name {
			return f[i].Value, true
		}
	}
	return "", false
}

// Text returns the string value of a field; ok is false when it is not set or not a string.
func (f Fields) Text(name string) (string, bool) {
	v, ok := f.Lookup(name)
	if !ok {
		return "", false
	}
	return v.Text()
}

// With returns the fields with name set to v, in its old place or at the end. The receiver is not changed.
func (f Fields) With(name string, v Value) Fields {
	out := slices.Clone(f)
	for i := range out {
		if out[i].Name == name {
			out[i].Value = v
			return out
		}
	}
	return append(out, Field{name, v})
}

// Without returns the fields without name. The receiver is not changed.
func (f Fields) Without(name string) Fields {
	return slices.DeleteFunc(slices.Clone(f), func(x Field) bool { return x.Name == name })
}
