package modulestore

import (
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore/bson"
)

// FieldsOf reads an object of fields in stored order; of equal names the last counts. clean is false where a text was not
// what the stores promise (modulestore.md A15).
func FieldsOf(d bson.Doc) (f courseware.Fields, clean bool) {
	clean = true
	var text []byte
	for key, v := range d.All() {
		var ok bool
		text, ok = bson.AppendJSON(text[:0], v)
		clean = clean && ok
		name, value := string(key), courseware.Value(text)
		if _, twice := f.Lookup(name); twice {
			f = f.With(name, value)
			continue
		}
		if f == nil {
			f = make(courseware.Fields, 0, d.Len())
		}
		f = append(f, courseware.Field{Name: name, Value: value})
	}
	return f, clean
}

// Person returns the id of a person, nil for none. Some are negative: commands and the system (modulestore.md OM-16).
func Person(v bson.Value) *int64 {
	n, ok := v.Int()
	if !ok {
		return nil
	}
	return &n
}
