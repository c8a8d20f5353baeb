package media

import (
	"context"
	"io"

	"github.com/google/uuid"
)

// Files keeps the bytes that rows do not hold, by package and digest. [Dir] is the one on a local disk.
// Implementations are safe for concurrent use, by several processes too.
type Files interface {
	// Put makes sure that every blob is kept, complete and durable, before it returns nil. What is there already with
	// the same size is left alone, but counts as written just now for the guard age of a sweep; what is there with
	// another size is replaced. A blob whose bytes do not have the size and digest it names is fault.Invalid.
	// After an error some blobs may be kept and others not; none is kept in part, but those that are Fresh when the
	// program or the machine ends meanwhile.
	Put(ctx context.Context, pkg uuid.UUID, blobs []Blob) error

	// Open returns the bytes of a blob, to be closed by the caller; fault.NotFound when they are not there.
	Open(ctx context.Context, pkg uuid.UUID, digest string) (io.ReadCloser, error)

	// Size returns how many bytes are kept of a blob, and whether it is there at all.
	Size(ctx context.Context, pkg uuid.UUID, digest string) (size int64, found bool, err error)
}

// A Blob is content to be kept in [Files].
type Blob struct {
	Digest string // 40 lower-case hex digits
	Size   int64  // in bytes
	// Open returns the bytes from their beginning, each time it is called. It is not called for what is kept already.
	Open func() (io.ReadCloser, error)
	// Fresh says that nobody else can know of the package before Put returns: the caller's own transaction has made it.
	// What an end of the machine leaves of such a blob is never asked for, so it may be written in place.
	Fresh bool
}

// A Sweeper is a Files that can list and remove what it keeps, for [Sweep].
type Sweeper interface {
	// Packages returns the packages that something is kept of.
	Packages(ctx context.Context) ([]uuid.UUID, error)

	// Old returns the digests of a package that were last written at least the guard age ago, in order.
	Old(ctx context.Context, pkg uuid.UUID, age Age) ([]string, error)

	// Remove removes those of the digests that are still that old, and whatever an interrupted Put left behind that is.
	// It returns how many files went.
	Remove(ctx context.Context, pkg uuid.UUID, digests []string, age Age) (int, error)
}
