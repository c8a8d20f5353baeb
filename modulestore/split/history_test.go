package split

import (
	"testing"

	driver "go.mongodb.org/mongo-driver/v2/bson"

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
