package containers

import (
	"context"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/fault"
)

// holds says what kind of container each stock type takes as a child; a unit takes components.
var holds = map[string]string{Subsection: Unit, Section: Subsection}

// checkChildren refuses children of another package or of a kind that the container does not take (content-model.md
// §11.2). Rows taken over from an earlier version are checked too. What is unpinned is a dependency, which package
// publishing checks; so pins are left for here.
func checkChildren(ctx context.Context, cs *publishing.ChangeSet, plans []plan) error {
	if err := checkPinned(ctx, cs, plans); err != nil {
		return err
	}
	var leaves, nested []publishing.EntityID
	for _, p := range plans {
		for _, c := range p.children {
			switch p.kind {
			case Unit:
				leaves = append(leaves, c.Entity)
			case Subsection, Section:
				nested = append(nested, c.Entity)
			}
		}
	}
	wrong, err := components.NotIn(ctx, cs.Tx(), cs.Package(), distinct(leaves))
	if err != nil {
		return err
	}
	noLeaf := make(map[publishing.EntityID]bool, len(wrong))
	for _, id := range wrong {
		noLeaf[id] = true
	}
	kindOf, err := kinds(ctx, cs.Tx(), cs.Package(), distinct(nested))
	if err != nil {
		return err
	}
	for _, p := range plans {
		for _, c := range p.children {
			want, nests := holds[p.kind]
			if p.kind == Unit && noLeaf[c.Entity] || nests && kindOf[c.Entity] != want {
				return wrongChild(ctx, cs, p.kind, c.Entity)
			}
		}
	}
	return nil
}

// wrongChild says why an entity cannot be a child of a typed container.
func wrongChild(ctx context.Context, cs *publishing.ChangeSet, kind string, id publishing.EntityID) error {
	e, err := publishing.EntityByID(ctx, cs.Tx(), id)
	if err != nil {
		return err
	}
	if e.Package != cs.Package() {
		return foreignChild(e)
	}
	return fault.Errorf(fault.Invalid, fmt.Sprintf("entity %.100q", e.Ref), "it cannot be added to a container of type %q", kind)
}

func foreignChild(e publishing.Entity) error {
	return fault.Errorf(fault.Invalid, fmt.Sprintf("entity %.100q", e.Ref), "container entities must be from the same learning package")
}

// checkPinned refuses pins to versions of another entity and pinned children of another package.
func checkPinned(ctx context.Context, cs *publishing.ChangeSet, plans []plan) error {
	var pins []publishing.VersionID
	var entities []publishing.EntityID
	for _, p := range plans {
		for _, c := range p.children {
			if c.Pin != 0 {
				pins = append(pins, c.Pin)
				entities = append(entities, c.Entity)
			}
		}
	}
	if len(pins) == 0 {
		return nil
	}
	versions, err := publishing.Versions(ctx, cs.Tx(), distinct(pins))
	if err != nil {
		return err
	}
	owner := make(map[publishing.VersionID]publishing.EntityID, len(versions))
	for _, v := range versions {
		owner[v.ID] = v.Entity
	}
	found, err := publishing.EntitiesByID(ctx, cs.Tx(), distinct(entities))
	if err != nil {
		return err
	}
	for i, pin := range pins {
		e, known := found[entities[i]]
		switch of, ok := owner[pin]; {
		case !known:
			return fault.Errorf(fault.NotFound, fmt.Sprintf("entity %d", entities[i]), "there is no such entity")
		case !ok:
			return fault.Errorf(fault.NotFound, fmt.Sprintf("version %d", pin), "there is no such version")
		case of != entities[i]:
			return fault.Errorf(fault.Invalid, fmt.Sprintf("version %d", pin), "it is a version of another entity than the child %.100q", e.Ref)
		case e.Package != cs.Package():
			return foreignChild(e)
		}
	}
	return nil
}

// distinct returns ids sorted and without duplicates, as a new slice.
func distinct[T ~int64](ids []T) []T {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}
