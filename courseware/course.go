package courseware

import (
	"io"
	"iter"

	"github.com/openlectern/lectern/keys"
)

// Course is one state of a course run or legacy library.
type Course struct {
	// Key is the course-v1 or library-v1 key of the source.
	Key keys.Course
	// Root is the id of the root block: type course with name [RootName], or type library.
	Root BlockID
	// Blocks holds the root, every block reachable from it, and the blocks that no parent lists: the detached ones, and of a
	// course from an old store its orphans with what is below them (modulestore.md CV-36). Archives have no place for these.
	Blocks map[BlockID]*Block
	// Assets are the static files and the entries of assets.json, sorted by Path.
	Assets []*Asset
	// GradingPolicy is the grading policy as canonical JSON, complete with its defaults (olx.md §1.12, §3.3); nil in a library.
	GradingPolicy []byte
	// AssetsXML is the second, XML form of asset metadata, verbatim (olx.md §1.13); nil means the usual empty one.
	AssetsXML []byte
}

// Walk yields the blocks reachable from the root, parents before children, in document order. A child id without a
// block is passed over, and a block reached again is not yielded again.
func (c *Course) Walk() iter.Seq[*Block] {
	return func(yield func(*Block) bool) {
		seen := make(map[BlockID]bool, len(c.Blocks))
		stack := []BlockID{c.Root}
		for len(stack) > 0 {
			id := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			b, ok := c.Blocks[id]
			if !ok || seen[id] {
				continue
			}
			seen[id] = true
			if !yield(b) {
				return
			}
			for i := len(b.Children) - 1; i >= 0; i-- {
				stack = append(stack, b.Children[i])
			}
		}
	}
}

// Asset is a static file, an entry about one, or both.
type Asset struct {
	// Path is the file's place below static/, with slashes; unique within a course. For an entry without a file it is
	// the entry's import path or its key.
	Path string
	// Entry is the file's object of assets.json as canonical JSON (olx.md §1.13), nil when it has none.
	Entry []byte
	// EntryKey is the key of Entry in assets.json, the asset key derived from Path unless the source said otherwise.
	EntryKey string
	// Size is the file's length in bytes, -1 for an entry without a file.
	Size int64
	// Digest is the BLAKE2b-160 of the file, 40 lower-case hex digits, where the source knows it, else "".
	Digest string
	// Open opens the file for reading, from the start, as often as wanted; nil for an entry without a file.
	Open func() (io.ReadCloser, error)
}

// State is what one archive or one store holds of a course: what is published and what is being drafted.
type State struct {
	Published *Course
	// Draft is the draft tree where it differs from Published, else nil. Blocks that do not differ are shared.
	Draft *Course
}
