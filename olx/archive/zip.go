package archive

import (
	"bufio"
	"context"
	"hash"
	"hash/crc32"
	"io"
	"os"

	"github.com/klauspost/compress/flate"
)

// zipFile reads the members of a zip where they lie.
type zipFile struct {
	f      *os.File
	limits Limits
}

// openZip reads the central directory and every local header. It keeps f open if it succeeds.
func openZip(ctx context.Context, f *os.File, size int64, t *table) (backend, error) {
	d := &zipDirectory{r: f, size: size, table: t}
	if err := d.read(ctx); err != nil {
		return nil, err
	}
	return &zipFile{f, t.limits}, nil
}

func (z *zipFile) close() error { return z.f.Close() }

func (z *zipFile) open(_ string, e entry) (io.ReadCloser, error) {
	const readAhead = 32 << 10
	packed := &metered{r: io.NewSectionReader(z.f, e.at, e.packed)}
	buffered := bufio.NewReaderSize(packed, int(min(max(e.packed, 16), readAhead)))
	m := &zipMember{want: e, crc: crc32.NewIEEE()}
	if e.method == methodStore {
		m.r = buffered
		return m, nil
	}
	m.flate = flate.NewReader(buffered)
	m.x = &expander{z: m.flate, packed: packed, buffered: buffered, ratio: newRatio(z.limits)}
	m.r = m.x
	return m, nil
}

// zipMember reads a member and compares its checksum, and what it took of the compressed data, at the end.
type zipMember struct {
	r     io.Reader
	x     *expander // nil for stored members
	flate io.ReadCloser
	want  entry
	crc   hash.Hash32
}

func (m *zipMember) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.crc.Write(p[:n])
	if err == io.EOF {
		switch {
		case m.crc.Sum32() != m.want.crc:
			err = refuse("", Damaged, "the checksum does not match the content")
		case m.x != nil && m.x.used() != m.want.packed:
			err = refuse("", Damaged, "data behind the end of the compressed content")
		}
	}
	return n, err
}

func (m *zipMember) Close() error {
	if m.flate != nil {
		return m.flate.Close()
	}
	return nil
}
