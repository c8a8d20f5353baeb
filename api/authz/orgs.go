package authzapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/catalog"
)

// Org is an organization.
type Org struct {
	ID          int64   `json:"id"`
	Created     string  `json:"created"`
	Modified    string  `json:"modified"`
	Name        string  `json:"name"`
	ShortName   string  `json:"short_name"`
	Description *string `json:"description"`
	Logo        *string `json:"logo"`
	Active      bool    `json:"active"`
}

// org makes the answer's form of a row.
func (c *call) org(o catalog.Org) *Org {
	out := &Org{ID: o.ID, Created: isoTime(o.Created), Modified: isoTime(o.Modified), Name: o.Name, ShortName: o.ShortName,
		Description: o.Description, Active: o.Active}
	if o.Logo != "" {
		// The file lies in the platform's media folder; its address below it is Django's usual one.
		out.Logo = new(api.Absolute(c.ctx, (&url.URL{Path: "/media/" + o.Logo}).EscapedPath()))
	}
	return out
}

// isoTime writes a time as Python does: without a fraction where that is zero.
func isoTime(t time.Time) string {
	if t.Nanosecond() < 1000 {
		return t.UTC().Format("2006-01-02T15:04:05Z")
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// listOrgs lists the active organizations in which the caller has something (authz.md §12.6).
func listOrgs(c *call) (int, any, error) {
	f := faults{}
	terms := searchTerms(c.readOptional(f, "search", 0))
	if err := f.err(); err != nil {
		return 0, nil, err
	}
	mine, all := set{}, c.super()
	if !all {
		own, err := c.ix.AssignmentsOf(c.who.Username)
		if err != nil {
			return 0, nil, err
		}
		for _, g := range own {
			if org := orgOf(g.Scope); org == "*" {
				all = true
			} else if org != "" {
				mine[org] = struct{}{}
			}
		}
	}
	orgs, err := catalog.Orgs(c.ctx, c.db)
	if err != nil {
		return 0, nil, err
	}
	orgs = slices.DeleteFunc(orgs, func(o catalog.Org) bool {
		return !o.Active || !all && !mine.has(o.ShortName) || slices.ContainsFunc(terms, func(term string) bool {
			return !containsFold(o.Name, term) && !containsFold(o.ShortName, term)
		})
	})
	w, err := windowOf(c.query, len(orgs))
	if err != nil {
		return 0, nil, err
	}
	page := make([]*Org, 0, w.to-w.from)
	for _, o := range orgs[w.from:w.to] {
		page = append(page, c.org(o))
	}
	return http.StatusOK, pageOf(c, w, page), nil
}

// searchTerms cuts a search into the words that must all be found, in lower case: at blanks and commas, but not inside
// quotes around a whole word.
func searchTerms(s string) []string {
	var terms []string
	s = strings.ToLower(s)
	for s = strings.TrimLeft(s, " \t\n\r,"); s != ""; s = strings.TrimLeft(s, " \t\n\r,") {
		if q := s[:1]; q == `"` || q == `'` {
			if end := strings.Index(s[1:], q); end >= 0 {
				if end > 0 {
					terms = append(terms, s[1:end+1])
				}
				s = s[end+2:]
				continue
			}
		}
		end := strings.IndexAny(s, " \t\n\r,")
		if end < 0 {
			end = len(s)
		}
		terms = append(terms, s[:end])
		s = s[end:]
	}
	return terms
}

// orgsByName returns the active organizations by short name.
func (c *call) orgsByName() (map[string]*Org, error) {
	orgs, err := catalog.Orgs(c.ctx, c.db)
	byName := make(map[string]*Org, len(orgs))
	for _, o := range orgs {
		if o.Active {
			byName[o.ShortName] = c.org(o)
		}
	}
	return byName, err
}

// grantedTo is what of one kind of scopes the caller may see or manage.
type grantedTo struct {
	all  bool
	keys set
	orgs set
}

// has reports whether a thing is part of it.
func (g grantedTo) has(key, org string) bool {
	if g.all {
		return true
	}
	if _, ok := g.keys[key]; ok {
		return true
	}
	_, ok := g.orgs[org]
	return ok
}

// granted returns the courses or libraries in which the caller has a permission by what his roles list (authz.md §12.7).
func (c *call) granted(of scope.Kind, permission string) (grantedTo, error) {
	if c.super() {
		return grantedTo{all: true}, nil
	}
	g := grantedTo{keys: set{}, orgs: set{}}
	scopes, err := c.ix.ScopesFor(c.who.Username, permission)
	for _, s := range scopes {
		switch k := s.Kind(); {
		case k.OfCourses() != of.OfCourses(): // a role of the other kind lists the permission: it means nothing here
		case k.PlatformGlob():
			g.all = true
		case k.OrgGlob():
			g.orgs[s.Org()] = struct{}{}
		default:
			g.keys[s.Key()] = struct{}{}
		}
	}
	return g, err
}
