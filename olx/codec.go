package olx

import (
	"errors"

	"github.com/openlectern/lectern/courseware"
)

// The names of the files a block is stored as (design.md §4).
const (
	BlockFile  = "block.xml"   // the block's own element, without child blocks and url_name
	BodyFile   = "body.html"   // the exact bytes of an html block, or of a detached one
	PolicyFile = "policy.json" // of a course root: the settings that are never attributes
	SourceFile = "source.json" // of an opaque block: how its source held it
)

// File is one of the files a block is stored as.
type File struct {
	Path string
	Data []byte
}

var errNotYet = errors.New("not available")

// EncodeBlock returns the files a block is stored as, sorted by path. They depend on nothing but the block: not on its
// place, its id or its course, so a block that moves keeps its bytes.
func EncodeBlock(b *courseware.Block) ([]File, error) { return nil, errNotYet }

// DecodeBlock is the inverse of EncodeBlock. Of the children only the ids are known to the caller's store; whether the
// block can have any follows from its type.
func DecodeBlock(id courseware.BlockID, files []File, children []courseware.BlockID) (*courseware.Block, error) {
	return nil, errNotYet
}

// ParseBlock reads one block from self-contained OLX (olx.md §1.19). The file name is for messages. The id's name is
// empty where the element has no url_name. Child blocks are refused: a block is edited without them.
func ParseBlock(src []byte, file string) (*courseware.Block, error) { return nil, errNotYet }

// PrintBlock returns one block as self-contained OLX, without its child blocks; ParseBlock reads it back.
func PrintBlock(b *courseware.Block) []byte { return nil }
