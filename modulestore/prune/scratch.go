package prune

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/openlectern/lectern/modulestore"
)

// record is a structure or definition in temporary storage.
type record struct {
	id, previous, original modulestore.ID
	when                   int64  // seconds; how young it counts as
	size                   uint32 // bytes
	owner                  uint32 // 1 + the number of the course that it is told of under, 0 none
	stays                  bool
	noted                  bool // previous is from a note: what was between has been pruned
}

const (
	recordSize = 12 + 12 + 12 + 8 + 4 + 4 + 1
	// blockRecords is how many records are in memory at once, runRecords how many are sorted there: 5 MiB. runBuffer is read at once of
	// each run that is merged: 5 MiB of 10,000,000 records.
	blockRecords = 1 << 14
	runRecords   = 1 << 16
	runBuffer    = 32 << 10
)

func (r *record) put(b []byte) {
	copy(b, r.id[:])
	copy(b[12:], r.previous[:])
	copy(b[24:], r.original[:])
	binary.BigEndian.PutUint64(b[36:], uint64(r.when))
	binary.BigEndian.PutUint32(b[44:], r.size)
	binary.BigEndian.PutUint32(b[48:], r.owner)
	b[52] = 0
	if r.stays {
		b[52] |= 1
	}
	if r.noted {
		b[52] |= 2
	}
}

func (r *record) get(b []byte) {
	copy(r.id[:], b)
	copy(r.previous[:], b[12:])
	copy(r.original[:], b[24:])
	r.when = int64(binary.BigEndian.Uint64(b[36:]))
	r.size = binary.BigEndian.Uint32(b[44:])
	r.owner = binary.BigEndian.Uint32(b[48:])
	r.stays, r.noted = b[52]&1 != 0, b[52]&2 != 0
}

// sorter puts records into order with bounded memory: runs of them are sorted and merged from temporary storage, which has no
// name and is gone with the process. Of records that compare as equal one is left. Not safe for concurrent use.
type sorter struct {
	compare func(a, b *record) int
	limit   int // of records in memory
	here    []record
	file    *os.File
	runs    []int64 // where they end, in records
}

func byID(a, b *record) int { return compareIDs(a.id, b.id) }

func newSorter(compare func(a, b *record) int) *sorter {
	return &sorter{compare: compare, limit: runRecords}
}

func (s *sorter) add(r record) error {
	s.here = append(s.here, r)
	if len(s.here) < s.limit {
		return nil
	}
	return s.spill()
}

func (s *sorter) order() {
	slices.SortFunc(s.here, func(a, b record) int { return s.compare(&a, &b) })
}

func (s *sorter) spill() (err error) {
	if s.file == nil {
		if s.file, err = nameless(); err != nil {
			return err
		}
	}
	s.order()
	w := bufio.NewWriterSize(s.file, 1<<20)
	var b [recordSize]byte
	for i := range s.here {
		s.here[i].put(b[:])
		if _, err := w.Write(b[:]); err != nil {
			return storage(err)
		}
	}
	end := int64(len(s.here))
	if len(s.runs) > 0 {
		end += s.runs[len(s.runs)-1]
	}
	s.runs = append(s.runs, end)
	s.here = s.here[:0]
	return storage(w.Flush())
}

// finish returns everything in order; the sorter is of no use then.
func (s *sorter) finish() (*table, error) {
	out, err := nameless()
	if err != nil {
		return nil, err
	}
	t := &table{file: out}
	w := bufio.NewWriterSize(out, 1<<20)
	var last record
	var b [recordSize]byte
	put := func(r *record) error {
		if t.n > 0 && s.compare(&last, r) == 0 {
			return nil
		}
		last = *r
		t.n++
		r.put(b[:])
		_, err := w.Write(b[:])
		return storage(err)
	}
	if s.file == nil {
		s.order()
		for i := range s.here {
			if err := put(&s.here[i]); err != nil {
				return nil, err
			}
		}
		s.here = nil
		return t, storage(w.Flush())
	}
	if len(s.here) > 0 {
		if err := s.spill(); err != nil {
			return nil, err
		}
	}
	s.here = nil
	m := merge{compare: s.compare}
	var from int64
	for _, end := range s.runs {
		r := &run{in: bufio.NewReaderSize(io.NewSectionReader(s.file, from*recordSize, (end-from)*recordSize), runBuffer)}
		if err := r.next(); err != nil {
			return nil, err
		}
		m.runs = append(m.runs, r)
		from = end
	}
	heap.Init(&m)
	for len(m.runs) > 0 {
		if err := put(&m.runs[0].top); err != nil {
			return nil, err
		}
		switch err := m.runs[0].next(); {
		case err == io.EOF:
			heap.Pop(&m)
		case err != nil:
			return nil, err
		default:
			heap.Fix(&m, 0)
		}
	}
	if err := w.Flush(); err != nil {
		return nil, storage(err)
	}
	return t, storage(s.file.Close())
}

type run struct {
	in  *bufio.Reader
	top record
}

func (r *run) next() error {
	var b [recordSize]byte
	if _, err := io.ReadFull(r.in, b[:]); err != nil {
		if err == io.EOF {
			return err
		}
		return storage(err)
	}
	r.top.get(b[:])
	return nil
}

// merge is a heap of runs, least record first.
type merge struct {
	compare func(a, b *record) int
	runs    []*run
}

func (m *merge) Len() int           { return len(m.runs) }
func (m *merge) Less(i, j int) bool { return m.compare(&m.runs[i].top, &m.runs[j].top) < 0 }
func (m *merge) Swap(i, j int)      { m.runs[i], m.runs[j] = m.runs[j], m.runs[i] }
func (m *merge) Push(x any)         { m.runs = append(m.runs, x.(*run)) }
func (m *merge) Pop() any {
	last := m.runs[len(m.runs)-1]
	m.runs = m.runs[:len(m.runs)-1]
	return last
}

// table are records in order, of which one block is in memory. Changes to it are written when another block is wanted.
type table struct {
	file  *os.File
	n     int // of records
	block []record
	at    int // of the block's first record
	dirty bool
	bytes []byte
}

// record returns one, which is valid until the next call. Whoever changes it sets dirty.
func (t *table) record(i int) (*record, error) {
	if i < t.at || i >= t.at+len(t.block) {
		if err := t.load(i / blockRecords * blockRecords); err != nil {
			return nil, err
		}
	}
	return &t.block[i-t.at], nil
}

func (t *table) load(at int) error {
	if err := t.flush(); err != nil {
		return err
	}
	n := min(blockRecords, t.n-at)
	if t.bytes == nil {
		t.bytes = make([]byte, blockRecords*recordSize)
		t.block = make([]record, 0, blockRecords)
	}
	if _, err := t.file.ReadAt(t.bytes[:n*recordSize], int64(at)*recordSize); err != nil {
		return storage(err)
	}
	t.block = t.block[:n]
	for i := range t.block {
		t.block[i].get(t.bytes[i*recordSize:])
	}
	t.at = at
	return nil
}

func (t *table) flush() error {
	if !t.dirty {
		return nil
	}
	t.dirty = false
	for i := range t.block {
		t.block[i].put(t.bytes[i*recordSize:])
	}
	_, err := t.file.WriteAt(t.bytes[:len(t.block)*recordSize], int64(t.at)*recordSize)
	return storage(err)
}

// find returns the place of a record in a table ordered by id, -1 where there is none. The block in memory stays.
func (t *table) find(id modulestore.ID) (int, error) {
	if n := len(t.block); n > 0 && compareIDs(id, t.block[0].id) >= 0 && compareIDs(id, t.block[n-1].id) <= 0 {
		i, ok := slices.BinarySearchFunc(t.block, id, func(r record, id modulestore.ID) int { return compareIDs(r.id, id) })
		if !ok {
			return -1, nil
		}
		return t.at + i, nil
	}
	lo, hi := 0, t.n
	var b modulestore.ID
	for lo < hi {
		mid := (lo + hi) / 2
		if _, err := t.file.ReadAt(b[:], int64(mid)*recordSize); err != nil {
			return -1, storage(err)
		}
		switch c := compareIDs(b, id); {
		case c == 0:
			return mid, nil
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return -1, nil
}

// peek returns a copy of a record without taking its block into memory.
func (t *table) peek(i int) (r record, err error) {
	if i >= t.at && i < t.at+len(t.block) {
		return t.block[i-t.at], nil
	}
	var b [recordSize]byte
	if _, err := t.file.ReadAt(b[:], int64(i)*recordSize); err != nil {
		return r, storage(err)
	}
	r.get(b[:])
	return r, nil
}

// poke writes a record that peek returned.
func (t *table) poke(i int, r record) error {
	if i >= t.at && i < t.at+len(t.block) {
		t.block[i-t.at], t.dirty = r, true
		return nil
	}
	var b [recordSize]byte
	r.put(b[:])
	_, err := t.file.WriteAt(b[:], int64(i)*recordSize)
	return storage(err)
}

// each hands over all records in order.
func (t *table) each(fn func(r *record) error) error {
	for i := range t.n {
		r, err := t.record(i)
		if err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) close() error {
	if t == nil {
		return nil
	}
	return storage(t.file.Close())
}

// nameless makes a temporary file that is gone with the process.
func nameless() (*os.File, error) {
	f, err := os.CreateTemp("", "lectern-prune-")
	if err != nil {
		return nil, storage(err)
	}
	return f, storage(os.Remove(f.Name()))
}

func storage(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("temporary storage: %w", err)
}
