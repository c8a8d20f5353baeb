package pyjson

import (
	"slices"
	"strings"
)

// Kind is the JSON type of a value.
type Kind uint8

// The JSON types. The zero Kind is null.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Value is a JSON value. It is not changed by this package once parsed, so it may be shared between goroutines.
type Value struct {
	Kind Kind
	// Text is the decoded string, the number as written (NaN, Infinity and -Infinity included), or true or false.
	// Half of a surrogate pair, which Python's JSON can hold and UTF-8 cannot, is there in its three-byte form.
	Text string
	// Items are the elements of an array, or the values of an object beside its Keys.
	Items []Value
	// Keys are the keys of an object, in the order of the source, each once.
	Keys []string
}

// Str makes a string value.
func Str(s string) Value { return Value{Kind: String, Text: s} }

// Num makes a number value of its spelling.
func Num(s string) Value { return Value{Kind: Number, Text: s} }

// Boolean makes true or false.
func Boolean(b bool) Value {
	if b {
		return Value{Kind: Bool, Text: "true"}
	}
	return Value{Kind: Bool, Text: "false"}
}

// IsTrue reports whether v is true.
func (v Value) IsTrue() bool { return v.Kind == Bool && v.Text == "true" }

// Lookup returns the value of a key of an object, and whether there is one.
func (v Value) Lookup(key string) (Value, bool) {
	if i := slices.Index(v.Keys, key); i >= 0 && v.Kind == Object {
		return v.Items[i], true
	}
	return Value{}, false
}

// With returns an object with key set to item, in its old place or at the end. v itself stays as it is.
func (v Value) With(key string, item Value) Value {
	out := Value{Kind: Object, Keys: slices.Clone(v.Keys), Items: slices.Clone(v.Items)}
	if i := slices.Index(out.Keys, key); i >= 0 {
		out.Items[i] = item
		return out
	}
	out.Keys, out.Items = append(out.Keys, key), append(out.Items, item)
	return out
}

// Sorted returns v with the keys of every object in it in the order of their characters.
func (v Value) Sorted() Value {
	if len(v.Items) == 0 {
		return v
	}
	out := Value{Kind: v.Kind, Items: make([]Value, len(v.Items))}
	if v.Kind == Array {
		for i := range v.Items {
			out.Items[i] = v.Items[i].Sorted()
		}
		return out
	}
	out.Keys = make([]string, len(v.Keys))
	for i, j := range order(v.Keys) {
		out.Keys[i], out.Items[i] = v.Keys[j], v.Items[j].Sorted()
	}
	return out
}

// order returns the indexes of keys in the order of the keys.
func order(keys []string) []int {
	idx := make([]int, len(keys))
	for i := range idx {
		idx[i] = i
	}
	slices.SortFunc(idx, func(a, b int) int { return strings.Compare(keys[a], keys[b]) })
	return idx
}

// Equal reports whether two values are the same but for the order of keys. Numbers are compared by their spelling.
func Equal(a, b Value) bool {
	if a.Kind != b.Kind || a.Text != b.Text || len(a.Items) != len(b.Items) {
		return false
	}
	if a.Kind == Object {
		ia, ib := order(a.Keys), order(b.Keys)
		for i := range ia {
			if a.Keys[ia[i]] != b.Keys[ib[i]] || !Equal(a.Items[ia[i]], b.Items[ib[i]]) {
				return false
			}
		}
		return true
	}
	return slices.EqualFunc(a.Items, b.Items, Equal)
}

// Strings returns v with every string in it, keys excepted, replaced by what fn returns for it, and whether any of them
// changed. Without a change it is v itself.
func (v Value) Strings(fn func(string) string) (Value, bool) {
	switch v.Kind {
	case String:
		s := fn(v.Text)
		return Str(s), s != v.Text
	case Array, Object:
		var items []Value
		for i := range v.Items {
			item, changed := v.Items[i].Strings(fn)
			if changed && items == nil {
				items = slices.Clone(v.Items)
			}
			if changed {
				items[i] = item
			}
		}
		if items != nil {
			return Value{Kind: v.Kind, Items: items, Keys: v.Keys}, true
		}
	}
	return v, false
}
