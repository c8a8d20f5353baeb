package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/openlectern/lectern/fault"
)

const (
	prefix   = "content" // historical: today's reference still writes there (content-model.md §13)
	partName = ".part-"  // what a file is called until it is complete; no digest begins with a dot
	writers  = 8         // files written at the same time: a disk answers several syncs in little more time than one
	many     = 16        // files from which on all are synced together, where the system can do that
)

// Dir keeps files below a folder, as "content/<package uuid>/<digest>", where a Python process with the same storage
// root finds them. A file is written under another name, synced and renamed, so that one which is there is complete; those
// of a package that nobody knows of yet are written in place and synced together (see [Blob]). The folder is made when
// first needed. Use [NewDir].
type Dir struct {
	root string
	disk disk
	now  func() time.Time
}

var (
	_ Files   = (*Dir)(nil)
	_ Sweeper = (*Dir)(nil)
)

// NewDir returns the files below the folder root, which need not exist.
func NewDir(root string) *Dir { return &Dir{root: root, disk: osDisk{}, now: time.Now} }

// Path returns where the file of a blob is or would be.
func (d *Dir) Path(pkg uuid.UUID, digest string) string { return filepath.Join(d.folder(pkg), digest) }

func (d *Dir) folder(pkg uuid.UUID) string { return filepath.Join(d.root, prefix, pkg.String()) }

// Put implements [Files].
func (d *Dir) Put(ctx context.Context, pkg uuid.UUID, blobs []Blob) (err error) {
	if len(blobs) == 0 {
		return nil
	}
	dir := d.folder(pkg)
	if err := d.makeFolder(dir); err != nil {
		return unusable(dir, err)
	}
	var all barrier // nil: each file is synced by itself
	if len(blobs) >= many {
		if all, err = d.disk.Barrier(dir); err != nil {
			return unusable(dir, err)
		}
	}
	if all != nil {
		defer func() { err = errors.Join(err, all.Close()) }()
	}
	parts := make([]string, len(blobs)) // what was written, nearly always under another name so far; "" where the file was there
	defer func() {
		for _, part := range parts {
			if err != nil && part != "" {
				_ = d.disk.Remove(part) // else a sweep does; the first error is the one to tell
			}
		}
	}()
	g, gctx := errgroup.WithContext(ctx)
	if g.SetLimit(writers); all != nil {
		g.SetLimit(runtime.GOMAXPROCS(0)) // nothing waits for the disk before all are written
	}
	for i, b := range blobs {
		g.Go(func() (err error) {
			if err := gctx.Err(); err != nil {
				return err
			}
			parts[i], err = d.put(gctx, dir, b, all == nil)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if all != nil {
		if err := all.Sync(); err != nil {
			return unusable(dir, err)
		}
	}
	for i, part := range parts {
		name := filepath.Join(dir, blobs[i].Digest)
		if part == "" || part == name {
			continue
		}
		if err := d.disk.Rename(part, name); err != nil {
			return unusable(dir, err)
		}
		parts[i] = ""
	}
	// Also when every file was there: another process may have renamed them and not have synced the folder yet.
	if err := d.disk.SyncDir(dir); err != nil {
		return unusable(dir, err)
	}
	return nil
}

// makeFolder makes the folder of a package, durable in its parents.
func (d *Dir) makeFolder(dir string) error {
	_, err := d.disk.Stat(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.disk.MkdirAll(dir); err != nil {
		return err
	}
	for _, parent := range []string{filepath.Dir(dir), d.root} {
		if err := d.disk.SyncDir(parent); err != nil {
			return err
		}
	}
	return nil
}

// put writes one blob into dir and returns under which name: another than its own, unless nobody can see it before all are
// synced together; "" where the blob is there already.
func (d *Dir) put(ctx context.Context, dir string, b Blob, sync bool) (part string, err error) {
	if _, ok := parseSum(b.Digest); !ok {
		return "", fault.Errorf(fault.Internal, "file", "no digest: %s", quote(b.Digest))
	}
	name := filepath.Join(dir, b.Digest)
	if b.Fresh && !sync {
		part, err := d.write(ctx, dir, name, b, false)
		if !errors.Is(err, fs.ErrExist) {
			return part, err
		}
	}
	switch info, err := d.disk.Stat(name); {
	case err == nil && info.Size() == b.Size:
		// As fresh as one written now, or a sweep could take it away before the row that names it commits.
		if err := d.disk.Touch(name, d.now()); err != nil {
			return "", unusable(name, err)
		}
		return "", nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", unusable(name, err)
	}
	return d.write(ctx, dir, "", b, sync)
}

// write copies a blob to a new file of that name, or of a name that it finds, checks it and syncs it if asked to. What
// fails leaves no file behind.
func (d *Dir) write(ctx context.Context, dir, name string, b Blob, sync bool) (part string, err error) {
	create := func() (diskFile, error) {
		if name != "" {
			return d.disk.Create(name)
		}
		return d.disk.CreateTemp(dir, partName)
	}
	f, err := create()
	if errors.Is(err, fs.ErrNotExist) { // a sweep took the empty folder away
		if err := d.makeFolder(dir); err != nil {
			return "", unusable(dir, err)
		}
		f, err = create()
	}
	if err != nil {
		return "", unusable(dir, err)
	}
	open := true
	defer func() {
		if err == nil {
			return
		}
		if open {
			_ = f.Close() // the first error is the one to tell
		}
		_ = d.disk.Remove(f.Name()) // else a sweep does
	}()
	if err := fill(ctx, f, b); err != nil {
		return "", err
	}
	if err := f.Share(); err != nil {
		return "", unusable(f.Name(), err)
	}
	if sync {
		if err := f.Sync(); err != nil {
			return "", unusable(f.Name(), err)
		}
	}
	open = false
	if err := f.Close(); err != nil {
		return "", unusable(f.Name(), err)
	}
	return f.Name(), nil
}

// fill writes the content of a blob and checks it, unless it lies in memory since its digest was taken.
func fill(ctx context.Context, f io.Writer, b Blob) error {
	src, err := b.Open()
	if err != nil {
		return fmt.Errorf("open the content of %s: %w", b.Digest, err)
	}
	defer func() { _ = src.Close() }() // read to its end or given up: nothing is lost when closing fails
	if k, ok := src.(known); ok {
		if _, err := k.WriteTo(f); err != nil {
			return unusable("media file", err)
		}
		return nil
	}
	got, size, err := copySum(ctx, f, src)
	if err != nil {
		return err
	}
	if got.String() != b.Digest || size != b.Size {
		return fault.Errorf(fault.Invalid, "file "+b.Digest, "the content has %d bytes and the digest %s, not the %d bytes announced: it changed while it was read",
			size, got, b.Size)
	}
	return nil
}

// buffers are reused, as a package can bring ten thousand files.
var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// copySum copies src to dst and digests it on the way.
func copySum(ctx context.Context, dst io.Writer, src io.Reader) (s sum, size int64, err error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	h := newHash()
	for {
		if err := ctx.Err(); err != nil {
			return s, size, err
		}
		n, rerr := src.Read(*buf)
		if n > 0 {
			_, _ = h.Write((*buf)[:n]) // a hash never fails to write
			if _, err := dst.Write((*buf)[:n]); err != nil {
				return s, size, unusable("media file", err)
			}
			size += int64(n)
		}
		switch {
		case errors.Is(rerr, io.EOF):
			return sumOf(h), size, nil
		case rerr != nil:
			return s, size, rerr
		}
	}
}

// Open implements [Files].
func (d *Dir) Open(_ context.Context, pkg uuid.UUID, digest string) (io.ReadCloser, error) {
	if _, ok := parseSum(digest); !ok {
		return nil, fault.Errorf(fault.NotFound, "media file", "no digest: %s", quote(digest))
	}
	f, err := d.disk.Open(d.Path(pkg, digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Errorf(fault.NotFound, "media file "+digest, "it is not in %s", d.folder(pkg))
	}
	if err != nil {
		return nil, unusable(d.Path(pkg, digest), err)
	}
	return f, nil
}

// Size implements [Files].
func (d *Dir) Size(_ context.Context, pkg uuid.UUID, digest string) (int64, bool, error) {
	if _, ok := parseSum(digest); !ok {
		return 0, false, nil
	}
	info, err := d.disk.Stat(d.Path(pkg, digest))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, false, nil
	case err != nil:
		return 0, false, unusable(d.Path(pkg, digest), err)
	}
	return info.Size(), true, nil
}

// known is content in memory that the digest it goes by was taken of.
type known struct{ *bytes.Reader }

func (known) Close() error { return nil }

// openKnown gives such content as a Blob's Open.
func openKnown(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return known{bytes.NewReader(b)}, nil }
}

// unusable tells of a disk that does not do what it should.
func unusable(name string, err error) error {
	if k := fault.KindOf(err); k == fault.Interrupted {
		return err
	}
	return &fault.Error{Kind: fault.Unavailable, Thing: name, Text: "the media folder cannot be used: " + err.Error(),
		Next: "check that the disk has room and that this user may write there", Err: err}
}
