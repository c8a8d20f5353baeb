package convert_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/convert"
)

// TestPast converts histories with everything wrong about them: each version becomes what it becomes by itself, and what says what
// it said is not made again.
func TestPast(t *testing.T) {
	t.Parallel()
	seeds := uint64(20)
	if os.Getenv("LECTERN_TEST_ALL") == "1" {
		seeds = 3000
	}
	shared, all := 0, 0
	for seed := range seeds {
		g := &grower{rand.New(rand.NewPCG(seed, 11)), seed%2 == 0, nil}
		src := g.source(4 + g.IntN(30))
		o := convert.Options{RemapWiki: seed%5 == 0}
		if seed%3 == 0 {
			var err error
			if o.To, err = keys.NewCourse("New", "C9", fmt.Sprint("r", seed)); err != nil {
				t.Fatal(err)
			}
		}
		src.Host = pick(g, "", "old.example")
		past, err := convert.NewPast(src, o)
		if err != nil {
			t.Fatal(err)
		}
		versions := [2][]*modulestore.Block{slices.Collect(src.Draft.Blocks()), slices.Collect(src.Published.Blocks())}
		was := map[*courseware.Block]bool{}
		for step := range 12 {
			list := slices.Clone(versions[step%2])
			versions[step%2] = list
			alone := src
			alone.Draft = modulestore.NewBranch(src.Draft.Root, modulestore.ID{}, list)
			alone.Published = alone.Draft
			want, wantErr := convert.Convert(alone, o)
			got, err := past.Convert(alone.Draft)
			if fault.Is(err, fault.Invalid) != fault.Is(wantErr, fault.Invalid) || (err == nil) != (wantErr == nil) {
				t.Fatalf("%d, %d: got %v, want %v", seed, step, err, wantErr)
			}
			if err == nil {
				tree := *want
				tree.State.Published = got
				if diff := cmp.Diff(dumped(t, want), dumped(t, &tree)); diff != "" {
					t.Fatalf("%d, %d: (-alone +after others)\n%s", seed, step, diff)
				}
				if got.Root != want.State.Published.Root || got.Key != want.Key {
					t.Fatalf("%d, %d: %v of %v", seed, step, got.Root, got.Key)
				}
				for _, b := range got.Blocks {
					all++
					if was[b] {
						shared++
					}
					was[b] = true
				}
			}
			versions[step%2] = g.change(list, src.Draft.Root)
		}
	}
	if shared < all/3 {
		t.Errorf("of %d blocks %d were those of earlier versions", all, shared)
	}
}

// change changes a few blocks of a version: what one says, whether it is there, how it is called, or only who wrote it.
func (g *grower) change(list []*modulestore.Block, root courseware.BlockID) []*modulestore.Block {
	list = slices.Clone(list)
	for range 1 + g.IntN(3) {
		i := g.IntN(len(list))
		b := *list[i]
		switch g.IntN(6) {
		case 0:
			if b.ID != root || g.IntN(10) == 0 {
				if list = slices.Delete(list, i, i+1); len(list) == 0 {
					return append(list, &b)
				}
				continue
			}
		case 1:
			id := pick(g, g.all...)
			if !slices.ContainsFunc(list, func(b *modulestore.Block) bool { return b.ID == id }) {
				list = append(list, g.block(id))
				continue
			}
		case 2: // a name of which what others are called may depend
			id := courseware.BlockID{Type: pick(g, "html", "static_tab", "vertical"), Name: pick(g, "a b", "a_b", "a/b", "a_b~c8687a")}
			if !slices.ContainsFunc(list, func(b *modulestore.Block) bool { return b.ID == id }) {
				g.all = append(g.all, id)
				list = append(list, g.block(id))
				continue
			}
		case 3:
			b = *g.block(b.ID)
		case 4:
			b.Children = append(slices.Clone(b.Children), pick(g, g.all...))
		}
		b.Edit.Version = modulestore.ID{byte(g.IntN(255)), 1}
		list[i] = &b
	}
	return list
}
