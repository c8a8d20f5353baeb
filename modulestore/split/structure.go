package split

import (
	"errors"
	"hash/maphash"
	"slices"
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/gridfs"
	"github.com/openlectern/lectern/olx/fields"
)

// ErrOldSchema is the error of a structure in the form of 2013 (SP-17).
var ErrOldSchema = errors.New("unsupported split schema")

// header is a structure without its blocks.
type header struct {
	id, previous, original modulestore.ID
	root                   courseware.BlockID
	editedOn               time.Time
	blocks                 bson.Doc
	assets                 bson.Value
}

// headerOf reads a structure up to its blocks.
func headerOf(d bson.Doc) (h header, err error) {
	for key, v := range d.All() {
		switch string(key) {
		case "_id":
			h.id = modulestore.IDOf(v)
		case "previous_version":
			h.previous = modulestore.IDOf(v)
		case "original_version":
			h.original = modulestore.IDOf(v)
		case "edited_on":
			h.editedOn, _ = v.Time()
		case "root":
			var ok bool
			if h.root, ok = pairOf(v); !ok {
				err = ErrOldSchema
			}
		case "assets":
			h.assets = v
		case "blocks":
			if v.Type != bson.Array {
				err = ErrOldSchema
				continue
			}
			h.blocks, _ = v.Doc()
		}
	}
	return h, err
}

// entry is one block of a structure, in the document's own bytes.
type entry struct {
	kind, name                            []byte
	definition                            modulestore.ID
	fields, defaults, asides, edit        bson.Value
	children                              bson.Doc
	listed, old, clean                    bool // clean is whether all texts are UTF-8 without NUL
	update, previous, source, originalVer modulestore.ID
}

func entryOf(d bson.Doc) (e entry) {
	e.clean = true
	for key, v := range d.All() {
		switch string(key) {
		case "fields":
			e.fields = v
			in, _ := v.Doc()
			for name, value := range in.All() {
				e.clean = e.clean && value.Clean()
				if string(name) == "children" {
					e.children, _ = value.Doc()
					e.listed = true
				}
			}
			continue
		case "edit_info":
			e.edit = v
			in, _ := v.Doc()
			for name, id := range in.All() {
				e.clean = e.clean && id.Clean()
				switch string(name) {
				case "update_version":
					e.update = modulestore.IDOf(id)
				case "previous_version":
					e.previous = modulestore.IDOf(id)
				case "source_version":
					e.source = modulestore.IDOf(id)
				case "original_usage_version":
					e.originalVer = modulestore.IDOf(id)
				}
			}
			continue
		case "block_type":
			e.kind, _ = v.Text()
		case "block_id":
			e.name, _ = v.Text()
		case "category":
			e.old = true
		case "definition":
			e.definition = modulestore.IDOf(v)
		case "defaults":
			e.defaults = v
		case "asides":
			e.asides = v
		}
		e.clean = e.clean && v.Clean()
	}
	return e
}

// outline is what the shape of a structure says without its content: how many blocks, which by number, and what is wrong.
type outline struct {
	blocks      int
	assets      int      // entries of asset metadata (SP-31)
	ids, tokens []uint64 // in no order; a token stands for a block in the form it has (L-50)
	problems    modulestore.Tally
}

// surveyor makes outlines, keeping its working memory from one to the next.
type surveyor struct {
	seed    maphash.Seed
	at      map[uint64]int32
	known   map[string]bool
	entries []entry
	ids     []uint64
	edges   []int32 // children of all blocks by place, one after the other
	from    []int32 // where those of each block begin
}

func newSurveyor() *surveyor {
	return &surveyor{seed: maphash.MakeSeed(), at: map[uint64]int32{}, known: map[string]bool{}}
}

func (s *surveyor) hash(kind, name []byte) uint64 {
	return maphash.Bytes(s.seed, kind)*0x9E3779B97F4A7C15 + maphash.Bytes(s.seed, name)
}

// outline looks through the blocks of a structure.
func (s *surveyor) outline(h header) (*outline, error) {
	o := &outline{}
	clear(s.at)
	const usual = 300 // bytes of an entry (SC-2)
	s.entries, s.ids = slices.Grow(s.entries[:0], len(h.blocks)/usual), s.ids[:0]
	for _, v := range h.blocks.All() {
		d, _ := v.Doc()
		e := entryOf(d)
		if e.old {
			return nil, ErrOldSchema
		}
		if !e.clean {
			o.problems.Add(modulestore.UncleanText, e.where())
		}
		id := s.hash(e.kind, e.name)
		if i, twice := s.at[id]; twice {
			o.problems.Add(modulestore.SameBlock, e.where())
			s.entries[i] = e
			continue
		}
		s.at[id] = int32(len(s.entries))
		s.entries, s.ids = append(s.entries, e), append(s.ids, id)
		s.kind(o, h, &e)
	}
	root, hasRoot := s.at[s.hash([]byte(h.root.Type), []byte(h.root.Name))]
	if !hasRoot {
		o.problems.Add(modulestore.NoRoot, h.root.String())
	}
	s.children(o)
	s.cycles(o)
	s.orphans(o, root, hasRoot)
	o.blocks, o.assets = len(s.entries), len(gridfs.AssetsOf(h.assets))
	o.ids = slices.Clone(s.ids)
	o.tokens = make([]uint64, len(s.entries))
	for i := range s.entries {
		e := &s.entries[i]
		token := e.source
		if token.IsZero() {
			token = e.update
		}
		o.tokens[i] = s.ids[i] ^ maphash.Bytes(s.seed, token[:])
	}
	return o, nil
}

// kind counts what is wrong with the type of a block.
func (s *surveyor) kind(o *outline, h header, e *entry) {
	known, seen := s.known[string(e.kind)]
	if !seen {
		_, alias := fields.Alias(string(e.kind))
		known = alias || fields.Lookup(string(e.kind)) != nil
		s.known[string(e.kind)] = known
	}
	if !known {
		o.problems.Add(modulestore.UnknownType, e.where())
	}
	if (string(e.kind) == "course" || string(e.kind) == "library") && string(e.name) != h.root.Name {
		o.problems.Add(modulestore.ManyRoots, e.where())
	}
}

// children resolves the lists of children into places.
func (s *surveyor) children(o *outline) {
	s.edges, s.from = s.edges[:0], s.from[:0]
	listed := make([]int32, len(s.entries)) // the place of the parent, from 1
	several := make([]bool, len(s.entries))
	for i := range s.entries {
		e := &s.entries[i]
		s.from = append(s.from, int32(len(s.edges)))
		for _, v := range e.children.All() {
			var pair [2][]byte
			n := 0
			in, _ := v.Doc()
			for _, part := range in.All() {
				if n < 2 {
					pair[n], _ = part.Text()
				}
				n++
			}
			at, ok := s.at[s.hash(pair[0], pair[1])]
			switch {
			case !ok || n != 2:
				o.problems.Add(modulestore.SplitDangling, e.where()+": "+string(pair[0])+"/"+string(pair[1]))
				continue
			case listed[at] == int32(i+1):
				o.problems.Add(modulestore.ChildTwice, e.where()+": "+s.entries[at].where())
			case listed[at] != 0 && !several[at]:
				several[at] = true
				o.problems.Add(modulestore.ManyParents, s.entries[at].where())
			case modulestore.IsDetached(string(pair[0])):
				o.problems.Add(modulestore.DetachedChild, e.where()+": "+s.entries[at].where())
			}
			listed[at] = int32(i + 1)
			s.edges = append(s.edges, at)
		}
	}
	s.from = append(s.from, int32(len(s.edges)))
}

// cycles counts blocks whose lists lead back to a block above them.
func (s *surveyor) cycles(o *outline) {
	const open, done = 1, 2
	state := make([]byte, len(s.entries))
	type step struct{ at, next int32 }
	var stack []step
	for start := range s.entries {
		if state[start] != 0 || s.from[start] == s.from[start+1] {
			continue
		}
		state[start] = open
		stack = append(stack[:0], step{int32(start), s.from[start]})
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.next == s.from[top.at+1] {
				state[top.at] = done
				stack = stack[:len(stack)-1]
				continue
			}
			child := s.edges[top.next]
			top.next++
			switch state[child] {
			case open:
				o.problems.Add(modulestore.Cycle, s.entries[top.at].where())
			case 0:
				state[child] = open
				stack = append(stack, step{child, s.from[child]})
			}
		}
	}
}

// orphans counts blocks that no block lists (L-70).
func (s *surveyor) orphans(o *outline, root int32, hasRoot bool) {
	listed := make([]bool, len(s.entries))
	for _, at := range s.edges {
		listed[at] = true
	}
	for i := range s.entries {
		if !listed[i] && !(hasRoot && int(root) == i) && !modulestore.IsDetached(string(s.entries[i].kind)) {
			o.problems.Add(modulestore.Unlisted, s.entries[i].where())
		}
	}
}

func (e *entry) where() string { return string(e.kind) + "/" + string(e.name) }
