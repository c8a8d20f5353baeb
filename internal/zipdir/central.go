package zipdir

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// The signatures of the records of a zip.
const (
	LocalSignature      = "PK\x03\x04"
	CentralSignature    = "PK\x01\x02"
	EndSignature        = "PK\x05\x06"
	End64Signature      = "PK\x06\x06"
	LocatorSignature    = "PK\x06\x07"
	DescriptorSignature = "PK\x07\x08"
)

// The fixed lengths of the records.
const localLen, centralLen, endLen, end64Len, locatorLen = 30, 46, 22, 56, 20

const centralMost = centralLen + 3*math.MaxUint16 // bytes of an entry of the directory

// The methods of compression, and the flags that a writer needs.
const (
	MethodStore   = 0
	MethodDeflate = 8

	FlagDescriptor = 1 << 3
	FlagUTF8       = 1 << 11
	flagsEncrypted = 1<<0 | 1<<6 | 1<<13
	flagPatch      = 1 << 5

	extraZip64       = 0x0001
	extraUnicodePath = 0x7075
)

var le = binary.LittleEndian

// Read reads the central directory of a zip of size bytes, holds it against the local headers, and calls fn for each
// member in the directory's order; what fn returns ends it. What is wrong with the zip is an [*Error].
func Read(ctx context.Context, r io.ReaderAt, size int64, l Limits, fn func(Member) error) error {
	d := &directory{r: r, size: size, limits: l, fn: fn}
	err := d.read(ctx)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return refuse("", Damaged, "cut short: the end is missing")
	}
	return err
}

// directory is the central directory while it is read.
type directory struct {
	r      io.ReaderAt
	size   int64
	limits Limits
	fn     func(Member) error

	members int64
	start   int64 // of the central directory
	end     int64
	head    []byte // see window
}

// header is a member as the central directory has it.
type header struct {
	name          string // as written
	flags, method uint16
	crc           uint32
	packed, size  int64
	at            int64 // of the local header
	mode          fs.FileMode
}

// span is the part of the file that a member takes, from its local header to the end of its data and descriptor.
type span struct {
	from, to, size int64
	name           string
}

func (d *directory) read(ctx context.Context) error {
	if err := d.readEnd(); err != nil {
		return err
	}
	if d.members > d.limits.Members {
		return refuse("", TooLarge, "more than %d entries", d.limits.Members)
	}
	section := Guarded{Context: ctx, Reader: io.NewSectionReader(d.r, d.start, d.end-d.start)}
	central := bufio.NewReaderSize(section, centralMost)
	spans := make([]span, 0, d.members)
	for range d.members {
		h, err := readCentral(central)
		if err != nil {
			return err
		}
		s, err := d.member(h)
		if err != nil {
			return inMember(h.name, err)
		}
		spans = append(spans, s)
	}
	if _, err := central.ReadByte(); err != io.EOF {
		return refuse("", Unsafe, "the central directory holds more than its %d entries", d.members)
	}
	return d.checkSpans(spans)
}

// checkSpans refuses members that share bytes, and expansion that is spread over many members.
func (d *directory) checkSpans(spans []span) error {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	watch := NewRatio(d.limits.Ratio, d.limits.RatioWindow)
	var end int64
	for _, s := range spans {
		if s.from < end {
			return refuse(s.name, Unsafe, "shares bytes with another member")
		}
		if end = s.to; end > d.start {
			return refuse(s.name, Unsafe, "reaches into the central directory")
		}
		if !watch.Add(s.to-s.from, s.size) {
			return refuse(s.name, TooLarge, "expands more than %d times", watch.max)
		}
	}
	return nil
}

func (d *directory) at(offset int64, n int) ([]byte, error) {
	if offset < 0 || offset > d.size-int64(n) {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	_, err := d.r.ReadAt(b, offset)
	if err == io.EOF {
		err = nil // all of b was read
	}
	return b, err
}

// readEnd finds the end record, and through it the central directory.
func (d *directory) readEnd() error {
	tail, err := d.at(max(0, d.size-endLen-math.MaxUint16), int(min(d.size, endLen+math.MaxUint16)))
	if err != nil {
		return err
	}
	i := bytes.LastIndex(tail, []byte(EndSignature))
	if i < 0 || len(tail)-i < endLen {
		return refuse("", Damaged, "cut short: the end record of the zip is missing")
	}
	b := tail[i:]
	if len(b) != endLen+int(le.Uint16(b[20:])) {
		return refuse("", Unsafe, "data behind the end of the archive")
	}
	d.end = d.size - int64(len(b))
	disk, startDisk := le.Uint16(b[4:]), le.Uint16(b[6:])
	here, all := int64(le.Uint16(b[8:])), int64(le.Uint16(b[10:]))
	length, start := int64(le.Uint32(b[12:])), int64(le.Uint32(b[16:]))
	d.members = all
	if all == math.MaxUint16 || length == math.MaxUint32 || start == math.MaxUint32 {
		if b, err := d.at(d.end-locatorLen, locatorLen); err == nil && string(b[:4]) == LocatorSignature {
			return d.readEnd64(b)
		}
		// Without a larger record the small one means what it says.
	}
	if disk != 0 || startDisk != 0 || here != all {
		return refuse("", Unsafe, "a zip in several parts")
	}
	return d.place(start, length)
}

// readEnd64 reads the end record of large zips, given its locator, which stands right before the small record.
func (d *directory) readEnd64(found []byte) error {
	if le.Uint32(found[4:]) != 0 || le.Uint32(found[16:]) > 1 {
		return refuse("", Unsafe, "a zip in several parts")
	}
	at, locator := int64(le.Uint64(found[8:])), d.end-locatorLen
	b, err := d.at(at, end64Len)
	if err != nil {
		return err
	}
	length := le.Uint64(b[4:])
	if string(b[:4]) != End64Signature || length > math.MaxInt32 || at+12+int64(length) != locator {
		return refuse("", Unsafe, "the end records contradict each other")
	}
	if le.Uint32(b[16:]) != 0 || le.Uint32(b[20:]) != 0 || le.Uint64(b[24:]) != le.Uint64(b[32:]) {
		return refuse("", Unsafe, "a zip in several parts")
	}
	d.end, d.members = at, int64(min(le.Uint64(b[32:]), math.MaxInt64))
	return d.place(int64(le.Uint64(b[48:])), int64(le.Uint64(b[40:])))
}

func (d *directory) place(start, length int64) error {
	if start < 0 || length < 0 || start > d.end || d.end-start != length {
		return refuse("", Unsafe, "the central directory is not where the end record says")
	}
	if d.members > length/centralLen {
		return refuse("", Damaged, "the central directory is too short for its %d entries", d.members)
	}
	d.start = start
	return nil
}

// readCentral reads one header of the central directory.
func readCentral(r *bufio.Reader) (h header, err error) {
	b, err := r.Peek(centralLen)
	if err != nil {
		return h, err
	}
	if string(b[:4]) != CentralSignature {
		return h, refuse("", Damaged, "no entry where the central directory should have one")
	}
	nameLen, extraLen, commentLen := int(le.Uint16(b[28:])), int(le.Uint16(b[30:])), int(le.Uint16(b[32:]))
	if b, err = r.Peek(centralLen + nameLen + extraLen + commentLen); err != nil {
		return h, err
	}
	rest := b[centralLen:]
	h = header{
		name: string(rest[:nameLen]), flags: le.Uint16(b[8:]), method: le.Uint16(b[10:]), crc: le.Uint32(b[16:]),
		packed: int64(le.Uint32(b[20:])), size: int64(le.Uint32(b[24:])), at: int64(le.Uint32(b[42:])),
	}
	if le.Uint16(b[34:]) != 0 {
		return h, refuse(h.name, Unsafe, "a zip in several parts")
	}
	if h.mode, err = zipMode(b[5], le.Uint32(b[38:])); err != nil {
		return h, inMember(h.name, err)
	}
	extra := rest[nameLen : nameLen+extraLen]
	if err := zip64(extra, &h.size, &h.packed, &h.at); err != nil {
		return h, inMember(h.name, err)
	}
	if path, ok := extraField(extra, extraUnicodePath); ok && (len(path) < 5 || string(path[5:]) != h.name) {
		return h, refuse(h.name, Unsafe, "has a second, other name")
	}
	_, err = r.Discard(len(b)) // not before: b lies in the reader
	return h, err
}

// zipMode tells the type of a member from the system that made it and its attributes.
func zipMode(system byte, attributes uint32) (fs.FileMode, error) {
	const unix, darwin = 3, 19
	const typeMask, regular, directory, link = 0xF000, 0x8000, 0x4000, 0xA000
	switch kind := attributes >> 16 & typeMask; {
	case kind == link:
		return 0, refuse("", Unsafe, "a symbolic link, where only files and directories may be")
	case kind == directory:
		return fs.ModeDir, nil
	case kind == regular, kind == 0:
		return 0, nil
	case system == unix || system == darwin:
		return 0, refuse("", Unsafe, "neither a file nor a directory")
	}
	return 0, nil
}

// extraField returns the data of the first extra field of that id.
func extraField(extra []byte, id uint16) (data []byte, ok bool) {
	for len(extra) >= 4 {
		n := int(le.Uint16(extra[2:]))
		if n > len(extra)-4 {
			return nil, false
		}
		if le.Uint16(extra) == id {
			return extra[4 : 4+n], true
		}
		extra = extra[4+n:]
	}
	return nil, false
}

// zip64 replaces each value that does not fit 32 bits by the one in the extra field, which has them in this order.
func zip64(extra []byte, values ...*int64) error {
	field, _ := extraField(extra, extraZip64)
	for _, v := range values {
		if *v != math.MaxUint32 {
			continue
		}
		if len(field) < 8 || int64(le.Uint64(field)) < 0 {
			return refuse("", Damaged, "a size without its 64-bit form")
		}
		*v, field = int64(le.Uint64(field)), field[8:]
	}
	return nil
}

// member checks one member against its local header and tells of it.
func (d *directory) member(h header) (span, error) {
	if err := h.check(); err != nil {
		return span{}, err
	}
	data, end, err := d.local(h)
	if err != nil {
		return span{}, err
	}
	return span{h.at, end, h.size, h.name}, d.fn(Member{
		Name: h.name, Dir: strings.HasSuffix(h.name, "/"), Size: h.size, at: data, packed: h.packed, crc: h.crc, method: h.method,
	})
}

// check refuses what the central directory alone shows to be unfit.
func (h header) check() error {
	isDir := strings.HasSuffix(h.name, "/")
	switch {
	case h.flags&FlagUTF8 == 0 && strings.IndexFunc(h.name, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0:
		return refuse(h.name, BadEncoding, "the name is not marked as UTF-8")
	case h.flags&flagsEncrypted != 0:
		return refuse(h.name, Unsafe, "encrypted")
	case h.flags&flagPatch != 0:
		return refuse(h.name, Unsafe, "holds a patch, not a file")
	case h.method != MethodStore && h.method != MethodDeflate:
		return refuse(h.name, Unsafe, "compression method %d; only store and deflate are read", h.method)
	case h.method == MethodStore && h.packed != h.size:
		return refuse(h.name, Unsafe, "stored with two different sizes")
	case isDir && h.size != 0:
		return refuse(h.name, Unsafe, "a directory with content")
	case !isDir && h.mode.IsDir():
		return refuse(h.name, Unsafe, "a directory whose name does not end in a slash")
	}
	return nil
}

// inMember names the member in an error of reading its headers.
func inMember(name string, err error) error {
	switch e := new(Error); {
	case errors.As(err, &e):
		c := *e
		if c.Member == "" {
			c.Member = name
		}
		return &c
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return refuse(name, Damaged, "cut short: the end is missing")
	}
	return err
}
