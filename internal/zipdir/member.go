package zipdir

import (
	"bufio"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Member is a file or directory of a zip, as its directory has it. Its name is not checked.
type Member struct {
	Name string
	Dir  bool
	Size int64 // bytes, as announced

	at     int64 // of the data
	packed int64 // bytes of the data
	crc    uint32
	method uint16
}

// Before reports whether the data of m lie before those of o: the order in which the archive was written.
func (m Member) Before(o Member) bool { return m.at < o.at }

// Open returns the content of a member of the zip in r. The reader ends in an [*Error] where the content is not what was
// announced; it delivers no more than a byte beyond the size. What l says of expansion is watched.
func (m Member) Open(r io.ReaderAt, l Limits) io.ReadCloser {
	const readAhead = 32 << 10
	packed := io.NewSectionReader(r, m.at, m.packed)
	c := &content{want: m}
	if m.method == MethodStore {
		c.r = bufio.NewReaderSize(packed, int(min(max(m.packed, 16), readAhead)))
		return c
	}
	c.x = NewExpander(packed, int(min(max(m.packed, 16), readAhead)), NewRatio(l.Ratio, l.RatioWindow))
	if z, ok := inflaters.Get().(io.ReadCloser); ok && z.(flate.Resetter).Reset(c.x.Input, nil) == nil {
		c.flate = z
	} else {
		c.flate = flate.NewReader(c.x.Input)
	}
	c.x.Output = c.flate
	c.r = c.x
	return c
}

// inflaters are kept: an archive has hundreds of thousands of small members, and one takes 40 kB.
var inflaters sync.Pool

// content reads a member and compares its checksum, and what it took of the compressed data, at the end.
type content struct {
	r     io.Reader
	x     *Expander     // nil for stored members
	flate io.ReadCloser // nil for stored members, and after Close
	want  Member
	crc   uint32
	n     int64
}

func (c *content) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.crc = crc32.Update(c.crc, crc32.IEEETable, p[:n])
	c.n += int64(n)
	if err == io.EOF {
		switch {
		case c.n != c.want.Size:
			err = refuse("", Damaged, "the file is shorter than announced")
		case c.crc != c.want.crc:
			err = refuse("", Damaged, "the checksum does not match the content")
		case c.x != nil && c.x.Used() != c.want.packed:
			err = refuse("", Damaged, "data behind the end of the compressed content")
		}
	} else if c.n > c.want.Size {
		err = refuse("", Damaged, "the file is longer than announced")
	}
	return n, err
}

// Close frees what the reader holds. Closing twice is harmless.
func (c *content) Close() error {
	if c.flate == nil {
		return nil
	}
	err := c.flate.Close()
	if err == nil {
		inflaters.Put(c.flate)
	}
	c.flate = nil
	return err
}
