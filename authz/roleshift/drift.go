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
// of a move were kept, both sides have them. It takes a few statements; memory grows with the number of roles.
func Drifts(ctx context.Context, q db.Querier, s *flags.State) ([]Drift, error) {
	rows, err := legacy.Select(ctx, q, legacy.Selection{})
	if err != nil {
		return nil, err
	}
	held, err := authz.CourseGrants(ctx, q, "", nil)
	if err != nil {
		return nil, err
	}
	type place struct{ course, org string }
	found := map[place]*Drift{}
	at := func(course, org string) *Drift {
		p := place{course, org}
		if course != "" {
			p.org = ""
		}
		d := found[p]
		if d == nil {
			d = &Drift{Course: p.course, Org: p.org, On: s.Org(org, s.Everyone())}
			if course != "" {
				d.On = s.Course(course, org, s.Everyone())
			}
			found[p] = d
		}
		return d
	}
	for _, r := range rows {
		_, mapped := r.Role.Counterpart()
		org, ok := r.Org, r.Org != ""
		if r.Course != "" {
			org, ok = course(r.Course)
		}
		if mapped && ok {
			at(r.Course, org).Legacy = true
		}
	}
	for _, h := range held {
		if _, mapped := legacy.Of(h.Role); !mapped {
			continue
		}
		if org, ok := course(h.Scope); ok {
			at(h.Scope, org).Authz = true
		} else {
			at("", legacy.OrgOf(h.Scope)).Authz = true
		}
	}
	list := []Drift{}
	for _, d := range found {
		if d.On && d.Legacy || !d.On && d.Authz {
			list = append(list, *d)
		}
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
