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
// announced. What is packed is read in pieces, what is stored in those that are asked for. What l says of expansion is
// watched.
func (m Member) Open(r io.ReaderAt, l Limits) io.ReadCloser {
	packed := io.NewSectionReader(r, m.at, m.packed)
	c := &content{want: m}
	if m.method == MethodStore {
		c.r = packed
		return c
	}
	c.x = inflaters.Get().(*inflater)
	c.x.reset(packed, l)
	c.r = c.x
	return c
}

const readAhead = 32 << 10 // bytes of packed data

// inflater is an [Expander] that inflates.
type inflater struct {
	Expander
	flate io.ReadCloser
	ratio Ratio
	count metered
}

// inflaters are kept: an archive has hundreds of thousands of small members, and one takes 80 kB.
var inflaters = sync.Pool{New: func() any { return &inflater{Expander: Expander{Input: bufio.NewReaderSize(nil, readAhead)}} }}

// reset makes it read other data.
func (x *inflater) reset(packed io.Reader, l Limits) {
	x.count = metered{r: packed}
	x.ratio = *NewRatio(l.Ratio, l.RatioWindow)
	x.Input.Reset(&x.count)
	x.Expander = Expander{Input: x.Input, packed: &x.count, ratio: &x.ratio}
	if x.flate == nil || x.flate.(flate.Resetter).Reset(x.Input, nil) != nil {
		x.flate = flate.NewReader(x.Input)
	}
	x.Output = x.flate
}

// content reads a member and compares its checksum, and what it took of the compressed data, at the end.
type content struct {
	r    io.Reader
	x    *inflater // nil for stored members, and after Close
	want Member
	crc  uint32
	n    int64
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
	if c.x == nil {
		return nil
	}
	x := c.x
	c.x, c.r = nil, closed{}
	err := x.flate.Close()
	x.count.r = nil
	if err == nil {
		inflaters.Put(x)
	}
	return err
}

// closed is what a content reads from once it is closed.
type closed struct{}

func (closed) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }
