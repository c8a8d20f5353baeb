package olx_test

import (
	"maps"
	"testing"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
)

// TestMovesThatNoDraftHolds names what moved in the drafts to where the archive cannot put it: a published sequential to
// another chapter, and a published unit into another unit.
func TestMovesThatNoDraftHolds(t *testing.T) {
	t.Parallel()
	f := sequence("v w")
	f["course/course/r.xml"] = `<course><chapter url_name="ch"/><chapter url_name="ch2"/></course>`
	f["course/chapter/ch2.xml"] = `<chapter/>`
	chapter, other := courseware.BlockID{Type: "chapter", Name: "ch"}, courseware.BlockID{Type: "chapter", Name: "ch2"}
	s := courseware.BlockID{Type: "sequential", Name: "s"}
	v, w := courseware.BlockID{Type: "vertical", Name: "v"}, courseware.BlockID{Type: "vertical", Name: "w"}
	for name, c := range map[string]struct {
		moved    courseware.BlockID
		from, to courseware.BlockID
		stay     []courseware.BlockID
	}{
		"sequential": {s, chapter, other, nil},
		"unit":       {v, s, w, []courseware.BlockID{w}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := f.read(t, olx.ReadOptions{}).State
			d := *st.Published
			d.Blocks = maps.Clone(d.Blocks)
			from, to := *d.Blocks[c.from], *d.Blocks[c.to]
			from.Children, to.Children = c.stay, []courseware.BlockID{c.moved}
			d.Blocks[c.from], d.Blocks[c.to] = &from, &to
			st.Draft = &d
			var skipped []courseware.BlockID
			write(t, st, olx.WriteOptions{Skipped: func(id courseware.BlockID) { skipped = append(skipped, id) }})
			equal(t, "skipped", skipped, []courseware.BlockID{c.moved})
		})
	}
}
