package authz

import (
	"slices"
	"strings"

	"github.com/openlectern/lectern/authz/scope"
)

// Explanation says why a question was answered as it was. Its Allowed always is what [Index.Allowed] answers.
type Explanation struct {
	User, Action, Scope string
	Allowed             bool
	// Super is staff or superuser where the user is one for whom the scope has a shortcut (authz.md §4.1); then Lines are
	// beside the point.
	Super string
	// Lines are the p rows that match, with how the user came by each, those that deny first.
	Lines []Line
	// Denies are, for a super admin who is not allowed, the p rows that deny anything to anyone: one such row keeps super
	// admins out everywhere (authz.md §15, D1).
	Denies []Rule
	// Roles are, for a no, the roles that would change the answer if the user had one of them in this scope, in the order
	// of rows. Where a row denies there are none.
	Roles []string
}

// Rule is a p row in external keys; its scope is a pattern, as stored.
type Rule struct{ Role, Action, Scope, Effect string }

// Line is one way in which one row matches.
type Line struct {
	Rule Rule
	// Path are the assignments from the user to the rule's role: usually one, more where roles have roles, none where the
	// rule names the user. The scope of each is that of the assignment, not the one asked for.
	Path []Grant
	// Implied are the actions from the rule's to the one asked for, both included, where the one implies the other over g2
	// rows; nil where they are the same.
	Implied []string
}

// Explain answers like [Index.Allowed], and why. What there is of others' grants in it is for those who may see these.
func (x *Index) Explain(user, action, sc string) (*Explanation, error) {
	if user == "" || action == "" {
		return nil, errNoKey
	}
	s, err := scope.Parse(sc)
	if err != nil {
		return nil, err
	}
	e := &Explanation{User: user, Action: action, Scope: sc}
	c := splitKey{s.NS(), sc, true}
	d := x.domains(c)
	if s.Kind().Staff() {
		super, err := x.super(user)
		if err != nil {
			return nil, err
		}
		if super {
			e.Super = x.admins.word(user)
		}
	}
	e.Lines = x.lines(userKey(user), actionKey(action).String(), c, &d)
	slices.SortStableFunc(e.Lines, func(a, b Line) int { return strings.Compare(b.Rule.Effect, a.Rule.Effect) }) // deny after allow in the alphabet
	e.judge(x)
	if !e.Allowed {
		e.Roles = x.would(e, actionKey(action).String(), c)
	}
	return e, nil
}

// judge finds the answer by what was found, not by asking the engine.
func (e *Explanation) judge(x *Index) {
	says := func(rules []Rule, effect string) bool {
		return slices.ContainsFunc(rules, func(r Rule) bool { return r.Effect == effect })
	}
	var rules []Rule
	for _, l := range e.Lines {
		rules = append(rules, l.Rule)
	}
	if e.Super != "" { // the matcher is true for every row
		rules = nil
		for _, r := range x.policy.rows {
			rules = append(rules, r.rule())
		}
		if len(rules) == 0 {
			e.Allowed = true
			return
		}
		for _, r := range rules {
			if r.Effect == "deny" {
				e.Denies = append(e.Denies, r)
			}
		}
	}
	e.Allowed = says(rules, "allow") && !says(rules, "deny")
}

func (r policyRow) rule() Rule { return Rule{external(r.sub), external(r.act), r.scope, r.eft} }

// lines returns the ways in which rows match, by the formulas of authz.md §4.
func (x *Index) lines(sub splitKey, action string, c splitKey, d *domains) []Line {
	who := x.names.find(sub)
	if who == 0 {
		return nil
	}
	// Breadth first, so that each path is one of the shortest; of first steps all count, as each is an assignment that
	// somebody made.
	paths := map[uint32][][]Grant{who: {nil}}
	step := []uint32{who}
	order := []uint32{who}
	for hop := 0; hop < maxHops && len(step) > 0; hop++ {
		var next []uint32
		for _, at := range step {
			for _, s := range x.waysFrom(at, d, c) {
				known := paths[s.role]
				if known != nil && !(at == who && s.role != who && len(known[0]) == 1) {
					continue
				}
				if known == nil {
					next = append(next, s.role)
					order = append(order, s.role)
				}
				paths[s.role] = append(known, append(slices.Clone(paths[at][0]), x.grant(s)))
			}
		}
		step = next
	}
	var lines []Line
	for _, role := range order {
		for _, i := range x.policy.own[role] {
			r := x.policy.rows[i]
			if r.effect() == 0 || !patternOf(r.scope).match(c) {
				continue
			}
			implied := x.policy.path(r.act, action)
			if implied == nil {
				continue
			}
			l := Line{Rule: r.rule()}
			if len(implied) > 1 {
				for _, a := range implied {
					l.Implied = append(l.Implied, external(a))
				}
			}
			for _, p := range paths[role] {
				l.Path = p
				lines = append(lines, l)
			}
		}
	}
	return lines
}

// waysFrom returns the assignments of a subject or role that c lies in, in the order of rows.
func (x *Index) waysFrom(sub uint32, d *domains, c splitKey) []seat {
	var seats []seat
	x.in(x.people.of(sub), d, c, func(e entry) bool {
		seats = append(seats, seat{sub, e.role, e.other, e.seq})
		return true
	})
	return inOrder(seats)
}

// would returns the roles that would make the answer yes.
func (x *Index) would(e *Explanation, action string, c splitKey) []string {
	if e.Super != "" || slices.ContainsFunc(e.Lines, func(l Line) bool { return l.Rule.Effect == "deny" }) {
		return nil
	}
	id := x.actions.find(keyOf(action))
	if id == 0 {
		return nil
	}
	var roles []string
	seen := map[string]bool{}
	d := x.domains(c)
	for _, r := range x.policy.rows {
		if seen[r.sub] || !strings.HasPrefix(r.sub, rolePrefix) {
			continue
		}
		seen[r.sub] = true
		if x.effect(x.names.find(keyOf(r.sub)), id, c, &d) == allows {
			roles = append(roles, external(r.sub))
		}
	}
	return roles
}
