package s3

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/fault"
)

// fresh is how young an object must be to be left as it is when it is used again; an older one is copied onto itself,
// which makes it young for a sweep. Far less than any guard age.
const fresh = time.Duration(media.GuardAge) / 4

// many is from how many blobs on a listing costs less than asking for each, and perPage how many objects one answer lists.
const (
	many    = 20
	perPage = 1000
)

// Put implements [media.Files]. What is there costs no upload; asking for it costs a request a blob, or for large
// batches one per thousand objects of the package.
func (b *Bucket) Put(ctx context.Context, pkg uuid.UUID, blobs []media.Blob) error {
	if len(blobs) == 0 {
		return nil
	}
	for _, x := range blobs {
		switch {
		case !media.IsDigest(x.Digest):
			return fault.Errorf(fault.Internal, "file", "no digest: %.60q", x.Digest)
		case x.Size > largest:
			return fault.Errorf(fault.Invalid, "file "+x.Digest, "it has %d bytes, and an object store takes at most %d at once", x.Size, int64(largest))
		}
	}
	known, whole, err := b.known(ctx, pkg, len(blobs))
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, x := range blobs {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			key := b.key(pkg, x.Digest)
			info, found := known[x.Digest]
			if !found && !whole {
				var err error
				if info, found, err = b.stat(ctx, key); err != nil {
					return err
				}
			}
			return b.put(ctx, key, x, info, found)
		})
	}
	return g.Wait()
}

// known lists what is kept of a package, where n blobs make that worth while; whole says that it is everything.
func (b *Bucket) known(ctx context.Context, pkg uuid.UUID, n int) (known map[string]minio.ObjectInfo, whole bool, err error) {
	if n < many {
		return nil, false, nil
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	known = map[string]minio.ObjectInfo{}
	most := (1 + n/many) * perPage
	err = b.list(ctx, b.folder(pkg), func(digest string, info minio.ObjectInfo) bool {
		known[digest] = info
		return len(known) < most
	})
	return known, len(known) < most, err
}

// put keeps one blob, of which info was found before.
func (b *Bucket) put(ctx context.Context, key string, x media.Blob, info minio.ObjectInfo, found bool) error {
	if found && info.Size == x.Size {
		return b.renew(ctx, key, info)
	}
	err := b.upload(ctx, key, x, !found)
	switch minio.ToErrorResponse(err).Code {
	case "NotImplemented": // a store without conditions: two writers of one digest then write the same bytes
		err = b.upload(ctx, key, x, false)
	case minio.PreconditionFailed:
		// Another writer was first.
		if info, found, err = b.stat(ctx, key); err != nil {
			return err
		}
		if found && info.Size == x.Size {
			return nil
		}
		err = b.upload(ctx, key, x, false)
	}
	return b.explained(ctx, err)
}

// explained leaves the errors of the source and of the check as they are.
func (b *Bucket) explained(ctx context.Context, err error) error {
	var own *sourceError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.err
	}
	return b.unusable(ctx, err)
}

// renew makes an object that is used again young, or a sweep could take it before the row that names it commits.
func (b *Bucket) renew(ctx context.Context, key string, info minio.ObjectInfo) error {
	if b.now().Sub(info.LastModified) < fresh {
		return nil
	}
	_, err := b.client.CopyObject(ctx,
		minio.CopyDestOptions{Bucket: b.bucket, Object: key, ReplaceMetadata: true, UserMetadata: map[string]string{"used": b.now().UTC().Format(time.RFC3339)}},
		minio.CopySrcOptions{Bucket: b.bucket, Object: key})
	if err != nil {
		return b.unusable(ctx, err)
	}
	return nil
}

// upload puts one object in one request, and again after failures that may pass. only says that it must not be there.
//
// The client would repeat requests too, from the same reader after a Seek, while the connection that failed may still be
// reading it. So each request has a reader of its own, which cannot seek.
func (b *Bucket) upload(ctx context.Context, key string, x media.Blob, only bool) error {
	for try := 1; ; try++ {
		err := b.once(ctx, key, x, only)
		if err == nil || try == tries || !passes(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(100*time.Millisecond<<try, time.Second)/2 + rand.N(200*time.Millisecond)):
		}
	}
}

// passes reports whether the same request may succeed a little later.
func passes(err error) bool {
	var own *sourceError
	r := minio.ToErrorResponse(err)
	switch {
	case errors.As(err, &own):
		return false
	case r.Code == "": // it did not come so far
		return true
	}
	return r.StatusCode >= 500 && r.StatusCode != 501 && r.StatusCode != 507 || r.StatusCode == 408 || r.StatusCode == 429 || r.Code == "RequestTimeout"
}

func (b *Bucket) once(ctx context.Context, key string, x media.Blob, only bool) error {
	opts := minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true}
	if only {
		opts.SetMatchETagExcept("*")
	}
	src := &checked{ctx: ctx, blob: x}
	if x.Size == 0 { // the client would not look at the content, and would send a signature of it by pieces
		opts.DisableContentSha256 = true
		if _, err := src.Read(make([]byte, 1)); err != io.EOF {
			src.end()
			return err
		}
	}
	_, err := b.client.PutObject(ctx, b.bucket, key, src, x.Size, opts)
	if failed := src.end(); failed != nil { // the client wraps it in ways of its own
		return failed
	}
	return err
}

// sourceError is a failure on our side of an upload.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// checked is the content of a blob, for one request. It gives its last bytes only when all of them have the digest and
// size announced, so that a request with others never becomes whole.
type checked struct {
	ctx  context.Context
	blob media.Blob

	mu     sync.Mutex // guards the rest: a connection may go on reading after its request has failed
	src    io.ReadCloser
	hash   hash.Hash
	read   int64
	failed error // a sourceError
	ended  bool
}

// end gives up the source, waits for a read that is under way, and returns what was wrong with the source.
func (c *checked) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.src != nil {
		_ = c.src.Close() // read to its end or given up: nothing is lost when closing fails
	}
	return c.failed
}

func (c *checked) fail(err error) (int, error) {
	c.failed = &sourceError{err}
	return 0, c.failed
}

func (c *checked) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return 0, c.failed
	}
	if c.ended {
		return 0, io.ErrClosedPipe
	}
	if err := c.ctx.Err(); err != nil {
		return c.fail(err)
	}
	if c.src == nil {
		src, err := c.blob.Open()
		if err != nil {
			return c.fail(fmt.Errorf("open the content of %s: %w", c.blob.Digest, err))
		}
		c.src, c.hash, c.read = src, media.NewHash(), 0
	}
	if c.read > 0 && c.read == c.blob.Size {
		return 0, io.EOF
	}
	n, err := c.src.Read(p)
	_, _ = c.hash.Write(p[:n]) // a hash never fails to write
	c.read += int64(n)
	switch {
	case err != nil && err != io.EOF:
		return c.fail(err)
	case c.read < c.blob.Size && err == nil:
		return n, nil
	}
	// The end, or what should be: look behind it before the last bytes go out.
	for more := int64(0); err == nil; {
		var rest [512]byte
		var k int
		k, err = c.src.Read(rest[:])
		if more += int64(k); more > 0 {
			c.read += more
			break
		}
	}
	if err != nil && err != io.EOF {
		return c.fail(err)
	}
	if got := hex.EncodeToString(c.hash.Sum(nil)); got != c.blob.Digest || c.read != c.blob.Size {
		return c.fail(fault.Errorf(fault.Invalid, "file "+c.blob.Digest,
			"the content has not the digest and the %d bytes announced: it changed while it was read", c.blob.Size))
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
