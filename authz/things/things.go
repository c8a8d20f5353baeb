// Package things looks up what scopes name: whether the course, library or organization is there, and what people call
// it (authz.md §2, §6, §17). Decisions need none of it, as roles may be held where there is nothing yet.
//
// Each function takes a bounded number of statements, however many scopes it is asked for.
package things

import (
	"context"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// byKind are the keys to look up, each once.
type byKind struct{ courses, libraries, orgs []string }

func sorted(scopes []scope.Scope) (k byKind) {
	seen := map[string]bool{}
	add := func(list *[]string, what, key string) {
		if !seen[what+key] {
			seen[what+key] = true
			*list = append(*list, key)
		}
	}
	for _, s := range scopes {
		switch kind := s.Kind(); {
		case s.Broken():
		case kind == scope.Library:
			add(&k.libraries, "l ", s.Key())
		case kind == scope.Course, kind == scope.CCX:
			add(&k.courses, "c ", s.Key())
		case kind.OrgGlob() && s.Org() != "":
			add(&k.orgs, "o ", s.Org())
		}
	}
	return k
}

// Exist returns which of the scopes are of something that is there (authz.md §2): a course with an overview row or a run
// of the catalog, a library with its row, for all of an organization the organization, active or not; the platform is
// always there. Letter case counts. A scope of another kind, for which that is no question, is a fault.Invalid.
func Exist(ctx context.Context, q db.Querier, scopes []scope.Scope) (map[scope.Scope]bool, error) {
	for _, s := range scopes {
		if k := s.Kind(); !k.Concrete() && !k.OrgGlob() && !k.PlatformGlob() && k != scope.BasePlatform {
			return nil, fault.Errorf(fault.Invalid, s.Key(), "a scope of this kind is of nothing that could be there")
		}
	}
	k := sorted(scopes)
	courses, err := catalog.Titles(ctx, q, k.courses)
	if err != nil {
		return nil, err
	}
	libraries, err := catalog.LibraryPackages(ctx, q, k.libraries)
	if err != nil {
		return nil, err
	}
	orgs, err := catalog.Organizations(ctx, q, k.orgs)
	if err != nil {
		return nil, err
	}
	there := make(map[scope.Scope]bool, len(scopes))
	for _, s := range scopes {
		switch kind := s.Kind(); {
		case kind == scope.Library:
			_, there[s] = libraries[s.Key()]
		case kind.Concrete():
			_, there[s] = courses[s.Key()]
		case kind.OrgGlob():
			there[s] = orgs[s.Org()]
		default:
			there[s] = true
		}
	}
	return there, nil
}

// Names returns what people call those of the scopes that are a course or a library: course titles and the titles of
// libraries' packages, "" where there is none. Globs, other texts and what is not there are absent.
func Names(ctx context.Context, q db.Querier, keys []string) (map[string]string, error) {
	scopes := make([]scope.Scope, 0, len(keys))
	for _, key := range keys {
		if s, err := scope.Parse(key); err == nil {
			scopes = append(scopes, s)
		}
	}
	k := sorted(scopes)
	names, err := catalog.Titles(ctx, q, k.courses)
	if err != nil {
		return nil, err
	}
	libraries, err := catalog.LibraryPackages(ctx, q, k.libraries)
	if err != nil {
		return nil, err
	}
	ids := make([]publishing.PackageID, 0, len(libraries))
	for _, id := range libraries {
		if id != 0 {
			ids = append(ids, publishing.PackageID(id))
		}
	}
	titles, err := publishing.Titles(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	for key, id := range libraries {
		names[key] = titles[publishing.PackageID(id)]
	}
	return names, nil
}
