package oldmongo

import (
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// ident is what the _id of a block says.
type ident struct {
	of       modulestore.OldCourse
	block    courseware.BlockID
	draft    bool
	ordered  bool // its keys stand as Open edX looks for them (OM-5)
	revision bool // there is a revision, which may be null
}

// keyOrder is the order in which Open edX writes the keys of _id, and looks for them (OM-1).
var keyOrder = [...]string{"tag", "org", "course", "category", "name", "revision"}

// identOf reads an _id; ok is false where it is none of a block.
func identOf(v bson.Value) (id ident, ok bool) {
	d, isDoc := v.Doc()
	if !isDoc || v.Type != bson.Document {
		return id, false
	}
	id.ordered = true
	at, tag := 0, ""
	for key, v := range d.All() {
		if id.ordered && (at == len(keyOrder) || string(key) != keyOrder[at]) {
			id.ordered = false
		}
		at++
		switch string(key) {
		case "tag":
			tag = v.String()
		case "org":
			id.of.Org = v.String()
		case "course":
			id.of.Course = v.String()
		case "category":
			id.block.Type = v.String()
		case "name":
			id.block.Name = v.String()
		case "revision":
			id.revision = true
			switch text := v.String(); {
			case text == "draft":
				id.draft = true
			case !v.IsNull():
				return id, false
			}
		}
	}
	// A missing revision alone is no other order: it counts as null and has a rule of its own (OM-6).
	return id, tag == "i4x" && id.of.Org != "" && id.of.Course != "" && id.block.Type != "" && id.block.Name != ""
}

const scheme = "i4x://"

// childOf reads an entry of a list of children. here is false for a block of another course.
func childOf(text string, of modulestore.OldCourse) (id courseware.BlockID, here, ok bool) {
	rest, ok := strings.CutPrefix(text, scheme)
	if !ok {
		return id, false, false
	}
	org, rest, _ := strings.Cut(rest, "/")
	course, rest, _ := strings.Cut(rest, "/")
	id.Type, id.Name, ok = strings.Cut(rest, "/")
	id.Name, _, _ = strings.Cut(id.Name, "@") // no revision is written there, and none is meant (OM-9)
	return id, org == of.Org && course == of.Course, ok && id.Type != "" && id.Name != ""
}

// probe is a course whose keys show whether a name is legal in new ones.
var probe = func() keys.Course {
	k, err := keys.NewCourse("o", "c", "r")
	if err != nil {
		panic(err) // the letters are legal
	}
	return k
}()

// isLegal reports whether the name of a block can be kept in a key of today (CV-3).
func isLegal(id courseware.BlockID) bool {
	if isPlain(id.Type) && isPlain(id.Name) {
		return true
	}
	_, err := probe.Usage(id.Type, id.Name)
	return err == nil
}

// isPlain reports whether a text has only characters that are legal anywhere, as nearly all names do.
func isPlain(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '_' && s[i] != '-' && s[i] != '.' {
			return false
		}
	}
	return s != ""
}
