package authzapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// Place is a course or library.
type Place struct {
	Key  string `json:"external_key"`
	Name string `json:"display_name"`
	Org  *Org   `json:"org"` // null where no active organization has that short name
}

// place is a course or library before it is listed.
type place struct {
	key, org, title string
	library         bool
}

// listPlaces lists the courses and libraries in which the caller has something (authz.md §12.7).
func listPlaces(c *call) (int, any, error) {
	f := faults{}
	courses, libraries := true, true
	switch v, _ := c.query.get("scope_type"); v {
	case "":
	case "course":
		libraries = false
	case "library":
		courses = false
	default:
		f.add("scope_type", "Choose course or library.")
	}
	search := c.readSearch(f)
	orgs := c.readList(f, "orgs")
	if org := c.readOptional(f, "org", maxText); org != "" {
		orgs = append(orgs, org)
	}
	wanted := setOf(orgs)
	manage := c.readBool(f, "management_permission_only")
	if err := f.err(); err != nil {
		return 0, nil, err
	}
	permission := scope.Kind.View
	if manage {
		permission = scope.Kind.Manage
	}
	var ofCourses, ofLibraries grantedTo
	var err error
	if courses {
		if ofCourses, err = c.granted(scope.Course, permission(scope.Course)); err != nil {
			return 0, nil, err
		}
	}
	if libraries {
		if ofLibraries, err = c.granted(scope.Library, permission(scope.Library)); err != nil {
			return 0, nil, err
		}
	}
	all, err := c.places.get(c.ctx)
	if err != nil {
		return 0, nil, err
	}
	var found []*place
	for i := range all {
		p := &all[i]
		g := ofCourses
		if p.library {
			g = ofLibraries
		}
		if g.has(p.key, p.org) && wanted.has(p.org) && (search == "" || containsFold(p.title, search)) {
			found = append(found, p)
		}
	}
	w, err := windowOf(c.query, len(found))
	if err != nil {
		return 0, nil, err
	}
	byName, err := c.orgsByName()
	if err != nil {
		return 0, nil, err
	}
	page := make([]Place, 0, w.to-w.from)
	for _, p := range found[w.from:w.to] {
		page = append(page, Place{p.key, p.title, byName[p.org]})
	}
	return http.StatusOK, pageOf(c, w, page), nil
}

// readBool reads a word for yes or no; absent means no.
func (c *call) readBool(f faults, name string) bool {
	v, _ := c.query.get(name)
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "", "false", "0", "no", "off", "f", "n":
	case "true", "1", "yes", "on", "t", "y":
		return true
	default:
		f.add(name, "Choose true or false.")
	}
	return false
}

// readPlaces reads all courses and libraries in the order of the list: organization, courses before libraries, title,
// key. Letter case does not count on the servers and does on SQLite, as it is with the collations the reference sorts by.
func readPlaces(store *db.DB) func(context.Context) ([]place, error) {
	return func(ctx context.Context) (all []place, err error) {
		err = catalog.EachCourse(ctx, store, func(l catalog.Listed) error {
			all = append(all, place{key: l.Key, org: l.Org, title: l.Title})
			return nil
		})
		if err != nil {
			return nil, err
		}
		packages := map[int]publishing.PackageID{}
		var ids []publishing.PackageID
		err = catalog.EachLibrary(ctx, store, func(l catalog.Library) error {
			if l.Package != 0 {
				packages[len(all)] = publishing.PackageID(l.Package)
				ids = append(ids, publishing.PackageID(l.Package))
			}
			all = append(all, place{key: l.Key(), org: l.Org, library: true})
			return nil
		})
		if err != nil {
			return nil, err
		}
		titles, err := publishing.Titles(ctx, store, ids)
		for i, id := range packages {
			all[i].title = titles[id]
		}
		order(all, store.Engine() != db.SQLite)
		return all, err
	}
}

func order(all []place, fold bool) {
	type keyed struct {
		place
		org, title, key string
	}
	list := make([]keyed, len(all))
	low := func(s string) string { return s }
	if fold {
		low = strings.ToLower
	}
	for i, p := range all {
		list[i] = keyed{p, low(p.org), low(p.title), low(p.key)}
	}
	slices.SortFunc(list, func(a, b keyed) int {
		kind := 0
		if a.library != b.library {
			kind = 1
			if b.library {
				kind = -1
			}
		}
		return cmp.Or(strings.Compare(a.org, b.org), kind, strings.Compare(a.title, b.title), strings.Compare(a.key, b.key),
			strings.Compare(a.place.key, b.place.key))
	})
	for i := range list {
		all[i] = list[i].place
	}
}
