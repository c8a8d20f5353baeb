package containers

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// checkPins refuses new versions through which a container would hold itself by way of a pin: reading it would never
// end. Circles of unpinned children alone are dependency circles, which package publishing refuses; only where a
// pin is among the draft's lists at all is there anything to do here.
//
// Before these versions no circle was there, so a new one passes through a new version, which is reached again by an
// unpinned child of its entity.
func checkPins(ctx context.Context, cs *publishing.ChangeSet, plans []plan, ids []publishing.VersionID) error {
	nests := false
	for _, p := range plans {
		nests = nests || p.kind != Unit && len(p.children) > 0 && holds[p.kind] == ""
	}
	if !nests { // the stock types cannot nest in themselves
		return nil
	}
	pinned, err := anyPinned(ctx, cs.Tx(), cs.Package())
	if err != nil || !pinned {
		return err
	}
	if err := cs.Flush(ctx); err != nil {
		return err
	}
	g := graph{down: map[publishing.VersionID][]publishing.VersionID{}}
	if err := g.load(ctx, cs.Tx(), ids); err != nil {
		return err
	}
	for i, id := range ids {
		if g.circle(id) {
			return fault.Errorf(fault.Invalid, fmt.Sprintf("entity %d", plans[i].Entity), "the container would hold itself, through a child pinned to a version")
		}
	}
	return nil
}

// anyPinned reports whether any list of the package has a pinned child. Pins are rare; the index of their column finds
// them without reading the rows of lists.
func anyPinned(ctx context.Context, tx *db.Tx, pkg publishing.PackageID) (bool, error) {
	_, found, err := db.One(ctx, tx, "SELECT 1 FROM openedx_content_entitylistrow r"+
		" JOIN openedx_content_containerversion v ON v.entity_list_id = r.entity_list_id"+
		" JOIN openedx_content_container c ON c.publishable_entity_id = v.container_id"+
		" WHERE r.entity_version_id IS NOT NULL AND c.learning_package_id = ? LIMIT 1", []any{int64(pkg)}, db.Value[int64])
	return found, err
}

// graph is what container versions lead to, child by child.
type graph struct {
	down map[publishing.VersionID][]publishing.VersionID
	done map[publishing.VersionID]bool // no circle below
}

// load follows children down from the given versions, layer by layer.
func (g *graph) load(ctx context.Context, q db.Querier, layer []publishing.VersionID) error {
	for len(layer) > 0 {
		rows, err := Children(ctx, q, layer)
		if err != nil {
			return err
		}
		var unpinned []publishing.EntityID
		for _, children := range rows {
			for _, c := range children {
				if c.Pin == 0 {
					unpinned = append(unpinned, c.Entity)
				}
			}
		}
		heads, err := publishing.HeadsOf(ctx, q, distinct(unpinned), publishing.Draft())
		if err != nil {
			return err
		}
		draft := make(map[publishing.EntityID]publishing.VersionID, len(heads))
		for _, h := range heads {
			draft[h.Entity] = h.Version
		}
		var next []publishing.VersionID
		for _, v := range layer {
			g.down[v] = []publishing.VersionID{}
		}
		for v, children := range rows {
			for _, c := range children {
				to := c.Pin
				if to == 0 {
					to = draft[c.Entity]
				}
				if to != 0 {
					g.down[v] = append(g.down[v], to)
					next = append(next, to)
				}
			}
		}
		layer = layer[:0:0]
		for _, v := range distinct(next) {
			if _, seen := g.down[v]; !seen {
				layer = append(layer, v)
			}
		}
	}
	return nil
}

// circle reports whether a circle is reached from a version.
func (g *graph) circle(from publishing.VersionID) bool {
	if g.done == nil {
		g.done = map[publishing.VersionID]bool{}
	}
	open := map[publishing.VersionID]bool{}
	var visit func(publishing.VersionID) bool
	visit = func(v publishing.VersionID) bool {
		switch {
		case open[v]:
			return true
		case g.done[v]:
			return false
		}
		open[v] = true
		for _, to := range g.down[v] {
			if visit(to) {
				return true
			}
		}
		delete(open, v)
		g.done[v] = true
		return false
	}
	return visit(from)
}
