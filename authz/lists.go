package authz

import (
	"maps"
	"slices"
	"sort"
	"unsafe"
)

// unsafeString returns bytes that nobody changes any more as a string.
func unsafeString(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}

// entry is one assignment as seen from its subject or from its scope: the other of the two, the role, and its place in
// the order of rows.
type entry struct{ other, role, seq uint32 }

func (e entry) compare(o entry) int {
	switch {
	case e.other != o.other:
		return cmpUint(e.other, o.other)
	case e.role != o.role:
		return cmpUint(e.role, o.role)
	}
	return 0
}

func cmpUint(a, b uint32) int {
	if a < b {
		return -1
	}
	return 1
}

// list holds the entries of one subject or scope in the order of (other, role), each once. A long one is cut into chunks,
// between entries of different others only. A list is never changed: with and without return another, which shares what
// stayed.
type list struct {
	few    []entry    // all, when chunks is nil
	chunks *[][]entry // else; none is empty
}

// Sizes of chunks in entries: what a change copies.
const (
	maxChunk   = 512
	startChunk = 256
)

func (l list) len() int {
	if l.chunks == nil {
		return len(l.few)
	}
	n := 0
	for _, c := range *l.chunks {
		n += len(c)
	}
	return n
}

func (l list) empty() bool { return l.chunks == nil && len(l.few) == 0 }

// long reports whether looking at all entries costs more than searching for a few.
func (l list) long() bool { return l.chunks != nil || len(l.few) > 24 }

// all calls yield for each entry until it returns false.
func (l list) all(yield func(entry) bool) {
	if l.chunks == nil {
		for _, e := range l.few {
			if !yield(e) {
				return
			}
		}
		return
	}
	for _, c := range *l.chunks {
		for _, e := range c {
			if !yield(e) {
				return
			}
		}
	}
}

// of returns the entries with this other.
func (l list) of(other uint32) []entry {
	c := l.few
	if l.chunks != nil {
		c = (*l.chunks)[l.chunk(entry{other: other})]
	}
	lo := sort.Search(len(c), func(i int) bool { return c[i].other >= other })
	hi := lo
	for hi < len(c) && c[hi].other == other {
		hi++
	}
	return c[lo:hi]
}

// chunk returns the number of the chunk in which e is or belongs: the last that does not begin behind it.
func (l list) chunk(e entry) int {
	cs := *l.chunks
	i := sort.Search(len(cs), func(i int) bool { return cs[i][0].other > e.other })
	return max(i-1, 0)
}

// with returns the list with e, and whether it was not there before.
func (l list) with(e entry) (list, bool) {
	if l.chunks == nil {
		at, found := slices.BinarySearchFunc(l.few, e, entry.compare)
		if found {
			return l, false
		}
		return listOf(inserted(l.few, at, e)), true
	}
	n := l.chunk(e)
	c := (*l.chunks)[n]
	at, found := slices.BinarySearchFunc(c, e, entry.compare)
	if found {
		return l, false
	}
	cs := slices.Concat((*l.chunks)[:n], cut(inserted(c, at, e)), (*l.chunks)[n+1:])
	return list{chunks: &cs}, true
}

// without returns the list without an entry, and whether it was there.
func (l list) without(other, role uint32) (list, bool) {
	e := entry{other: other, role: role}
	if l.chunks == nil {
		at, found := slices.BinarySearchFunc(l.few, e, entry.compare)
		if !found {
			return l, false
		}
		return list{few: removed(l.few, at)}, true
	}
	n := l.chunk(e)
	c := (*l.chunks)[n]
	at, found := slices.BinarySearchFunc(c, e, entry.compare)
	if !found {
		return l, false
	}
	cs := slices.Clone(*l.chunks)
	if cs[n] = removed(c, at); len(cs[n]) == 0 {
		cs = slices.Delete(cs, n, n+1)
	}
	if len(cs) == 0 {
		return list{}, true
	}
	return list{chunks: &cs}, true
}

func inserted(c []entry, at int, e entry) []entry {
	n := make([]entry, len(c)+1)
	copy(n, c[:at])
	n[at] = e
	copy(n[at+1:], c[at:])
	return n
}

func removed(c []entry, at int) []entry {
	n := make([]entry, len(c)-1)
	copy(n, c[:at])
	copy(n[at:], c[at+1:])
	return n
}

// listOf makes a list of sorted entries, which it keeps.
func listOf(es []entry) list {
	if len(es) <= maxChunk {
		return list{few: es}
	}
	cs := cut(es)
	return list{chunks: &cs}
}

// cut cuts sorted entries into chunks where they are more than one holds.
func cut(es []entry) (cs [][]entry) {
	if len(es) <= maxChunk {
		return [][]entry{es}
	}
	for len(es) > 0 {
		n := min(startChunk, len(es))
		for n < len(es) && es[n].other == es[n-1].other {
			n++
		}
		cs = append(cs, es[:n:n])
		es = es[n:]
	}
	return cs
}

// ledger is a list for each number of a subject or scope. It is never changed but by its editor before it is published.
type ledger struct {
	pages []*ledgerPage
}

const (
	listsPerPage = 128
	maxPaged     = 64 // entries of a list that lies in its page
)

// ledgerPage holds the lists of neighbouring numbers. Short ones lie one after the other, so that finding one costs no
// second look into memory that is far away.
type ledgerPage struct {
	from    [listsPerPage + 1]uint32 // where in entries the list of each begins
	entries []entry
	long    map[uint32]list // by place in the page, those that are too long for it; nil without any
}

func (p *ledgerPage) of(i uint32) list {
	es := p.entries[p.from[i]:p.from[i+1]:p.from[i+1]]
	if len(es) == 0 && p.long != nil {
		return p.long[i]
	}
	return list{few: es}
}

func (l ledger) of(id uint32) list {
	if n := int(id / listsPerPage); n < len(l.pages) && l.pages[n] != nil {
		return l.pages[n].of(id % listsPerPage)
	}
	return list{}
}

// each calls fn for every list that is not empty, by number, until it returns false.
func (l ledger) each(fn func(id uint32, l list) bool) {
	for n, p := range l.pages {
		if p == nil {
			continue
		}
		for i := range uint32(listsPerPage) {
			if l := p.of(i); !l.empty() && !fn(uint32(n)*listsPerPage+i, l) {
				return
			}
		}
	}
}

// editor makes a ledger out of another, copying each page that changes once.
type editor struct {
	pages []*ledgerPage
	own   map[int]bool
}

func (l ledger) edit() *editor { return &editor{pages: slices.Clone(l.pages), own: map[int]bool{}} }

func (e *editor) set(id uint32, l list) {
	n, i := int(id/listsPerPage), id%listsPerPage
	for n >= len(e.pages) {
		e.pages = append(e.pages, nil)
	}
	if !e.own[n] {
		p := new(ledgerPage)
		if old := e.pages[n]; old != nil {
			*p = *old
			p.long = maps.Clone(old.long)
		}
		e.pages[n], e.own[n] = p, true
	}
	p := e.pages[n]
	few := l.few
	if l.chunks != nil || len(few) > maxPaged {
		if p.long == nil {
			p.long = map[uint32]list{}
		}
		p.long[i] = l
		few = nil
	} else if delete(p.long, i); len(p.long) == 0 {
		p.long = nil
	}
	grown := len(few) - int(p.from[i+1]-p.from[i])
	// The lists given out earlier are of the entries as they are, so these are copied, not moved.
	p.entries = slices.Concat(p.entries[:p.from[i]], few, p.entries[p.from[i+1]:])
	for j := i + 1; j <= listsPerPage; j++ {
		p.from[j] = uint32(int(p.from[j]) + grown)
	}
}

func (e *editor) of(id uint32) list { return ledger{e.pages}.of(id) }

// ledgerOf builds a ledger of entries that belong to owners; both have the same length. limit is the largest owner + 1.
func ledgerOf(owners []uint32, limit int, at func(i int) entry) ledger {
	next := make([]uint32, limit+1)
	for _, o := range owners {
		next[o+1]++
	}
	for i := 1; i < len(next); i++ {
		next[i] += next[i-1]
	}
	all := make([]entry, len(owners))
	for i, o := range owners {
		all[next[o]] = at(i)
		next[o]++
	}
	// Now next[o] is where the entries of o end.
	pages := make([]*ledgerPage, (limit+listsPerPage-1)/listsPerPage)
	from := uint32(0)
	for n := range pages {
		p := new(ledgerPage)
		paged := all[from:from]
		for i := range uint32(listsPerPage) {
			o := n*listsPerPage + int(i)
			if o < limit && next[o] > from {
				es := sortedEntries(all[from:next[o]])
				if from = next[o]; len(es) > maxPaged {
					if p.long == nil {
						p.long = map[uint32]list{}
					}
					p.long[i] = listOf(slices.Clone(es))
				} else {
					paged = append(paged, es...) // at or before where they are
				}
			}
			p.from[i+1] = uint32(len(paged))
		}
		p.entries = slices.Clip(paged)
		pages[n] = p
	}
	return ledger{pages}
}

// sortedEntries sorts entries in place, each once: of equal ones the first row stays.
func sortedEntries(es []entry) []entry {
	slices.SortFunc(es, func(a, b entry) int {
		if c := a.compare(b); c != 0 {
			return c
		}
		return cmpUint(a.seq, b.seq)
	})
	return slices.CompactFunc(es, func(a, b entry) bool { return a.other == b.other && a.role == b.role })
}
