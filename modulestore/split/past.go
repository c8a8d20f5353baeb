package split

import (
	"bytes"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// Past loads the versions of one course or library one after the other. Structures that follow each other differ in a few entries, so
// those that are byte for byte what they were are not read again, nor are the definitions of those that name the one they
// named: the branches share their blocks. It holds one structure of each branch. Not safe for concurrent use.
type Past struct {
	loader loader
	last   map[string]*pastStructure // by branch
}

// Past returns what loads versions of a course or library from the store.
func (s *Store) Past(of keys.Course) *Past {
	return &Past{loader: loader{store: s, of: of}, last: map[string]*pastStructure{}}
}

// pastStructure is a structure that was loaded.
type pastStructure struct {
	entries []pastEntry // as they stand there
	at      map[courseware.BlockID]int
}

type pastEntry struct {
	raw bson.Doc
	entry
	block *modulestore.Block
	lost  bool // its definition is not in the source
}

// Load gives what [Store.Load] does for a version of a branch; of what was wrong on the way only which blocks have lost their definitions.
func (p *Past) Load(branch string, version modulestore.ID) (b *modulestore.Branch, lost []courseware.BlockID, err error) {
	h, err := p.loader.store.header(p.loader.of, version)
	if err != nil {
		return nil, nil, err
	}
	before := p.last[branch]
	if before == nil {
		before = &pastStructure{}
	}
	now := &pastStructure{entries: make([]pastEntry, 0, len(before.entries)), at: make(map[courseware.BlockID]int, len(before.entries))}
	next := 0 // where the same entry stood before, as a rule
	for _, v := range h.blocks.All() {
		d, _ := v.Doc()
		var x pastEntry
		if next < len(before.entries) && bytes.Equal(before.entries[next].raw, d) {
			x = before.entries[next]
			next++
		} else {
			x = pastEntry{raw: d, entry: entryOf(d)}
			if x.old {
				return nil, nil, fault.Errorf(fault.Invalid, p.loader.of.String(), "structure %s: %w", version, ErrOldSchema)
			}
			id := courseware.BlockID{Type: string(x.kind), Name: string(x.name)}
			at, had := before.at[id]
			if had {
				next = at + 1
			}
			if had && bytes.Equal(before.entries[at].raw, d) { // what stood between has gone, or come
				x = before.entries[at]
			} else if err := p.block(&x, id, before); err != nil {
				return nil, nil, err
			}
		}
		if i, twice := now.at[x.block.ID]; twice { // the last counts (SP-12)
			now.entries[i] = x
			continue
		}
		now.at[x.block.ID] = len(now.entries)
		now.entries = append(now.entries, x)
	}
	p.last[branch] = now
	blocks := make([]*modulestore.Block, len(now.entries))
	for i := range blocks {
		x := &now.entries[i]
		if blocks[i] = x.block; x.lost {
			lost = append(lost, x.block.ID)
		}
	}
	return modulestore.NewBranch(h.root, version, blocks), lost, nil
}

// block makes the block of an entry that is another than before. Where no more than who wrote it when is another, as when it
// was published, its fields are those that it had on either branch.
func (p *Past) block(x *pastEntry, id courseware.BlockID, before *pastStructure) error {
	list := []*pastStructure{before}
	for _, other := range p.last {
		if other != before {
			list = append(list, other)
		}
	}
	for _, s := range list {
		i, ok := s.at[id]
		if !ok {
			continue
		}
		if was := &s.entries[i]; x.says(&was.entry) {
			b := *was.block
			b.Edit = editOf(&x.entry)
			x.block, x.lost = &b, was.lost
			return nil
		}
	}
	x.block, p.loader.tally = new(modulestore.Block), modulestore.Tally{}
	err := p.loader.block(&x.entry, x.block)
	x.lost = p.loader.tally.Count(modulestore.MissingDefinition) > 0
	return err
}

// says reports whether two entries of one block say the same, whoever wrote them.
func (e *entry) says(o *entry) bool {
	same := func(a, b bson.Value) bool { return a.Type == b.Type && bytes.Equal(a.Raw(), b.Raw()) }
	return e.definition == o.definition && same(e.fields, o.fields) && same(e.defaults, o.defaults) && same(e.asides, o.asides)
}
