package zipdir

import (
	"io"
	"math"
)

// local reads the local header of a member, and the descriptor behind its data if it has one, and refuses any
// difference to the central directory. It returns where the data start and where the member ends.
func (d *directory) local(h header) (data, end int64, err error) {
	b, err := d.window(h.at, localLen+len(h.name)+64)
	if err != nil {
		return 0, 0, err
	}
	if string(b[:4]) != LocalSignature {
		return 0, 0, refuse(h.name, Damaged, "no local header where the central directory says")
	}
	nameLen, extraLen := int(le.Uint16(b[26:])), int(le.Uint16(b[28:]))
	if len(b) < localLen+nameLen+extraLen {
		if b, err = d.at(h.at, localLen+nameLen+extraLen); err != nil {
			return 0, 0, err
		}
	}
	rest := b[localLen : localLen+nameLen+extraLen]
	data = h.at + localLen + int64(nameLen+extraLen)
	end = data + h.packed
	if end > d.start {
		return 0, 0, refuse(h.name, Damaged, "reaches into the central directory")
	}
	const flagsThatMatter = flagsEncrypted | flagPatch | FlagDescriptor | FlagUTF8
	differs := func(what string) (int64, int64, error) {
		return 0, 0, refuse(h.name, Unsafe, "the %s differs between the central directory and the local header", what)
	}
	switch {
	case string(rest[:nameLen]) != h.name:
		return differs("name")
	case (le.Uint16(b[6:])^h.flags)&flagsThatMatter != 0:
		return differs("kind of coding")
	case le.Uint16(b[8:]) != h.method:
		return differs("compression method")
	}
	extra := rest[nameLen:]
	if path, ok := extraField(extra, extraUnicodePath); ok && (len(path) < 5 || string(path[5:]) != h.name) {
		return differs("name")
	}
	crc, packed, size := le.Uint32(b[14:]), int64(le.Uint32(b[18:])), int64(le.Uint32(b[22:]))
	if err := zip64(extra, &size, &packed); err != nil {
		return 0, 0, err
	}
	if h.flags&FlagDescriptor == 0 {
		switch {
		case crc != h.crc:
			return differs("checksum")
		case packed != h.packed, size != h.size:
			return differs("size")
		}
		return data, end, nil
	}
	// With a descriptor the local header leaves its fields empty, or fills them in all the same.
	if crc != 0 && crc != h.crc || packed != 0 && packed != h.packed || size != 0 && size != h.size {
		return differs("size or checksum")
	}
	n, err := d.descriptor(h, end)
	return data, end + n, err
}

// window reads up to n bytes of the part before the central directory, in one go and into a buffer that is used again: a
// local header with its name is nearly always that. It is at least a header long.
func (d *directory) window(offset int64, n int) ([]byte, error) {
	if offset < 0 || offset > d.start-localLen {
		return nil, io.ErrUnexpectedEOF
	}
	n = int(min(int64(n), d.start-offset))
	if cap(d.head) < n {
		d.head = make([]byte, 2*n)
	}
	_, err := d.r.ReadAt(d.head[:n], offset)
	if err == io.EOF {
		err = nil // all of it was read
	}
	return d.head[:n], err
}

// descriptor finds the record behind the data of a member, in any of the four forms that are in use, and returns its
// length.
func (d *directory) descriptor(h header, at int64) (int64, error) {
	b, err := d.at(at, int(min(24, d.start-at)))
	if err != nil {
		return 0, err
	}
	record := func(wide bool) []byte {
		r := le.AppendUint32(nil, h.crc)
		if wide {
			return le.AppendUint64(le.AppendUint64(r, uint64(h.packed)), uint64(h.size))
		}
		return le.AppendUint32(le.AppendUint32(r, uint32(h.packed)), uint32(h.size))
	}
	for _, wide := range [...]bool{true, false} {
		if !wide && max(h.packed, h.size) > math.MaxUint32 {
			continue
		}
		for _, signature := range [...]string{DescriptorSignature, ""} {
			form := signature + string(record(wide))
			if len(b) >= len(form) && string(b[:len(form)]) == form {
				return int64(len(form)), nil
			}
		}
	}
	return 0, refuse(h.name, Unsafe, "the record behind its data differs from the central directory")
}
