package authz

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// splitKey is a namespaced key in its two parts, so that a client's external key is looked up without being put together
// with its namespace, which would cost an allocation per decision. A text without a separator has sep false and all of it
// in ext.
type splitKey struct {
	ns, ext string
	sep     bool
}

// keyOf cuts a namespaced key at its first separator (authz.md §1).
func keyOf(text string) splitKey {
	if ns, ext, ok := strings.Cut(text, "^"); ok {
		return splitKey{ns, ext, true}
	}
	return splitKey{ext: text}
}

func userKey(name string) splitKey   { return splitKey{"user", name, true} }
func actionKey(name string) splitKey { return splitKey{"act", name, true} }

// equal reports whether the key, put together, is text.
func (k splitKey) equal(text string) bool {
	if !k.sep {
		return text == k.ext
	}
	n := len(k.ns)
	return len(text) == n+1+len(k.ext) && text[n] == '^' && text[:n] == k.ns && text[n+1:] == k.ext
}

// hasPrefix reports whether the key, put together, begins with p.
func (k splitKey) hasPrefix(p string) bool {
	if !k.sep {
		return strings.HasPrefix(k.ext, p)
	}
	n := len(k.ns)
	if len(p) <= n {
		return strings.HasPrefix(k.ns, p)
	}
	return p[n] == '^' && p[:n] == k.ns && strings.HasPrefix(k.ext, p[n+1:])
}

func (k splitKey) String() string {
	if !k.sep {
		return k.ext
	}
	return k.ns + "^" + k.ext
}

var hashSeed = maphash.MakeSeed()

func (k splitKey) hash() uint64 {
	h := maphash.String(hashSeed, k.ext)
	if k.sep {
		h += maphash.String(hashSeed, k.ns)*0x9E3779B97F4A7C15 + 1
	}
	return h
}

// texts gives each different text a small number, from 1 on, for ever: numbers are never taken back. Looking up never
// waits and never allocates, also while another goroutine adds. An index and those made from it by changes share one.
type texts struct {
	mu     sync.Mutex // held by those that add
	table  atomic.Pointer[textTable]
	pages  atomic.Pointer[[]*textPage]
	n      atomic.Uint32
	sorted atomic.Pointer[sortedTexts]
	arena  []byte // guarded by mu; new texts are copied into it, so that none keeps a whole buffer of rows
}

// textTable is an open hash table; 0 is an empty slot. It is at most half full. A slot holds the upper half of a text's
// hash and its number, so that a number is known, and what belongs to it can be on its way from memory, before the text
// has been compared.
type textTable struct {
	slots []atomic.Uint64
	mask  uint64
}

func slotOf(hash uint64, id uint32) uint64 { return hash&^(1<<32-1) | uint64(id) }

const textsPerPage = 1024

type textPage [textsPerPage]textEntry

// textEntry is written before its number is in the table, and never after.
type textEntry struct {
	text string
	tag  uint32 // what the owner of the texts wants to know of this one
}

func newTexts(expect int) *texts {
	t := &texts{}
	size := uint64(64)
	for int(size) < 2*expect {
		size *= 2
	}
	t.table.Store(newTextTable(size))
	t.pages.Store(&[]*textPage{})
	return t
}

func newTextTable(size uint64) *textTable {
	return &textTable{make([]atomic.Uint64, size), size - 1}
}

func (t *texts) entry(id uint32) *textEntry {
	return &(*t.pages.Load())[(id-1)/textsPerPage][(id-1)%textsPerPage]
}

// text returns the text of a number.
func (t *texts) text(id uint32) string { return t.entry(id).text }

// len returns how many texts there are.
func (t *texts) len() int { return int(t.n.Load()) }

// find returns the number of a text, 0 when it has none.
func (t *texts) find(k splitKey) uint32 { return t.lookup(k, k.hash()) }

func (t *texts) lookup(k splitKey, hash uint64) uint32 {
	table := t.table.Load()
	for i := hash; ; i++ {
		slot := table.slots[i&table.mask].Load()
		if slot == 0 {
			return 0
		}
		if id := uint32(slot); slotOf(hash, id) == slot && k.equal(t.entry(id).text) {
			return id
		}
	}
}

// add returns the number of a text, a new one when it has none. tag is asked for a new one's.
func (t *texts) add(text string, tag func(string) uint32) uint32 {
	k := keyOf(text)
	hash := k.hash()
	if id := t.lookup(k, hash); id != 0 {
		return id
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if id := t.lookup(k, hash); id != 0 { // another was quicker
		return id
	}
	id := t.n.Load() + 1
	pages := *t.pages.Load()
	if int(id-1)/textsPerPage == len(pages) {
		grown := append(pages[:len(pages):len(pages)], new(textPage))
		t.pages.Store(&grown)
	}
	e := t.entry(id)
	e.text = t.keep(text)
	if tag != nil {
		e.tag = tag(e.text)
	}
	table := t.table.Load()
	if 2*uint64(id) > table.mask {
		bigger := newTextTable(2 * (table.mask + 1))
		for old := uint32(1); old < id; old++ {
			bigger.put(old, keyOf(t.text(old)).hash())
		}
		bigger.put(id, hash)
		t.n.Store(id)
		t.table.Store(bigger)
		return id
	}
	t.n.Store(id)
	table.put(id, hash)
	return id
}

func (t *textTable) put(id uint32, hash uint64) {
	for i := hash; ; i++ {
		if s := &t.slots[i&t.mask]; s.Load() == 0 {
			s.Store(slotOf(hash, id))
			return
		}
	}
}

// keep copies a text into the arena.
func (t *texts) keep(text string) string {
	const block = 64 << 10
	if len(text) > block/8 {
		return strings.Clone(text)
	}
	if len(t.arena)+len(text) > cap(t.arena) {
		t.arena = make([]byte, 0, block)
	}
	from := len(t.arena)
	t.arena = append(t.arena, text...)
	return unsafeString(t.arena[from:])
}

// sortedTexts are the numbers of the first texts, in the order of their texts.
type sortedTexts struct{ ids []uint32 }

// byText returns the numbers of all texts in the order of their texts, byte by byte; perhaps some that were added
// meanwhile. The result is shared: read only. It is kept, so that only new texts are sorted the next time.
func (t *texts) byText() []uint32 {
	n := t.n.Load()
	var old []uint32
	if s := t.sorted.Load(); s != nil {
		old = s.ids
	}
	if len(old) >= int(n) {
		return old
	}
	added := make([]uint32, 0, int(n)-len(old))
	for id := uint32(len(old)) + 1; id <= n; id++ {
		added = append(added, id)
	}
	slices.SortFunc(added, func(a, b uint32) int { return strings.Compare(t.text(a), t.text(b)) })
	ids := make([]uint32, 0, n)
	for len(old) > 0 && len(added) > 0 {
		if t.text(old[0]) < t.text(added[0]) {
			ids, old = append(ids, old[0]), old[1:]
		} else {
			ids, added = append(ids, added[0]), added[1:]
		}
	}
	ids = append(append(ids, old...), added...)
	t.sorted.Store(&sortedTexts{ids})
	return ids
}
