package oldmongo

import (
	"bytes"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// ident is what the _id of a block says, in the bytes of the document.
type ident struct {
	org, course, kind, name []byte

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
	at, tagged := 0, false
	for key, v := range d.All() {
		if id.ordered && (at == len(keyOrder) || string(key) != keyOrder[at]) {
			id.ordered = false
		}
		at++
		switch string(key) {
		case "tag":
			tag, _ := v.Text()
			tagged = string(tag) == "i4x"
		case "org":
			id.org, _ = v.Text()
		case "course":
			id.course, _ = v.Text()
		case "category":
			id.kind, _ = v.Text()
		case "name":
			id.name, _ = v.Text()
		case "revision":
			id.revision = true
			switch text, _ := v.Text(); {
			case string(text) == "draft":
				id.draft = true
			case !v.IsNull():
				return id, false
			}
		}
	}
	// A missing revision alone is no other order: it counts as null and has a rule of its own (OM-6).
	return id, tagged && len(id.org) > 0 && len(id.course) > 0 && len(id.kind) > 0 && len(id.name) > 0
}

// of returns the course.
func (id *ident) of() modulestore.OldCourse {
	return modulestore.OldCourse{Org: string(id.org), Course: string(id.course)}
}

// isOf reports whether this is a block of a course.
func (id *ident) isOf(of modulestore.OldCourse) bool {
	return string(id.org) == of.Org && string(id.course) == of.Course
}

var scheme = []byte("i4x://")

// childOf reads an entry of a list of children. here is false for a block of another course.
func childOf(text []byte, of modulestore.OldCourse) (kind, name []byte, here, ok bool) {
	rest, ok := bytes.CutPrefix(text, scheme)
	if !ok {
		return nil, nil, false, false
	}
	org, rest, _ := bytes.Cut(rest, slash)
	course, rest, _ := bytes.Cut(rest, slash)
	kind, name, ok = bytes.Cut(rest, slash)
	if at := bytes.IndexByte(name, '@'); at >= 0 {
		name = name[:at] // no revision is written there, and none is meant (OM-9)
	}
	return kind, name, string(org) == of.Org && string(course) == of.Course, ok && len(kind) > 0 && len(name) > 0
}

var slash = []byte("/")

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
