package archive

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/crypto/blake2b"

	"github.com/openlectern/lectern/internal/zipdir"
)

// openTar reads a gzip-compressed tar to its end, files into a spool. Afterwards f is not needed.
func openTar(ctx context.Context, f io.Reader, t *table, opts Options) (_ backend, err error) {
	s := &spool{tempDir: opts.TempDir, budget: opts.Memory}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	x := zipdir.NewExpander(zipdir.Guarded{Context: ctx, Reader: f}, 64<<10, zipdir.NewRatio(t.limits.Ratio, t.limits.RatioWindow))
	z, err := gzip.NewReader(x.Input)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	x.Output = z
	// Headers, padding and extended records are bounded too, as no one counts them as files.
	stream := &capped{r: x, left: t.limits.Total + int64(t.limits.Entries)*4096 + 1<<20, limit: t.limits.Total}

	if err := readTar(tar.NewReader(stream), t, s); err != nil {
		return nil, err
	}
	if err := drain(stream); err != nil {
		return nil, err
	}
	switch rest, err := x.Input.Peek(2); {
	case string(rest) == "\x1f\x8b":
		return nil, refuse("", Unsafe, "a second gzip member behind the first")
	case len(rest) > 0:
		return nil, refuse("", Unsafe, "data behind the end of the archive")
	case err != io.EOF:
		return nil, err
	}
	return s, s.finish()
}

// digestLen is the length in bytes of the digests that the store keeps files under (content-model.md §8): those who import
// an archive need not read its files again for them.
const digestLen = 20

func readTar(r *tar.Reader, t *table, s *spool) error {
	buf := make([]byte, 64<<10)
	sum, err := blake2b.New(digestLen, nil)
	if err != nil {
		return err
	}
	for {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.count(); err != nil {
			return err
		}
		if err := checkType(h); err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeXGlobalHeader:
		case tar.TypeDir:
			if err := t.addDir(h.Name); err != nil {
				return err
			}
		default:
			name, err := t.addFile(h.Name, h.Size)
			if err != nil {
				return err
			}
			at := s.size
			sum.Reset()
			if n, err := io.CopyBuffer(io.MultiWriter(s, sum), r, buf); err != nil {
				return inMember(h.Name, err)
			} else if n != h.Size {
				return refuse(h.Name, Damaged, "holds %d bytes instead of %d", n, h.Size)
			}
			e := entry{size: h.Size, at: at, sum: new([digestLen]byte)}
			sum.Sum(e.sum[:0])
			t.files[name] = e
		}
	}
}

// checkType refuses every member that is not a plain file or a directory (olx.md §5.1).
func checkType(h *tar.Header) error {
	what := ""
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeXGlobalHeader:
		for key := range h.PAXRecords {
			if strings.HasPrefix(key, "GNU.sparse.") {
				what = "a sparse file"
			}
		}
	case tar.TypeLink:
		what = "a hard link"
	case tar.TypeSymlink:
		what = "a symbolic link"
	case tar.TypeChar, tar.TypeBlock:
		what = "a device"
	case tar.TypeFifo:
		what = "a named pipe"
	case tar.TypeGNUSparse:
		what = "a sparse file"
	default:
		return refuse(h.Name, Unsafe, "a member of unknown type %q", h.Typeflag)
	}
	if what != "" {
		return refuse(h.Name, Unsafe, "%s, where only files and directories may be", what)
	}
	return nil
}

// inMember names the member in an error of reading it.
func inMember(name string, err error) error {
	if e := asError(err); e != nil {
		if e.Member == "" {
			e.Member = name
		}
		return e
	}
	return err
}

// drain reads what follows the last member, which may only be padding; so the checksum at the end is seen as well.
func drain(r io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		for _, c := range buf[:n] {
			if c != 0 {
				return refuse("", Unsafe, "data behind the end of the tar")
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// capped refuses to deliver more than a number of bytes.
type capped struct {
	r     io.Reader
	left  int64
	limit int64 // to be named in the error
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, refuse("", TooLarge, "expands to more than %d bytes", c.limit)
	}
	return n, err
}
