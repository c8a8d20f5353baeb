package media

import (
	"io"
	"time"

	"github.com/openlectern/lectern/content/publishing"
)

const (
	// MaxRowText is how many characters of text a row may hold. Longer text is kept as a file.
	MaxRowText = 50_000
	// DefaultLimit is the size limit of a media in bytes for calls that set none: the reference's.
	DefaultLimit = 50_000_000
)

// ID is the row id of a media.
type ID int64

// New describes content that is to be a media. Exactly one of Text, Bytes and Open gives it; with none it is an empty
// file.
type New struct {
	Type string // the media type, as ParseType reads it

	// Text is kept in the row if it has at most MaxRowText characters, no NUL and is valid UTF-8, else as a file.
	Text *string
	// File asks for Text to be kept as a file besides.
	File bool

	// Bytes are kept as a file.
	Bytes []byte

	// Open yields content that is kept as a file without holding it in memory, from its beginning each time. It must be
	// safe for concurrent use. Without Digest it is read once more, to digest it; with Digest, Size must be right too.
	Open   func() (io.ReadCloser, error)
	Digest string
	Size   int64
}

// Media is one content of a package: its identity, and where its bytes are. At least one of HasText and HasFile holds.
type Media struct {
	ID      ID
	Package publishing.PackageID
	Type    Type
	Digest  string
	Size    int64
	HasFile bool
	HasText bool   // the row has the text, which may be empty
	Text    string // the row's text, if it was asked for
	Created time.Time
}

// Options are the choices of [GetOrCreate]; the zero value is the reference's behaviour.
type Options struct {
	Limit   int64     // most bytes of one media; 0 means DefaultLimit, negative no limit
	Created time.Time // of new rows; the transaction's clock when zero
}

func (o Options) limit() int64 {
	if o.Limit == 0 {
		return DefaultLimit
	}
	return o.Limit
}

// Headers returns what the headers Content-Type and Etag of the content are; the digest stands without quotation marks,
// as in the reference (content-model.md §12.1).
func (m Media) Headers() (contentType, etag string) { return m.Type.String(), m.Digest }
