package archive

import (
	"archive/tar"
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	kflate "github.com/klauspost/compress/flate"
	kgzip "github.com/klauspost/compress/gzip"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/zipdir"
)

// Open opens a folder, or a file that is a gzip-compressed tar or a zip, told apart by their first bytes. All checks of
// names, types and the container are done here; the content of a tar is read completely, that of a zip or folder when
// its files are opened. An archive that is refused gives an [*Error] and leaves nothing behind. The context counts for
// opening only.
func Open(ctx context.Context, path string, limits Limits, opts Options) (*Archive, error) {
	limits = limits.withDefaults()
	if opts.Memory == 0 {
		opts.Memory = 32 << 20
	}
	late := &Error{Archive: path, Rule: TooLarge, Text: fmt.Sprintf("not read within %v", limits.Time)}
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Time, late)
	defer cancel()

	t := newTable(limits)
	from, err := openBackend(ctx, path, t, opts)
	if err != nil {
		return nil, told(path, err)
	}
	a := &Archive{path: path, from: from, files: t.files, names: t.names()}
	for d := range t.dirs {
		a.dirs = append(a.dirs, d)
	}
	slices.Sort(a.dirs)
	a.warnings = alike(a.names)
	return a, nil
}

func openBackend(ctx context.Context, path string, t *table, opts Options) (_ backend, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openFolder(ctx, path, t)
	}
	if !info.Mode().IsRegular() {
		return nil, refuse("", Damaged, "neither a file nor a folder")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	keep := false
	defer func() {
		if !keep {
			_ = f.Close() // only read
		}
	}()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if info.Size() > t.limits.Compressed {
		return nil, refuse("", TooLarge, "the archive is larger than %d bytes", t.limits.Compressed)
	}
	var magic [4]byte
	n, err := io.ReadFull(f, magic[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	switch head := string(magic[:n]); {
	case strings.HasPrefix(head, "\x1f\x8b"):
		return openTar(ctx, f, t, opts)
	case head == zipdir.LocalSignature || head == zipdir.EndSignature:
		z, err := openZip(ctx, f, info.Size(), t)
		keep = err == nil
		return z, err
	case n == 0:
		return nil, refuse("", Damaged, "the file is empty")
	}
	return nil, refuse("", Damaged, "neither a .tar.gz nor a .zip archive")
}

// told gives an error of opening the archive's path, and system errors their kind.
func told(path string, err error) error {
	if e := asError(err); e != nil {
		e.Archive = path
		return e
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Errorf(fault.NotFound, path, "there is no such file or folder: %w", err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", path, err)
	}
	return fault.Errorf(fault.Unavailable, path, "cannot be read: %w", err)
}

// asError returns the *Error within err, or makes one of what the decoders call a broken input. It returns nil for errors
// that are not the archive's fault.
func asError(err error) *Error {
	var e *Error
	var z *zipdir.Error
	var corrupt flate.CorruptInputError
	var kcorrupt kflate.CorruptInputError
	switch {
	case errors.As(err, &e):
		c := *e
		return &c
	case errors.As(err, &z):
		return &Error{Member: z.Member, Rule: z.Rule, Text: z.Text}
	case errors.Is(err, tar.ErrInsecurePath), errors.Is(err, zip.ErrInsecurePath):
		return &Error{Rule: Unsafe, Text: "a path that leads outside", Err: err}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &Error{Rule: Damaged, Text: "cut short: the end is missing", Err: err}
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong):
		return &Error{Rule: Damaged, Text: "not a valid tar header where one is expected", Err: err}
	case errors.Is(err, kgzip.ErrHeader):
		return &Error{Rule: Damaged, Text: "not a valid gzip header", Err: err}
	case errors.Is(err, kgzip.ErrChecksum), errors.Is(err, zip.ErrChecksum):
		return &Error{Rule: Damaged, Text: "the checksum does not match the content", Err: err}
	case errors.As(err, &corrupt), errors.As(err, &kcorrupt):
		return &Error{Rule: Damaged, Text: "the compressed data are corrupt", Err: err}
	}
	return nil
}
