package authz

import (
	"strings"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/fault"
)

// Allowed reports whether a user may do an action in a scope, all external keys (authz.md §4, §6). Unknown people,
// actions and things are not allowed; a text that is no scope, and an empty user or action, are a fault.Invalid. It allocates nothing, unless roles have
// roles.
func (x *Index) Allowed(user, action, sc string) (bool, error) {
	if user == "" || action == "" {
		return false, errNoKey
	}
	c := splitKey{ext: sc, sep: true}
	var own uint32
	var kind scope.Kind
	if i := strings.IndexByte(sc, ':'); i > 0 {
		c.ns = sc[:i]
		if own = x.scopes.find(c); own != 0 {
			if tag := x.scopes.entry(own).tag; tag&tagExternal != 0 { // it has been parsed when the row was read
				kind = scope.Kind(tag & tagKind)
			}
		}
	}
	if kind == 0 {
		s, err := scope.Parse(sc)
		if err != nil {
			return false, err
		}
		kind = s.Kind()
	}
	d := x.around(own, c)
	return x.decide(userKey(user), actionKey(action), c, kind, &d)
}

// errNoKey is the answer to questions about nobody or nothing.
var errNoKey = fault.Errorf(fault.Invalid, "", "the name of a user or of an action is missing")

// AllowedRaw is Allowed for namespaced keys, as rows hold them. A subject without a namespace is a fault.Invalid.
func (x *Index) AllowedRaw(sub, act, sc string) (bool, error) {
	s, err := scope.ParseNamespaced(sc)
	if err != nil {
		return false, err
	}
	who := keyOf(sub)
	if !who.sep {
		return false, fault.Errorf(fault.Invalid, sub, "a subject is written as NAMESPACE^NAME")
	}
	c := keyOf(sc)
	d := x.domains(c)
	return x.decide(who, keyOf(act), c, s.Kind(), &d)
}

// decide is the matcher and the effect of authz.md §4.
func (x *Index) decide(sub, act, c splitKey, kind scope.Kind, d *domains) (bool, error) {
	if kind.Staff() {
		switch super, err := x.super(sub.ext); {
		case err != nil:
			return false, err
		case super: // the matcher is true for every row
			return x.policy.effects == allows, nil
		}
	}
	action := x.actions.find(act)
	who := x.names.find(sub)
	if action == 0 || who == 0 {
		return false, nil
	}
	return x.effect(who, action, c, d) == allows, nil
}

// super reports whether a subject's external key names a super admin.
func (x *Index) super(key string) (bool, error) {
	if len(x.admins.by) == 0 && len(x.admins.clash) == 0 {
		return false, nil
	}
	if x.admins.has(key) {
		return true, nil
	}
	if x.admins.clash[key] {
		return false, fault.Errorf(fault.Conflict, key, "it is the name of one person and the e-mail address of another").
			WithNext("change one of the two accounts")
	}
	return false, nil
}

// effect returns what all rows that match say. It may stop early where the answer is certain.
func (x *Index) effect(who, action uint32, c splitKey, d *domains) effect {
	p := x.policy
	e := p.effect(who, action, c)
	own := x.people.of(who)
	enough := effect(0)
	if p.effects&denies == 0 {
		enough = allows
	}
	chained := false
	x.in(own, d, c, func(g entry) bool {
		e |= p.effect(g.role, action, c)
		chained = chained || !x.people.of(g.role).empty()
		return e != enough || enough == 0
	})
	if chained && (e != enough || enough == 0) {
		x.reach(who, d, c, func(role uint32) { e |= p.effect(role, action, c) })
	}
	return e
}

// reach calls fn with every subject and role that one reaches over assignments whose domain c lies in, itself first
// (authz.md §4, G).
func (x *Index) reach(from uint32, d *domains, c splitKey, fn func(uint32)) {
	seen := map[uint32]bool{from: true}
	step := []uint32{from}
	fn(from)
	for hop := 0; hop < maxHops && len(step) > 0; hop++ {
		var next []uint32
		for _, at := range step {
			x.in(x.people.of(at), d, c, func(g entry) bool {
				if !seen[g.role] {
					seen[g.role] = true
					next = append(next, g.role)
					fn(g.role)
				}
				return true
			})
		}
		step = next
	}
}
