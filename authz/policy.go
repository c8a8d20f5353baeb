package authz

import (
	"cmp"
	"slices"
	"strings"
)

// maxHops is how long a path of grouping rows may be (authz.md §4, G and G2).
const maxHops = 9

// pattern is the scope of a p row: exactly a text, or, where it has a star, all that begins with what stands before the
// first one (authz.md §4, K).
type pattern struct {
	text string
	glob bool
}

func patternOf(text string) pattern {
	if before, _, ok := strings.Cut(text, "*"); ok {
		return pattern{before, true}
	}
	return pattern{text, false}
}

func (p pattern) match(k splitKey) bool {
	if p.glob {
		return k.hasPrefix(p.text)
	}
	return k.equal(p.text)
}

// effect is what rows say together: nothing, allow, deny or both.
type effect uint8

const (
	allows effect = 1 << iota
	denies
)

// permit says that a role may, or may not, do an action within a pattern: a p row, for its own action and for each that it
// implies.
type permit struct {
	action  uint32
	pattern uint32
	row     uint32 // of the p row in policy.rows
	effect  effect
}

// policy is what roles may do: the p and g2 rows, compiled. It is built anew when one of them changes, and never changed.
type policy struct {
	rows     []policyRow // that count, in the order of the store
	implied  [][2]string // g2 rows
	odd      [][]string  // rows of the model's types that it cannot read: the wrong number of values
	patterns []pattern
	slots    []uint32 // by number of a subject or role: its place in permits + 1
	permits  [][]permit
	own      map[uint32][]uint32 // by number of a subject or role: its rows, in the order of the store
	effects  effect              // of all rows together
}

// policyRow is a p row.
type policyRow struct{ sub, act, scope, eft string }

func (r policyRow) effect() effect {
	switch r.eft {
	case "allow":
		return allows
	case "deny":
		return denies
	}
	return 0
}

// compile makes a policy of p and g2 rows, each as ptype and values. Rows of other types are passed over.
func compile(rows [][]string, names, actions *texts) *policy {
	p := &policy{}
	for _, r := range rows {
		switch {
		case r[0] == "p" && len(r) == 5:
			p.rows = append(p.rows, policyRow{r[1], r[2], r[3], r[4]})
		case r[0] == "g2" && len(r) >= 3:
			p.implied = append(p.implied, [2]string{r[1], r[2]})
		default:
			p.odd = append(p.odd, r)
		}
	}
	if len(p.rows) == 0 {
		p.effects = allows // an empty policy lets the matcher speak alone (authz.md §4)
	}
	byPattern := map[string]uint32{}
	reach := p.reach()
	bySub := map[uint32][]permit{}
	p.own = map[uint32][]uint32{}
	for i, r := range p.rows {
		sub := names.add(r.sub, nil)
		p.own[sub] = append(p.own[sub], uint32(i))
		e := r.effect()
		p.effects |= e
		if e == 0 {
			continue
		}
		at, known := byPattern[r.scope]
		if !known {
			at = uint32(len(p.patterns))
			byPattern[r.scope] = at
			p.patterns = append(p.patterns, patternOf(r.scope))
		}
		bySub[sub] = append(bySub[sub], permit{actions.add(r.act, nil), at, uint32(i), e})
		for _, a := range reach(r.act) {
			bySub[sub] = append(bySub[sub], permit{actions.add(a, nil), at, uint32(i), e})
		}
	}
	for sub, ps := range bySub {
		slices.SortFunc(ps, func(a, b permit) int { return cmp.Or(cmp.Compare(a.action, b.action), cmp.Compare(a.row, b.row)) })
		for int(sub) >= len(p.slots) {
			p.slots = append(p.slots, make([]uint32, int(sub)+1-len(p.slots))...)
		}
		p.permits = append(p.permits, ps)
		p.slots[sub] = uint32(len(p.permits))
	}
	return p
}

// reach returns a function that gives the other actions that an action implies, over up to nine rows.
func (p *policy) reach() func(act string) []string {
	edges := map[string][]string{}
	for _, e := range p.implied {
		edges[e[0]] = append(edges[e[0]], e[1])
	}
	known := map[string][]string{}
	return func(act string) []string {
		if found, ok := known[act]; ok {
			return found
		}
		var found []string
		seen := map[string]bool{act: true}
		step := []string{act}
		for hop := 0; hop < maxHops && len(step) > 0; hop++ {
			var next []string
			for _, from := range step {
				for _, to := range edges[from] {
					if !seen[to] {
						seen[to] = true
						next = append(next, to)
					}
				}
			}
			found = append(found, next...)
			step = next
		}
		known[act] = found
		return found
	}
}

// path returns the g2 rows by which one action implies another: the actions in between and both ends. It is nil where it
// does not.
func (p *policy) path(from, to string) []string {
	if from == to {
		return []string{from}
	}
	before := map[string]string{from: ""}
	step := []string{from}
	for hop := 0; hop < maxHops && len(step) > 0; hop++ {
		var next []string
		for _, at := range step {
			for _, e := range p.implied {
				if _, seen := before[e[1]]; e[0] != at || seen {
					continue
				}
				before[e[1]] = at
				if e[1] == to {
					var path []string
					for a := to; a != ""; a = before[a] {
						path = append(path, a)
					}
					slices.Reverse(path)
					return path
				}
				next = append(next, e[1])
			}
		}
		step = next
	}
	return nil
}

// of returns what a subject or role by itself may do, by action.
func (p *policy) of(sub uint32) []permit {
	if int(sub) >= len(p.slots) || p.slots[sub] == 0 {
		return nil
	}
	return p.permits[p.slots[sub]-1]
}

// effect returns what the rows of a subject or role say of an action in a scope.
func (p *policy) effect(sub, action uint32, c splitKey) (e effect) {
	ps := p.of(sub)
	lo, hi := 0, len(ps)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); ps[mid].action < action {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for ; lo < len(ps) && ps[lo].action == action; lo++ {
		if e&ps[lo].effect == 0 && p.patterns[ps[lo].pattern].match(c) {
			e |= ps[lo].effect
		}
	}
	return e
}
