package split

import (
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// Index is the row that makes structures a course or a library.
type Index struct {
	ID keys.Version
	// Key is the course or library; none where the row names no legal one, which Name then tells.
	Key  keys.Course
	Name string
	// The heads, none where a branch is missing (SP-1).
	Draft, Published, Library modulestore.ID

	EditedOn, LastUpdate time.Time
	EditedBy             *int64
	WikiSlug             string
}

// Head is a branch of a course under its name in the store.
type Head struct {
	Branch string
	ID     modulestore.ID
}

// The names of branches as the store has them (SP-2).
const (
	DraftBranch     = "draft-branch"
	PublishedBranch = "published-branch"
	LibraryBranch   = "library"
)

// Heads returns the branches that there are.
func (x *Index) Heads() (heads []Head) {
	for _, h := range []Head{{DraftBranch, x.Draft}, {PublishedBranch, x.Published}, {LibraryBranch, x.Library}} {
		if !h.ID.IsZero() {
			heads = append(heads, h)
		}
	}
	return heads
}

// IsLibrary reports whether this is a library: its run and its branch both have to say so (SP-7).
func (x *Index) IsLibrary() bool { return !x.Library.IsZero() && x.Key.IsLibrary() }

// IndexOf reads a row of the index. problems are what is wrong with it; a row in the form of 2013 has no key.
func IndexOf(d bson.Doc) (x Index, problems modulestore.Tally) {
	x.ID = keys.Version(modulestore.IDOf(d.Lookup("_id")))
	org, code, run := d.Lookup("org").String(), d.Lookup("course").String(), d.Lookup("run").String()
	versions, _ := d.Lookup("versions").Doc()
	x.Draft = modulestore.IDOf(versions.Lookup(DraftBranch))
	x.Published = modulestore.IDOf(versions.Lookup(PublishedBranch))
	x.Library = modulestore.IDOf(versions.Lookup(LibraryBranch))
	x.EditedOn, _ = d.Lookup("edited_on").Time()
	x.EditedBy = modulestore.Person(d.Lookup("edited_by"))
	x.LastUpdate, _ = d.Lookup("last_update").Time()
	x.WikiSlug = d.Lookup("search_targets", "wiki_slug").String()
	if d.Lookup("offering").Exists() && !d.Lookup("course").Exists() {
		x.Name = org + "+" + d.Lookup("offering").String()
		problems.Add(modulestore.OldIndex, x.Name)
		return x, problems
	}
	var err error
	if run == "library" && !x.Library.IsZero() {
		x.Key, err = keys.NewLegacyLibrary(org, code)
		x.Name = "library-v1:" + org + "+" + code
	} else {
		x.Key, err = keys.NewCourse(org, code, run)
		x.Name = "course-v1:" + org + "+" + code + "+" + run
	}
	if err != nil {
		problems.Add(modulestore.BadKey, x.Name)
		x.Key = keys.Course{}
	}
	return x, problems
}

// missing counts the branches that a row should have and has not (SP-1).
func (x *Index) missing(t *modulestore.Tally) {
	switch {
	case x.Key.IsLibrary():
	case x.Draft.IsZero():
		t.Add(modulestore.NoBranch, DraftBranch)
	case x.Published.IsZero():
		t.Add(modulestore.NoBranch, PublishedBranch)
	}
}

// pairOf reads the [type, id] by which structures name blocks.
func pairOf(v bson.Value) (id courseware.BlockID, ok bool) {
	d, isDoc := v.Doc()
	if !isDoc || v.Type != bson.Array {
		return id, false
	}
	n := 0
	for _, v := range d.All() {
		text, isText := v.Text()
		if !isText || n > 1 {
			return courseware.BlockID{}, false
		}
		if n++; n == 1 {
			id.Type = string(text)
		} else {
			id.Name = string(text)
		}
	}
	return id, n == 2
}
