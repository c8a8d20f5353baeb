package containers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

const columns = "publishable_entity_id, learning_package_id, container_type_id, container_code"

// query collects containers of a SELECT of columns, in its order.
func query(ctx context.Context, q db.Querier, run func(scan func(*db.Row) error) error) ([]Container, error) {
	types, err := typesByID(ctx, q)
	if err != nil {
		return nil, err
	}
	var out []Container
	err = run(func(r *db.Row) error {
		var id, pkg, t int64
		var c Container
		if err := r.Scan(&id, &pkg, &t, &c.Code); err != nil {
			return err
		}
		c.ID, c.Package, c.Type = publishing.EntityID(id), publishing.PackageID(pkg), types[typeID(t)]
		out = append(out, c)
		return nil
	})
	return out, err
}

// ByID returns those of the entities that are containers, whatever their package and type.
func ByID(ctx context.Context, q db.Querier, ids []publishing.EntityID) (map[publishing.EntityID]Container, error) {
	list, err := query(ctx, q, func(scan func(*db.Row) error) error {
		return db.QueryIn(ctx, q, "SELECT "+columns+" FROM openedx_content_container WHERE publishable_entity_id IN (?...)", ids, nil, scan)
	})
	out := make(map[publishing.EntityID]Container, len(list))
	for _, c := range list {
		out[c.ID] = c
	}
	return out, err
}

// ByCode returns the container of a package with exactly this code, whatever its type, else fault.NotFound. A deleted
// or unpublished container is found.
func ByCode(ctx context.Context, q db.Querier, pkg publishing.PackageID, code string) (Container, error) {
	if _, err := publishing.PackageByID(ctx, q, pkg); err != nil {
		return Container{}, err
	}
	list, err := query(ctx, q, func(scan func(*db.Row) error) error {
		return q.Query(ctx, "SELECT "+columns+" FROM openedx_content_container WHERE learning_package_id = ? AND container_code = ?",
			[]any{int64(pkg), code}, scan)
	})
	if err != nil {
		return Container{}, err
	}
	for _, c := range list {
		if c.Code == code { // a column that Django made on the MySQL family may compare more loosely
			return c, nil
		}
	}
	return Container{}, fault.Errorf(fault.NotFound, fmt.Sprintf("container %.100q", code), "the package has no such container")
}

// Containers returns the containers of a package in id order, of all types: those with a live draft, or with deleted all.
func Containers(ctx context.Context, q db.Querier, pkg publishing.PackageID, deleted bool) ([]Container, error) {
	list, err := query(ctx, q, func(scan func(*db.Row) error) error {
		return q.Query(ctx, "SELECT "+columns+" FROM openedx_content_container WHERE learning_package_id = ? ORDER BY publishable_entity_id",
			[]any{int64(pkg)}, scan)
	})
	if err != nil || deleted {
		return list, err
	}
	ids := make([]publishing.EntityID, len(list))
	for i, c := range list {
		ids[i] = c.ID
	}
	heads, err := publishing.HeadsOf(ctx, q, ids, publishing.Draft())
	if err != nil {
		return nil, err
	}
	live := make(map[publishing.EntityID]bool, len(heads))
	for _, h := range heads {
		live[h.Entity] = true
	}
	return slices.DeleteFunc(list, func(c Container) bool { return !live[c.ID] }), nil
}

// listOf is a container version's list.
type listOf struct {
	container publishing.EntityID
	list      int64
}

func listsOf(ctx context.Context, q db.Querier, ids []publishing.VersionID) (map[publishing.VersionID]listOf, error) {
	out := make(map[publishing.VersionID]listOf, len(ids))
	err := db.QueryIn(ctx, q, "SELECT publishable_entity_version_id, container_id, entity_list_id FROM openedx_content_containerversion"+
		" WHERE publishable_entity_version_id IN (?...)", distinct(ids), nil, func(r *db.Row) error {
		var v, c, l int64
		err := r.Scan(&v, &c, &l)
		out[publishing.VersionID(v)] = listOf{publishing.EntityID(c), l}
		return err
	})
	return out, err
}

// Children returns the rows of container versions, in order. Versions without children, and ids that are no container
// versions, are left out.
func Children(ctx context.Context, q db.Querier, ids []publishing.VersionID) (map[publishing.VersionID][]Child, error) {
	out := make(map[publishing.VersionID][]Child, len(ids))
	var v, e, pin int64
	var of publishing.VersionID // whose rows are coming
	var list []Child
	err := db.QueryIn(ctx, q, "SELECT v.publishable_entity_version_id, r.entity_id, COALESCE(r.entity_version_id, 0)"+
		" FROM openedx_content_containerversion v JOIN openedx_content_entitylistrow r ON r.entity_list_id = v.entity_list_id"+
		" WHERE v.publishable_entity_version_id IN (?...) ORDER BY v.publishable_entity_version_id, r.order_num",
		distinct(ids), nil, func(r *db.Row) error {
			if err := r.Scan(&v, &e, &pin); err != nil {
				return err
			}
			if id := publishing.VersionID(v); id != of {
				out[of] = list
				of, list = id, nil
			}
			list = append(list, Child{publishing.EntityID(e), publishing.VersionID(pin)})
			return nil
		})
	out[of] = list
	delete(out, 0)
	return out, err
}

// ChildRefs returns the refs of a container version's children in order, duplicates and deleted ones included.
func ChildRefs(ctx context.Context, q db.Querier, id publishing.VersionID) ([]string, error) {
	rows, err := Children(ctx, q, []publishing.VersionID{id})
	if err != nil {
		return nil, err
	}
	ids := make([]publishing.EntityID, len(rows[id]))
	for i, c := range rows[id] {
		ids[i] = c.Entity
	}
	found, err := publishing.EntitiesByID(ctx, q, distinct(ids))
	if err != nil {
		return nil, err
	}
	refs := make([]string, len(ids))
	for i, e := range ids {
		refs[i] = found[e].Ref
	}
	return refs, nil
}

// filesOf returns the paths and media of container versions, by path.
func filesOf(ctx context.Context, q db.Querier, ids []publishing.VersionID) (map[publishing.VersionID][]components.File, error) {
	out := make(map[publishing.VersionID][]components.File, len(ids))
	err := db.QueryIn(ctx, q, "SELECT container_version_id, path, media_id FROM lectern_containerversionmedia WHERE container_version_id IN (?...)",
		distinct(ids), nil, func(r *db.Row) error {
			var v, m int64
			var f components.File
			if err := r.Scan(&v, &f.Path, &m); err != nil {
				return err
			}
			f.Media = media.ID(m)
			out[publishing.VersionID(v)] = append(out[publishing.VersionID(v)], f)
			return nil
		})
	for _, list := range out {
		slices.SortFunc(list, func(a, b components.File) int { return strings.Compare(a.Path, b.Path) })
	}
	return out, err
}

// Files returns the settings files of container versions: version by version as asked, each by path. With text, the
// media have the text of their rows.
func Files(ctx context.Context, q db.Querier, ids []publishing.VersionID, text bool) ([]components.FileRow, error) {
	files, err := filesOf(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	return components.Rows(ctx, q, ids, files, text)
}
