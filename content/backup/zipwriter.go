package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"

	"github.com/openlectern/lectern/internal/zipdir"
)

var le = binary.LittleEndian

// zipWriter writes a zip with the attributes that Python's writer gives its entries (backup-format.md §1), but deflated.
// The standard library's would keep a few hundred bytes of every entry until the end; here the central directory waits
// compressed, a tenth of that.
type zipWriter struct {
	out     io.Writer
	at      int64
	entries int64

	central        bytes.Buffer // compressed
	centralSize    int64        // uncompressed
	centralDeflate *flate.Writer

	deflate *flate.Writer
	packed  bytes.Buffer
	record  []byte
	copied  []byte
}

// wholeEntry is the size up to which an entry is compressed in memory, so that its sizes can stand before it.
const wholeEntry = 1 << 20

func newZipWriter(out io.Writer) (*zipWriter, error) {
	z := &zipWriter{out: out, copied: make([]byte, 64<<10)}
	var err, err2 error
	z.deflate, err = flate.NewWriter(io.Discard, flate.BestSpeed)
	z.centralDeflate, err2 = flate.NewWriter(&z.central, flate.BestSpeed)
	return z, errors.Join(err, err2)
}

// entry is what both headers of an entry say.
type zipEntry struct {
	name             string
	flags, method    uint16
	when             time.Time
	crc              uint32
	packed, size, at int64
}

// dir adds a folder; its name ends in a slash.
func (z *zipWriter) dir(name string, when time.Time) error {
	return z.put(zipEntry{name: name, when: when}, nil)
}

// file adds a file.
func (z *zipWriter) file(name string, when time.Time, content []byte) error {
	e := zipEntry{name: name, when: when, crc: crc32.ChecksumIEEE(content), size: int64(len(content)), packed: int64(len(content))}
	z.packed.Reset()
	if len(content) > 0 {
		z.deflate.Reset(&z.packed)
		if _, err := z.deflate.Write(content); err != nil {
			return err
		}
		if err := z.deflate.Close(); err != nil {
			return err
		}
		if z.packed.Len() < len(content) {
			e.method, e.packed = zipdir.MethodDeflate, int64(z.packed.Len())
			content = z.packed.Bytes()
		}
	}
	return z.put(e, content)
}

// put writes an entry whose sizes are known.
func (z *zipWriter) put(e zipEntry, data []byte) error {
	e.at = z.at
	if err := z.local(e); err != nil {
		return err
	}
	if err := z.write(data); err != nil {
		return err
	}
	return z.remember(e)
}

// stream adds a file of any size, whose sizes then stand behind it.
func (z *zipWriter) stream(name string, when time.Time, r io.Reader) error {
	e := zipEntry{name: name, when: when, flags: zipdir.FlagDescriptor, method: zipdir.MethodDeflate, at: z.at}
	if err := z.local(e); err != nil {
		return err
	}
	from := z.at
	z.deflate.Reset(counted{z})
	for {
		n, rerr := r.Read(z.copied)
		e.crc = crc32.Update(e.crc, crc32.IEEETable, z.copied[:n])
		e.size += int64(n)
		if _, err := z.deflate.Write(z.copied[:n]); err != nil {
			return err
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return rerr
		}
	}
	if err := z.deflate.Close(); err != nil {
		return err
	}
	e.packed = z.at - from
	b := le.AppendUint32([]byte(zipdir.DescriptorSignature), e.crc)
	if max(e.size, e.packed) > math.MaxUint32 {
		b = le.AppendUint64(le.AppendUint64(b, uint64(e.packed)), uint64(e.size))
	} else {
		b = le.AppendUint32(le.AppendUint32(b, uint32(e.packed)), uint32(e.size))
	}
	if err := z.write(b); err != nil {
		return err
	}
	return z.remember(e)
}

// counted writes through the zip's count.
type counted struct{ z *zipWriter }

func (c counted) Write(p []byte) (int, error) { return len(p), c.z.write(p) }

func (z *zipWriter) write(p []byte) error {
	n, err := z.out.Write(p)
	z.at += int64(n)
	return err
}

// madeBy is the version and system that the entries bear: 2.0, unix.
const madeBy, needed, needed64 = 3<<8 | 20, 20, 45

func (e zipEntry) flagged() uint16 {
	for i := range len(e.name) {
		if e.name[i] >= utf8.RuneSelf {
			return e.flags | zipdir.FlagUTF8
		}
	}
	return e.flags
}

func (z *zipWriter) local(e zipEntry) error {
	if len(e.name) > math.MaxUint16 {
		return fmt.Errorf("the name %.100q… is too long for a zip", e.name)
	}
	day, clock := dosTime(e.when)
	b := append(z.record[:0], zipdir.LocalSignature...)
	b = le.AppendUint16(b, needed)
	b = le.AppendUint16(b, e.flagged())
	b = le.AppendUint16(b, e.method)
	b = le.AppendUint16(b, clock)
	b = le.AppendUint16(b, day)
	b = le.AppendUint32(b, e.crc)
	b = le.AppendUint32(b, uint32(e.packed)) // of entries whose size is known, at most a mebibyte; else 0
	b = le.AppendUint32(b, uint32(e.size))
	b = le.AppendUint16(b, uint16(len(e.name)))
	b = le.AppendUint16(b, 0)
	z.record = append(b, e.name...)
	return z.write(z.record)
}

// remember keeps the entry for the central directory.
func (z *zipWriter) remember(e zipEntry) error {
	day, clock := dosTime(e.when)
	var extra []byte
	version := uint16(needed)
	small := func(v int64) uint32 {
		if v < math.MaxUint32 {
			return uint32(v)
		}
		extra = le.AppendUint64(extra, uint64(v))
		return math.MaxUint32
	}
	size, packed, at := small(e.size), small(e.packed), small(e.at) // in the order of the extra field
	if extra != nil {
		version = needed64
		extra = append(le.AppendUint16(le.AppendUint16(nil, 1), uint16(len(extra))), extra...)
	}
	b := append(z.record[:0], zipdir.CentralSignature...)
	b = le.AppendUint16(b, madeBy)
	b = le.AppendUint16(b, version)
	b = le.AppendUint16(b, e.flagged())
	b = le.AppendUint16(b, e.method)
	b = le.AppendUint16(b, clock)
	b = le.AppendUint16(b, day)
	b = le.AppendUint32(b, e.crc)
	b = le.AppendUint32(b, packed)
	b = le.AppendUint32(b, size)
	b = le.AppendUint16(b, uint16(len(e.name)))
	b = le.AppendUint16(b, uint16(len(extra)))
	b = append(b, 0, 0, 0, 0, 0, 0)           // comment, disk, internal attributes
	b = le.AppendUint32(b, uint32(0o600<<16)) // as Python has them: a mode without a type, of folders too
	b = le.AppendUint32(b, at)
	b = append(b, e.name...)
	z.record = append(b, extra...)
	z.entries++
	z.centralSize += int64(len(z.record))
	_, err := z.centralDeflate.Write(z.record)
	return err
}

// close writes the central directory and the records at the end.
func (z *zipWriter) close() error {
	if err := z.centralDeflate.Close(); err != nil {
		return err
	}
	start := z.at
	r := flate.NewReader(&z.central)
	if _, err := io.CopyBuffer(counted{z}, struct{ io.Reader }{r}, z.copied); err != nil {
		return err
	}
	if z.at-start != z.centralSize {
		return fmt.Errorf("the central directory has %d bytes instead of %d", z.at-start, z.centralSize)
	}
	return z.write(z.tail(start, z.at))
}

// tail returns the records behind a central directory that goes from start to end.
func (z *zipWriter) tail(start, end int64) (b []byte) {
	if z.entries >= math.MaxUint16 || start >= math.MaxUint32 || z.centralSize >= math.MaxUint32 {
		b = append(b, zipdir.End64Signature...)
		b = le.AppendUint64(b, 44) // the rest of this record
		b = le.AppendUint16(b, madeBy)
		b = le.AppendUint16(b, needed64)
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // disks
		for _, v := range []int64{z.entries, z.entries, z.centralSize, start} {
			b = le.AppendUint64(b, uint64(v))
		}
		b = append(b, zipdir.LocatorSignature...)
		b = le.AppendUint32(b, 0)
		b = le.AppendUint64(b, uint64(end))
		b = le.AppendUint32(b, 1)
	}
	entries := uint16(min(z.entries, math.MaxUint16))
	b = append(b, zipdir.EndSignature...)
	b = append(b, 0, 0, 0, 0)
	b = le.AppendUint16(le.AppendUint16(b, entries), entries)
	b = le.AppendUint32(b, uint32(min(z.centralSize, math.MaxUint32)))
	b = le.AppendUint32(b, uint32(min(start, math.MaxUint32)))
	return le.AppendUint16(b, 0)
}

// dosTime returns a time as zips have it: of the years 1980 to 2107, to two seconds.
func dosTime(t time.Time) (day, clock uint16) {
	t = t.UTC()
	switch y := t.Year(); {
	case y < 1980:
		t = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	case y > 2107:
		t = time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)
	}
	day = uint16(t.Day()) | uint16(t.Month())<<5 | uint16(t.Year()-1980)<<9
	clock = uint16(t.Second()/2) | uint16(t.Minute())<<5 | uint16(t.Hour())<<11
	return day, clock
}
