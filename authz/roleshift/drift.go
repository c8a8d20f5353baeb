package roleshift

import (
	"context"
	"slices"
	"strings"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
)

// Drift is a scope of which roles stand on the side that does not count there (M-12).
type Drift struct {
	Course, Org string // one of the two
	On          bool   // what the flag comes to
	Legacy      bool   // there are legacy rows that could move
	Authz       bool   // there are assignments that could move
}

// Drifts compares the flag with where roles stand, for the whole site: organizations by name, then courses. Where the sources
// of a move were kept, both sides have them. It reads every role, and keeps only the scopes that it returns.
func Drifts(ctx context.Context, q db.Querier, s *flags.State) ([]Drift, error) {
	found := drifts{s, map[place]*Drift{}}
	ofRows := func(note func(*Drift), on func(*Drift) bool) error {
		return legacy.EachRow(ctx, q, func(r legacy.Row) {
			_, mapped := r.Role.Counterpart()
			org, ok := r.Org, r.Org != ""
			if r.Course != "" {
				org, ok = course(r.Course)
			}
			if mapped && ok {
				found.at(r.Course, org, note, on)
			}
		})
	}
	rowsThere := func(d *Drift) { d.Legacy = true }
	never := func(*Drift) bool { return false }
	if err := ofRows(rowsThere, func(d *Drift) bool { return d.On }); err != nil {
		return nil, err
	}
	off := false
	err := authz.EachCourseGrant(ctx, q, func(g authz.Grant) {
		if _, mapped := legacy.Of(g.Role); !mapped {
			return
		}
		key, org := "", legacy.OrgOf(g.Scope)
		if of, ok := course(g.Scope); ok {
			key, org = g.Scope, of
		}
		found.at(key, org, func(d *Drift) { d.Authz = true }, func(d *Drift) bool {
			off = off || !d.On
			return !d.On
		})
	})
	if err != nil {
		return nil, err
	}
	if off { // of those it is not known yet whether there are legacy rows too
		if err := ofRows(rowsThere, never); err != nil {
			return nil, err
		}
	}
	list := make([]Drift, 0, len(found.list))
	for _, d := range found.list {
		list = append(list, *d)
	}
	slices.SortFunc(list, func(a, b Drift) int {
		if c := strings.Compare(b.Org, a.Org); c != 0 {
			if a.Org == "" || b.Org == "" {
				return c
			}
			return -c
		}
		return strings.Compare(a.Course, b.Course)
	})
	return list, nil
}

// place is a course, or an organization.
type place struct{ course, org string }

// drifts are the scopes that were found to be out of place so far.
type drifts struct {
	flag *flags.State
	list map[place]*Drift
}

// at notes something of a scope that is in the list, or is to come into it.
func (s drifts) at(course, org string, note func(*Drift), comes func(*Drift) bool) {
	p := place{course, org}
	if course != "" {
		p.org = ""
	}
	d := s.list[p]
	if d == nil {
		d = &Drift{Course: p.course, Org: p.org, On: s.flag.Org(org, s.flag.Everyone())}
		if course != "" {
			d.On = s.flag.Course(course, org, s.flag.Everyone())
		}
		if !comes(d) {
			return
		}
		s.list[p] = d
	}
	note(d)
}
