package split

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/expected"
)

func TestHistories(t *testing.T) {
	t.Parallel()
	id := func(n byte) modulestore.ID { return modulestore.ID{11: n} }
	var src expected.Memory
	add := func(n, previous byte, by any) {
		doc := driver.D{{Key: "_id", Value: driver.ObjectID(id(n))}, {Key: "edited_by", Value: by}, {Key: "edited_on", Value: driver.DateTime(int64(n) * 1000)}, {Key: "previous_version", Value: nil}}
		if previous != 0 {
			doc[3].Value = driver.ObjectID(id(previous))
		}
		src.Docs = append(src.Docs, expected.Stored{Collection: modulestore.CollectionStructures, Doc: expected.Doc(t, doc)})
	}
	add(3, 2, int32(7))
	add(1, 0, nil)
	add(2, 1, int32(-1))
	add(5, 4, int32(7)) // what it follows is gone
	add(6, 7, int32(7)) // and a circle
	add(7, 6, int32(7))
	add(23, 22, int32(7)) // what it follows was pruned: 22 to 14
	add(13, 12, int32(7)) // and so was all before this
	add(33, 32, int32(7)) // this was put back
	add(32, 0, int32(7))
	note := func(n, before byte, removed int64) {
		doc := driver.D{{Key: "_id", Value: driver.ObjectID(id(n))}, {Key: "before", Value: nil}, {Key: "removed", Value: removed}}
		if before != 0 {
			doc[1].Value = driver.ObjectID(id(before))
		}
		src.Docs = append(src.Docs, expected.Stored{Collection: modulestore.CollectionCuts, Doc: expected.Doc(t, doc)})
	}
	note(23, 13, 9)
	note(13, 0, 2)
	note(33, 13, 9)
	h, err := ReadHistories(t.Context(), &src, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		head  byte
		depth int
		want  []byte
		whole bool
	}{
		{3, 0, []byte{1, 2, 3}, true}, {3, 2, []byte{2, 3}, true}, {3, 9, []byte{1, 2, 3}, true}, {1, 0, []byte{1}, true},
		{5, 0, []byte{5}, false}, {9, 0, nil, false}, {6, 0, []byte{7, 6}, true}, {5, 1, []byte{5}, true},
		{23, 0, []byte{13, 23}, false}, {23, 1, []byte{23}, true}, {13, 0, []byte{13}, false}, {33, 0, []byte{32, 33}, true},
	} {
		got, whole := h.Of(id(c.head), c.depth)
		same := len(got) == len(c.want) && whole == c.whole
		for i := range got {
			same = same && got[i].ID == id(c.want[i])
		}
		if !same {
			t.Errorf("of %d, %d deep: %v, %t", c.head, c.depth, got, whole)
		}
	}
	if list, _ := h.Of(id(23), 0); list[0].Removed != 2 || list[1].Removed != 9 {
		t.Errorf("gaps of %+v", list)
	}
	list, _ := h.Of(id(3), 0)
	if list[0].By != nil || *list[1].By != -1 || *list[2].By != 7 || list[2].On.Unix() != 3 {
		t.Errorf("got %+v", list)
	}
}

// TestPastLoadsWhatLoadDoes reads versions one after the other: each is what it is by itself, and what says what it said is not
// read again, also where it was published meanwhile.
func TestPastLoadsWhatLoadDoes(t *testing.T) {
	t.Parallel()
	s := &site{tb: t}
	edit := func(version byte, source any) driver.E {
		return e("edit_info", d{e("update_version", oid(version)), e("source_version", source), e("edited_by", int64(version))})
	}
	text := func(name string, definition, version byte, source any) d {
		return block("html/"+name, d{e("definition", oid(definition)), edit(version, source)})
	}
	for i := range byte(5) {
		s.add(modulestore.CollectionDefinitions, d{e("_id", oid(20+i)), e("fields", d{e("data", string('a'+rune(i)))})})
	}
	root := func(children ...string) d { return block("course/course", nil, children...) }
	s.structure(1, nil, root("html/x", "html/y"), text("x", 20, 1, nil), text("y", 21, 1, nil), text("z", 22, 1, nil))
	s.structure(2, nil, root("html/x", "html/y"), text("x", 20, 2, oid(1)), text("y", 21, 2, oid(1)), text("z", 22, 2, oid(1)))
	s.structure(3, oid(1), root("html/x", "html/y"), text("x", 23, 3, nil), text("y", 21, 1, nil), text("z", 22, 1, nil))
	s.structure(4, oid(3), root("html/x", "html/z"), text("x", 23, 3, nil), text("z", 22, 1, nil))                                          // y is gone
	s.structure(5, oid(4), text("z", 22, 1, nil), text("new", 24, 5, nil), root("html/x", "html/z"), text("x", 23, 3, nil))                 // in another order
	s.structure(6, oid(5), root("html/x"), text("x", 23, 3, nil), text("x", 20, 6, nil), text("z", 99, 1, nil))                             // twice, and without its definition
	s.structure(7, oid(6), root("html/x"), text("x", 20, 6, nil), block("html/z", d{e("fields", d{e("display_name", "Z"), edit(1, nil)})})) // other settings
	s.add(modulestore.CollectionStructures, d{e("_id", oid(8)), e("root", pair("course", "course")), e("blocks", driver.A{d{e("category", "course")}})})
	var versions []modulestore.ID
	for n := range byte(9) {
		versions = append(versions, id(n+1))
	}
	store := read(t, &s.Memory, versions)
	key, err := keys.ParseCourse("course-v1:O+C+r")
	if err != nil {
		t.Fatal(err)
	}
	past := store.Past(key)
	var loaded []*modulestore.Branch
	for _, n := range []byte{1, 2, 3, 8, 4, 9, 5, 6, 7} {
		branch := DraftBranch
		if n == 2 {
			branch = PublishedBranch
		}
		got, lost, err := past.Load(branch, id(n))
		alone, wantErr := store.Load(key, id(n))
		if err != nil || wantErr != nil {
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("structure %d: got %v, want %v", n, err, wantErr)
			}
			continue
		}
		want := alone.Branch
		if len(lost) != alone.Content.Count(modulestore.MissingDefinition) {
			t.Errorf("structure %d: %v have lost their definitions", n, lost)
		}
		if diff := cmp.Diff(slices.Collect(want.Blocks()), slices.Collect(got.Blocks())); diff != "" || got.Root != want.Root || got.Version != want.Version {
			t.Errorf("structure %d (-alone +after others)\n%s", n, diff)
		}
		loaded = append(loaded, got)
	}
	of := func(i int, name string) *modulestore.Block {
		return loaded[i].Block(courseware.BlockID{Type: "html", Name: name})
	}
	if of(0, "y") != of(2, "y") || of(2, "x") != of(4, "x") || of(0, "z") != of(4, "z") {
		t.Error("entries that were the same were read again")
	}
	if a, b := of(0, "x"), of(1, "x"); a == b || &a.Content[0] != &b.Content[0] || *b.Edit.By != 2 {
		t.Errorf("what was published was read again: %+v, %+v", a, b)
	}
}
