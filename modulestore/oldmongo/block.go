package oldmongo

import (
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// blockOf reads the fields of a document. Values keep the form they are stored in; package fields knows which spellings
// of dates and durations mean what (modulestore.md §1.4).
func blockOf(id courseware.BlockID, children []courseware.BlockID, d bson.Doc) *modulestore.Block {
	definition, _ := d.Lookup("definition").Doc()
	metadata, _ := d.Lookup("metadata").Doc()
	b := &modulestore.Block{ID: id, Children: children, Listed: definition.Lookup("children").Exists()}
	b.Content = contentOf(definition.Lookup("data"))
	b.Settings, _ = modulestore.FieldsOf(metadata)
	b.Settings = renamed(id.Type, b.Settings)
	b.Edit = editOf(d, metadata)
	return b
}

// contentOf reads the content-scoped fields: an object, or in older documents a bare text, which is the field data. Null
// says nothing (OM-8).
func contentOf(v bson.Value) courseware.Fields {
	if _, ok := v.Text(); ok {
		value, _ := bson.AppendJSON(nil, v)
		return courseware.Fields{{Name: "data", Value: courseware.Value(value)}}
	}
	if v.Type != bson.Document {
		return nil
	}
	d, _ := v.Doc()
	content, _ := modulestore.FieldsOf(d)
	if data, ok := content.Lookup("data"); ok && data.IsNull() {
		content = content.Without("data")
	}
	return content
}

// renames are the settings that were called otherwise once (OM-13).
var renames = []struct{ old, now, only string }{
	{"slug", "url_name", ""}, {"name", "display_name", ""}, {"attempts", "max_attempts", "problem"},
}

// renamed gives settings the names and values that Open edX gives them when it loads a block: an old name wins over the
// new one (OM-13, OM-14). What importers of 2013 left among them goes with the edit times (OM-24).
func renamed(blockType string, f courseware.Fields) courseware.Fields {
	for _, r := range renames {
		if r.only != "" && r.only != blockType {
			continue
		}
		if v, ok := f.Lookup(r.old); ok {
			f = f.Without(r.old).With(r.now, v)
		}
	}
	if v, ok := f.Text("rerandomize"); ok && blockType == "problem" {
		switch v {
		case "true", "":
			f = f.With("rerandomize", courseware.Text("always"))
		case "false":
			f = f.With("rerandomize", courseware.Text("per_student"))
		}
	}
	for _, name := range []string{"published_by", "published_date"} {
		if _, ok := f.Lookup(name); ok {
			f = f.Without(name)
		}
	}
	return f
}

// editOf reads who wrote the document when; before 2014 only the last publish was kept, among the settings (OM-24).
func editOf(d, metadata bson.Doc) (e modulestore.Edit) {
	info, ok := d.Lookup("edit_info").Doc()
	if !ok {
		e.PublishedOn = listedTime(metadata.Lookup("published_date"))
		e.PublishedBy = modulestore.Person(metadata.Lookup("published_by"))
		return e
	}
	for key, v := range info.All() {
		switch string(key) {
		case "edited_on":
			e.On, _ = v.Time()
		case "edited_by":
			e.By = modulestore.Person(v)
		case "subtree_edited_on":
			e.SubtreeOn, _ = v.Time()
		case "subtree_edited_by":
			e.SubtreeBy = modulestore.Person(v)
		case "published_date":
			e.PublishedOn, _ = v.Time()
		case "published_by":
			e.PublishedBy = modulestore.Person(v)
		}
	}
	return e
}

// listedTime reads a moment that is a list of year, month, day, hour, minute and second; none where it is not one (OM-24).
func listedTime(v bson.Value) time.Time {
	list, _ := v.Doc()
	var parts [6]int
	n := 0
	for _, item := range list.All() {
		number, ok := item.Int()
		if !ok || n == len(parts) {
			break
		}
		parts[n] = int(number)
		n++
	}
	if n < 3 || parts[0] < 1 || parts[0] > 9999 {
		return time.Time{}
	}
	return time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], 0, time.UTC)
}
