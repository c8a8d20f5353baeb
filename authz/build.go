package authz

import (
	"slices"

	"github.com/google/uuid"
)

// builder collects rows in the order of the store and makes an index of them.
type builder struct {
	x                    *Index
	subs, roles, domains []uint32
}

func newBuilder(expect int) *builder {
	return &builder{x: &Index{
		names: newTexts(expect / 4), scopes: newTexts(expect / 16), globs: newTexts(64), actions: newTexts(64), admins: &admins{},
	}}
}

// domain returns the number of the domain of an assignment, and sees that requests find it.
func (x *Index) domain(text string) uint32 {
	id := x.scopes.add(text, scopeTag)
	tag := x.scopes.entry(id).tag
	if tag&tagGlob != 0 {
		prefix, _ := globPrefix(text)
		x.globs.add(prefix, func(string) uint32 { return id })
		x.wide.set(text, id)
	} else if tag&tagOdd != 0 {
		x.odd = addID(x.odd, id)
	}
	if tag&tagKind == 0 {
		x.unlisted = addID(x.unlisted, id)
	}
	return id
}

// addID returns an ascending list with id, a new one where it was not there: other indexes hold the old one.
func addID(ids []uint32, id uint32) []uint32 {
	at, there := slices.BinarySearch(ids, id)
	if there {
		return ids
	}
	return slices.Insert(slices.Clone(ids), at, id)
}

func (b *builder) assignment(subject, role, domain string) {
	b.subs = append(b.subs, b.x.names.add(subject, nil))
	b.roles = append(b.roles, b.x.names.add(role, nil))
	b.domains = append(b.domains, b.x.domain(domain))
}

// row adds any row, as ptype and values without the empty ones at the end.
func (b *builder) row(r []string) {
	switch {
	case len(r) == 0:
	case r[0] == "g" && len(r) >= 4:
		b.assignment(r[1], r[2], r[3])
	case r[0] == "p" || r[0] == "g" || r[0] == "g2":
		b.x.model = append(b.x.model, slices.Clone(r))
	}
}

func (b *builder) index(version uuid.UUID) *Index {
	x := b.x
	x.version = version
	x.policy = compile(x.model, x.names, x.actions)
	x.people = ledgerOf(b.subs, x.names.len()+1, func(i int) entry { return entry{b.domains[i], b.roles[i], uint32(i)} })
	x.places = ledgerOf(b.domains, x.scopes.len()+1, func(i int) entry { return entry{b.subs[i], b.roles[i], uint32(i)} })
	x.next = uint32(len(b.subs))
	x.people.each(func(_ uint32, l list) bool {
		x.count += l.len()
		return true
	})
	return x
}

// NewIndex makes an index of rows in the order of the store, each as ptype, v0, v1 …, without a version and without super
// admins.
func NewIndex(rows [][]string) *Index {
	b := newBuilder(len(rows))
	for _, r := range rows {
		b.row(trimRow(r))
	}
	return b.index(uuid.Nil)
}

// trimRow cuts the empty values off a row's end, as stored rows have them in all unused columns.
func trimRow(r []string) []string {
	n := len(r)
	for n > 1 && r[n-1] == "" {
		n--
	}
	return r[:n]
}

// With returns the index that a change of rows makes, at a version: first all rows equal to one of removed go, then
// added ones come last. It costs by the change, not by the number of assignments; a change of the p and g2 rows costs a
// look at all of these. Where nobody waits for two, it should be called by one goroutine at a time.
func (x *Index) With(version uuid.UUID, added, removed [][]string) *Index {
	y := *x
	y.version = version
	people, places := x.people.edit(), x.places.edit()
	var subs []uint32 // whose assignments change
	for _, r := range removed {
		r = trimRow(r)
		if r[0] != "g" || len(r) < 4 {
			y.model = slices.DeleteFunc(slices.Clone(y.model), func(o []string) bool { return slices.Equal(o, r) })
			continue
		}
		sub, role, domain := y.names.find(keyOf(r[1])), y.names.find(keyOf(r[2])), y.scopes.find(keyOf(r[3]))
		if sub == 0 || role == 0 || domain == 0 {
			continue
		}
		if l, was := people.of(sub).without(domain, role); was {
			people.set(sub, l)
			l, _ = places.of(domain).without(sub, role)
			places.set(domain, l)
			y.count--
			subs = append(subs, sub)
		}
	}
	for _, r := range added {
		r = trimRow(r)
		if r[0] != "g" || len(r) < 4 {
			if r[0] == "p" || r[0] == "g" || r[0] == "g2" {
				y.model = append(slices.Clip(y.model), slices.Clone(r))
			}
			continue
		}
		sub, role, domain := y.names.add(r[1], nil), y.names.add(r[2], nil), y.domain(r[3])
		if l, is := people.of(sub).with(entry{domain, role, y.next}); is {
			people.set(sub, l)
			l, _ = places.of(domain).with(entry{sub, role, y.next})
			places.set(domain, l)
			y.next++
			y.count++
			subs = append(subs, sub)
		}
	}
	y.people, y.places = ledger{people.pages}, ledger{places.pages}
	if len(y.model) != len(x.model) || !slices.EqualFunc(y.model, x.model, slices.Equal) {
		y.policy = compile(y.model, y.names, y.actions)
	}
	y.walk(x, subs)
	return &y
}
