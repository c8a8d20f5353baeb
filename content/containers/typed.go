package containers

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// StockTypes returns the codes of the types that stock code knows, sorted.
func StockTypes() []string { return []string{Section, Subsection, Unit} }

// Implements reports whether this program can make and change containers of a type; others it only reads.
func Implements(code string) bool { return checkType(code) == nil }

// CreateWithVersions makes containers, each with a first version, and returns the ids of both, aligned. Whatever the
// versions say of Entity and Num is ignored: the numbers are 1. Errors are those of [Create] and [CreateVersions].
func CreateWithVersions(ctx context.Context, cs *publishing.ChangeSet, list []NewContainer, first []NewVersion) ([]publishing.EntityID, []publishing.VersionID, error) {
	if len(list) != len(first) {
		return nil, nil, fault.Errorf(fault.Internal, "containers", "%d of them and %d versions", len(list), len(first))
	}
	made, err := Create(ctx, cs.Tx(), cs.Package(), list)
	if err != nil {
		return nil, nil, err
	}
	versions := make([]NewVersion, len(first))
	for i, v := range first {
		v.Entity, v.Num = made[i], 1
		versions[i] = v
	}
	ids, _, err := CreateVersions(ctx, cs, versions)
	return made, ids, err
}

// Typed returns a container of the given type; one that does not exist or is of another type is fault.NotFound, like a
// unit asked for as a section.
func Typed(ctx context.Context, q db.Querier, kind string, id publishing.EntityID) (Container, error) {
	list, err := ByID(ctx, q, []publishing.EntityID{id})
	if err != nil {
		return Container{}, err
	}
	c, ok := list[id]
	if !ok || c.Type != kind {
		return Container{}, fault.Errorf(fault.NotFound, fmt.Sprintf("%s %d", kind, id), "there is no such %s", kind)
	}
	return c, nil
}

// TypedEntries is [EntitiesIn] for a container of a stock type: the components of a unit, the units of a subsection, the
// subsections of a section. A child of another kind, which databases from before 1.x may hold, is fault.Invalid, as the
// reference cannot read it either (content-model.md §11.3).
func TypedEntries(ctx context.Context, q db.Querier, kind string, id publishing.EntityID, published bool) ([]Entry, error) {
	if _, err := Typed(ctx, q, kind, id); err != nil {
		return nil, err
	}
	list, err := EntitiesIn(ctx, q, id, published)
	if err != nil {
		return nil, err
	}
	ids := make([]publishing.EntityID, len(list))
	for i, e := range list {
		ids[i] = e.Entity
	}
	fits := map[publishing.EntityID]bool{}
	switch want := holds[kind]; {
	case kind == Unit:
		found, err := components.ByID(ctx, q, distinct(ids))
		if err != nil {
			return nil, err
		}
		for e := range found {
			fits[e] = true
		}
	case want != "":
		found, err := ByID(ctx, q, distinct(ids))
		if err != nil {
			return nil, err
		}
		for e, c := range found {
			fits[e] = c.Type == want
		}
	default:
		return list, nil
	}
	for _, e := range ids {
		if !fits[e] {
			return nil, fault.Errorf(fault.Invalid, fmt.Sprintf("entity %d", e), "it stands in a %s, which does not take its kind", kind)
		}
	}
	return list, nil
}

// At returns a container's version and children as of a moment of either branch. Without a version then it returns 0
// and nothing, which is no error.
func At(ctx context.Context, q db.Querier, container publishing.EntityID, m publishing.Moment) (publishing.VersionID, []Entry, error) {
	heads, err := publishing.HeadsOf(ctx, q, []publishing.EntityID{container}, m)
	if err != nil || len(heads) == 0 {
		return 0, nil, err
	}
	v := heads[0].Version
	all, err := Entries(ctx, q, []publishing.VersionID{v}, m)
	return v, all[v], err
}
