package modulestore

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore/bson"
)

func id(name string) courseware.BlockID { return courseware.BlockID{Type: "vertical", Name: name} }

func branch(lists map[string][]string) *Branch {
	var blocks []*Block
	for name, children := range lists {
		b := &Block{ID: id(name)}
		for _, c := range children {
			b.Children = append(b.Children, id(c))
		}
		blocks = append(blocks, b)
	}
	return NewBranch(id("root"), ID{}, blocks)
}

func TestBranch(t *testing.T) {
	t.Parallel()
	b := branch(map[string][]string{"root": {"b", "a", "gone"}, "a": {"x"}, "b": {"x", "b"}, "x": {"root"}, "orphan": {"below"}, "below": nil})
	var order []string
	for block, depth := range b.Walk() {
		order = append(order, string(rune('0'+depth))+block.ID.Name)
	}
	if want := []string{"0root", "1b", "2x", "1a"}; !slices.Equal(order, want) {
		t.Errorf("walked %v, want %v", order, want)
	}
	for range b.Walk() {
		break
	}
	for name, want := range map[string]string{"x": "a", "a": "root", "b": "b", "below": "", "root": ""} {
		if got, ok := b.Parent(id(name)); got.Name != want || ok != (want != "") {
			t.Errorf("the parent of %s is %v, want %q", name, got, want)
		}
	}
	if got := b.Orphans(); !slices.Equal(got, []courseware.BlockID{id("orphan")}) {
		t.Errorf("orphans: %v", got)
	}
	if b.Len() != 6 || b.Block(id("gone")) != nil {
		t.Error("blocks")
	}
}

func TestSetting(t *testing.T) {
	t.Parallel()
	set := func(b *Block, name string, v courseware.Value) { b.Settings = b.Settings.With(name, v) }
	b := branch(map[string][]string{"root": {"a"}, "a": {"x"}, "x": {"deep"}, "deep": nil, "alone": nil})
	set(b.Block(id("root")), "due", `"2020-01-01T00:00:00Z"`)
	set(b.Block(id("root")), "display_name", `"Root"`)
	set(b.Block(id("x")), "due", courseware.Null)
	lc := &Block{ID: courseware.BlockID{Type: "library_content", Name: "lc"}, Children: []courseware.BlockID{id("copy")}, Settings: courseware.Fields{{Name: "max_attempts", Value: "1"}}}
	copied := &Block{ID: id("copy"), Defaults: courseware.Fields{{Name: "max_attempts", Value: "2"}, {Name: "display_name", Value: `"C"`}}}
	lib := NewBranch(lc.ID, ID{}, []*Block{lc, copied})
	for _, c := range []struct {
		b    *Branch
		id   courseware.BlockID
		name string
		want courseware.Value
	}{
		{b, id("a"), "due", `"2020-01-01T00:00:00Z"`}, {b, id("deep"), "due", courseware.Null}, {b, id("alone"), "due", courseware.Null},
		{b, id("a"), "display_name", courseware.Null}, {b, id("a"), "start", `"2030-01-01T00:00:00Z"`}, {b, id("a"), "no such", courseware.Null},
		{b, id("gone"), "due", courseware.Null}, {lib, id("copy"), "max_attempts", "2"}, {lib, id("copy"), "display_name", `"C"`},
	} {
		if got := c.b.Setting(c.id, c.name); got != c.want {
			t.Errorf("%s of %s counts with %s, want %s", c.name, c.id, got, c.want)
		}
	}
	// Where least parents go round, nothing hangs.
	round := branch(map[string][]string{"root": {"z"}, "z": {"a"}, "a": {"b"}, "b": {"a"}})
	if got := round.Setting(id("b"), "due"); got != courseware.Null {
		t.Errorf("got %s", got)
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	var a, b Tally
	a.Add(ManyParents, "x")
	a.Add(ManyParents, "y")
	b.Add(ManyParents, "z")
	b.Add(IllegalName, "n")
	a.Merge(b)
	if diff := cmp.Diff([]Problem{{ManyParents, 3, "x"}, {IllegalName, 1, "n"}}, a.Problems()); diff != "" || a.Count(Cycle) != 0 {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for rule, text := range texts {
		if text == "" || rule.Text() != text {
			t.Errorf("%s says nothing", rule)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	if got := (ID{0: 0xAB, 11: 1}).String(); got != "ab0000000000000000000001" || (ID{}).String() != "" {
		t.Errorf("got %s", got)
	}
	e := Edit{Version: ID{1}}
	if e.Token() != (ID{1}) {
		t.Error("without a source the version counts")
	}
	if e.Source = (ID{2}); e.Token() != (ID{2}) {
		t.Error("the source counts")
	}
}

func doc(t *testing.T, d driver.D) bson.Doc {
	t.Helper()
	b, err := driver.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFieldsOf(t *testing.T) {
	t.Parallel()
	f, clean := FieldsOf(doc(t, driver.D{{Key: "b", Value: int32(1)}, {Key: "a", Value: nil}, {Key: "b", Value: "\xff"}}))
	if want := (courseware.Fields{{Name: "b", Value: "\"\uFFFD\""}, {Name: "a", Value: "null"}}); !slices.Equal(f, want) || clean {
		t.Errorf("got %v, clean %v", f, clean)
	}
	for d, want := range map[*driver.D]bool{
		{{Key: "a", Value: driver.A{driver.D{{Key: "b", Value: "x\x00"}}}}}: false, {{Key: "a", Value: "\xff"}}: false, {{Key: "a", Value: driver.A{"ü", int32(1)}}}: true,
	} {
		if doc(t, *d).Clean() != want {
			t.Errorf("%v: clean is not %v", d, want)
		}
	}
}

// TestShelf puts more on a shelf than stays in memory, and looks for what it leaves behind.
func TestShelf(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var s Shelf
	large := doc(t, driver.D{{Key: "n", Value: int32(0)}, {Key: "x", Value: make([]byte, shelfBudget/4)}})
	small := doc(t, driver.D{{Key: "n", Value: int32(0)}, {Key: "x", Value: "y"}})
	var slots []Slot
	number := func(i int) bson.Doc {
		d := large
		if i%2 == 1 || i > 11 { // the last ones are not in the file yet
			d = small
		}
		d[7] = byte(i)
		return d
	}
	for i := range 14 {
		slot, err := s.Put(number(i))
		if err != nil {
			t.Fatal(err)
		}
		slots = append(slots, slot)
	}
	for i, slot := range slots {
		if got, err := s.Doc(slot); err != nil || !bytes.Equal(got, number(i)) {
			t.Errorf("document %d is lost: %v", i, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 || s.file == nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Doc(slots[10]); err == nil {
		t.Error("read after closing")
	}
	t.Setenv("TMPDIR", dir+"/gone")
	if _, err := (&Shelf{held: shelfBudget}).Put(small); err == nil {
		t.Error("there is nowhere to put it")
	}
}
