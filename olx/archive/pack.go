package archive

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// level is fixed, as another one would give other bytes.
const level = 6

// chunk is the size of the pieces in which a compressor gets its input, so that its output does not depend on how
// readers happen to cut theirs.
const chunk = 64 << 10

type tarPacker struct {
	modified time.Time
	tar      *tar.Writer
	chunks   *bufio.Writer
	gzip     *gzip.Writer
}

func newTarPacker(w io.Writer, modified time.Time) *tarPacker {
	z, err := gzip.NewWriterLevel(w, level) // its header has no name unless one is set
	if err != nil {
		panic(err) // the level is a constant
	}
	z.ModTime = time.Unix(0, 0) // how gzip says that there is no time; this package would write the zero Time as 2042
	chunks := bufio.NewWriterSize(z, chunk)
	modified = time.Unix(max(modified.Unix(), 0), 0).UTC()
	return &tarPacker{modified, tar.NewWriter(chunks), chunks, z}
}

func (p *tarPacker) dir(name string) error {
	return p.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: p.modified})
}

func (p *tarPacker) file(name string, size int64) (io.Writer, error) {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: p.modified}
	return p.tar, p.tar.WriteHeader(h)
}

func (p *tarPacker) close() error {
	if err := p.tar.Close(); err != nil {
		return err
	}
	if err := p.chunks.Flush(); err != nil {
		return err
	}
	return p.gzip.Close()
}

type zipPacker struct {
	modified time.Time
	zip      *zip.Writer
	chunks   *bufio.Writer
}

func newZipPacker(w io.Writer, modified time.Time) *zipPacker {
	first := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC) // where zip's calendar starts
	if modified = modified.UTC().Truncate(time.Second); modified.Before(first) {
		modified = first
	}
	p := &zipPacker{modified, zip.NewWriter(w), bufio.NewWriterSize(nil, chunk)}
	// One compressor serves all files, as they are written one after the other: each takes a megabyte to set up.
	var compressor *flate.Writer
	p.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		if compressor == nil {
			var err error
			compressor, err = flate.NewWriter(w, level)
			return compressor, err
		}
		compressor.Reset(w)
		return compressor, nil
	})
	return p
}

func (p *zipPacker) create(name string, method uint16, mode fs.FileMode) (io.Writer, error) {
	if err := p.chunks.Flush(); err != nil {
		return nil, err
	}
	h := &zip.FileHeader{Name: name, Method: method, Modified: p.modified}
	h.SetMode(mode)
	w, err := p.zip.CreateHeader(h)
	p.chunks.Reset(w)
	return p.chunks, err
}

func (p *zipPacker) dir(name string) error {
	_, err := p.create(name+"/", zip.Store, fs.ModeDir|0o755)
	return err
}

func (p *zipPacker) file(name string, _ int64) (io.Writer, error) {
	return p.create(name, zip.Deflate, 0o644)
}

func (p *zipPacker) close() error {
	if err := p.chunks.Flush(); err != nil {
		return err
	}
	return p.zip.Close()
}

// folderPacker writes below a folder that it was given. Names are safe by CheckName, and nobody else knows the folder.
type folderPacker struct {
	root     string
	modified time.Time
	open     *os.File
}

func (p *folderPacker) path(name string) string {
	return filepath.Join(p.root, filepath.FromSlash(name))
}

func (p *folderPacker) dir(name string) error { return os.Mkdir(p.path(name), 0o777) }

func (p *folderPacker) file(name string, _ int64) (io.Writer, error) {
	if err := p.close(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(p.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	p.open = f
	return f, nil
}

// close ends the file that is being written.
func (p *folderPacker) close() error {
	if p.open == nil {
		return nil
	}
	f := p.open
	p.open = nil
	if err := f.Close(); err != nil {
		return err
	}
	return os.Chtimes(f.Name(), p.modified, p.modified)
}
