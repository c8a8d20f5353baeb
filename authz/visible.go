package authz

import (
	"slices"
	"strings"

	"github.com/openlectern/lectern/authz/scope"
)

// Filter narrows a listing; an empty list asks for everything. Scopes take in the scopes around each (authz.md §2.3, §6).
type Filter struct{ Orgs, Scopes, Roles []string }

// Sight is what one person may see of the assignments of all people: those of users in scopes whose team he may view. It
// is safe for concurrent use: Visible has judged each scope that has assignments, and nothing asks for another.
type Sight struct {
	x      *Index
	viewer string
	err    error // what came up while looking at the viewer's own assignments
	filter Filter
	expand map[string]bool
	all    bool                       // a super admin
	mine   map[string]map[uint32]bool // by permission: the scopes in which the viewer has it
	passes map[uint32]bool            // by domain
	people []uint32
	counts []uint32 // by number of a subject
}

// sight prepares what does not depend on whose assignments are looked at.
func (x *Index) sight(viewer string, f Filter) (*Sight, error) {
	if viewer == "" {
		return nil, errNoKey
	}
	s := &Sight{x: x, filter: f, mine: map[string]map[uint32]bool{}, passes: map[uint32]bool{}}
	if len(f.Scopes) > 0 {
		s.expand = map[string]bool{}
		for _, k := range scope.Expand(f.Scopes) {
			s.expand[k] = true
		}
	}
	var err error
	s.viewer = viewer
	s.all, err = x.super(viewer)
	return s, err
}

// has returns the scopes in which the viewer has a permission.
func (s *Sight) has(permission string) map[uint32]bool {
	mine, known := s.mine[permission]
	if !known {
		ids, err := s.x.scopesFor(s.viewer, permission)
		if err != nil {
			s.err = err
		}
		mine = make(map[uint32]bool, len(ids))
		for _, id := range ids {
			mine[id] = true
		}
		s.mine[permission] = mine
	}
	return mine
}

// Visible returns what a viewer may see of all assignments. Rows of subjects that are no users are left out (authz.md §15,
// D22); a row whose scope is none is an error.
func (x *Index) Visible(viewer string, f Filter) (*Sight, error) {
	s, err := x.sight(viewer, f)
	if err != nil {
		return nil, err
	}
	if err := x.allListable(); err != nil {
		return nil, err
	}
	s.counts = make([]uint32, x.names.len()+1)
	x.places.each(func(domain uint32, l list) bool {
		if s.passesScope(domain) {
			l.all(func(e entry) bool {
				if s.passesRole(e.role) {
					s.counts[e.other]++
				}
				return true
			})
		}
		return true
	})
	if s.err != nil {
		return nil, s.err
	}
	for _, id := range x.names.byText() {
		if int(id) < len(s.counts) && s.counts[id] > 0 && strings.HasPrefix(x.names.text(id), userPrefix) {
			s.people = append(s.people, id)
		}
	}
	return s, nil
}

// allListable is an error when some assignment has a scope that is none.
func (x *Index) allListable() error {
	for _, id := range x.unlisted {
		if !x.places.of(id).empty() && !x.tolerant {
			_, err := x.kind(id)
			return err
		}
	}
	return nil
}

func (s *Sight) passesRole(role uint32) bool {
	return len(s.filter.Roles) == 0 || slices.Contains(s.filter.Roles, external(s.x.names.text(role)))
}

func (s *Sight) passesScope(domain uint32) bool {
	pass, known := s.passes[domain]
	if !known {
		pass = s.judge(domain)
		s.passes[domain] = pass
	}
	return pass
}

func (s *Sight) judge(domain uint32) bool {
	text := s.x.scopes.text(domain)
	sc, err := scope.ParseNamespaced(text)
	if err != nil {
		return false
	}
	if s.expand != nil && !s.expand[sc.Key()] || len(s.filter.Orgs) > 0 && (sc.Org() == "" || !slices.Contains(s.filter.Orgs, sc.Org())) {
		return false
	}
	if s.all {
		return true
	}
	permission := sc.Kind().View()
	if permission == "" {
		return false
	}
	mine := s.has(permission)
	if len(mine) == 0 {
		return false
	}
	c := keyOf(text)
	for _, id := range s.x.domains(c) {
		if id != 0 && mine[id] {
			return true
		}
	}
	for _, id := range s.x.odd {
		if mine[id] && s.x.oddHolds(id, c) {
			return true
		}
	}
	return false
}

// Len returns how many people have an assignment that is seen.
func (s *Sight) Len() int { return len(s.people) }

// Name returns the name of a person, by number from 0. They come by name, byte by byte.
func (s *Sight) Name(i int) string { return external(s.x.names.text(s.people[i])) }

// Names returns the names of all.
func (s *Sight) Names() []string {
	names := make([]string, len(s.people))
	for i := range names {
		names[i] = s.Name(i)
	}
	return names
}

// Count returns how many assignments of a person are seen.
func (s *Sight) Count(i int) int { return int(s.counts[s.people[i]]) }

// Grants returns the assignments of a person that are seen, in the order of rows.
func (s *Sight) Grants(i int) []Grant { return s.grants(s.people[i]) }

func (s *Sight) grants(sub uint32) []Grant {
	seats := slices.DeleteFunc(s.x.seatsOf(sub), func(t seat) bool { return !s.passesScope(t.domain) || !s.passesRole(t.role) })
	gs := make([]Grant, len(seats))
	for i, t := range inOrder(seats) {
		gs[i] = s.x.grant(t)
	}
	return gs
}

// VisibleOf returns what a viewer may see of one user's assignments, in the order of rows.
func (x *Index) VisibleOf(viewer, user string, f Filter) ([]Grant, error) {
	if user == "" {
		return nil, errNoKey
	}
	s, err := x.sight(viewer, f)
	if err != nil {
		return nil, err
	}
	sub := x.names.find(userKey(user))
	if _, err := x.grants(x.seatsOf(sub)); err != nil {
		return nil, err
	}
	gs := s.grants(sub)
	return gs, s.err
}
