package authz

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// step is a change that led to an index.
type step struct {
	from uuid.UUID // the version before
	subs []uint32  // whose assignments it changed
}

// How much of the way that led to it an index remembers: who keeps a listing asks within seconds.
const (
	maxSteps    = 64
	maxStepSubs = 1000
)

// walk notes that y was made from x by a change of the assignments of subs.
func (y *Index) walk(x *Index, subs []uint32) {
	y.steps = nil
	if len(subs) <= maxStepSubs {
		y.steps = append(slices.Clone(x.steps[max(0, len(x.steps)-maxSteps+1):]), step{x.version, subs})
	}
}

// since returns whose assignments have changed since an earlier index; ok is false where more than assignments may have,
// or where that is not remembered.
func (x *Index) since(old *Index) (subs map[uint32]bool, ok bool) {
	if x.names != old.names || x.policy != old.policy || x.admins != old.admins {
		return nil, false
	}
	subs = map[uint32]bool{}
	if x.version == old.version {
		return subs, x.version != uuid.Nil
	}
	for _, s := range slices.Backward(x.steps) {
		for _, id := range s.subs {
			subs[id] = true
		}
		if s.from == old.version {
			return subs, true
		}
	}
	return nil, false
}

// Follow returns what the viewer of s sees on a later index, and the places of those whose assignments have changed. Of what
// it costs, only copying a few bytes follows the number of people. ok is false where other people are seen than before, or
// where more than assignments have changed, or what the viewer may see: then ask [Index.Visible].
func (s *Sight) Follow(x *Index) (next *Sight, changed []int, ok bool) {
	subs, ok := x.since(s.x)
	if !ok || s.err != nil || x.allListable() != nil {
		return nil, nil, false
	}
	y := *s
	y.x = x
	y.passes, y.mine = maps.Clone(s.passes), map[string]map[uint32]bool{}
	for permission, mine := range s.mine {
		if !maps.Equal(y.has(permission), mine) {
			return nil, nil, false
		}
	}
	y.counts = make([]uint32, x.names.len()+1)
	copy(y.counts, s.counts)
	for sub := range subs {
		if !strings.HasPrefix(x.names.text(sub), userPrefix) {
			continue
		}
		y.counts[sub] = 0
		x.people.of(sub).all(func(e entry) bool {
			if y.passesScope(e.other) && y.passesRole(e.role) {
				y.counts[sub]++
			}
			return true
		})
		at := slices.Index(s.people, sub)
		if (at >= 0) != (y.counts[sub] > 0) {
			return nil, nil, false
		}
		if at >= 0 {
			changed = append(changed, at)
		}
	}
	slices.Sort(changed)
	return &y, changed, y.err == nil
}
