package containers

import (
	"context"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/content/trash"
	"github.com/openlectern/lectern/db"
)

var (
	versionRows = trash.Rows("openedx_content_containerversion", `publishable_entity_version_id int, container_id int, entity_list_id int`)
	listRows    = trash.Rows("openedx_content_entitylist", `id int`)
	childRows   = trash.Rows("openedx_content_entitylistrow", `id int, order_num int, entity_id int, entity_list_id int, entity_version_id int`)
	fileRows    = trash.Rows("lectern_containerversionmedia", `id int, container_version_id int, path text, media_id int media`)
)

// typedRows are the tables of the versions of the stock types.
func typedRows() []trash.Table {
	out := make([]trash.Table, len(stock))
	for i, s := range stock {
		out[i] = trash.Rows(s.versions, `container_version_id int`)
	}
	return out
}

// TrashTables are the tables that [RemoveVersions] takes rows out of.
func TrashTables() []trash.Table {
	return append(typedRows(), versionRows, listRows, childRows, fileRows)
}

// RemoveVersions deletes the rows of versions that this package owns, and the lists that no version has any more; those of
// other versions are left alone.
func RemoveVersions(ctx context.Context, tx *db.Tx, j *trash.Journal, ids []publishing.VersionID) error {
	lists, err := listsOf(ctx, tx, ids)
	if err != nil {
		return err
	}
	if len(lists) == 0 {
		return nil
	}
	if _, err := trash.Delete(ctx, tx, j, fileRows, "container_version_id", ids); err != nil {
		return err
	}
	for _, t := range typedRows() {
		if _, err := trash.Delete(ctx, tx, j, t, "container_version_id", ids); err != nil {
			return err
		}
	}
	if _, err := trash.Delete(ctx, tx, j, versionRows, "publishable_entity_version_id", ids); err != nil {
		return err
	}
	var idle []int64
	for _, l := range lists {
		idle = append(idle, l.list)
	}
	slices.Sort(idle)
	idle = slices.Compact(idle)
	used := map[int64]bool{}
	err = db.QueryIn(ctx, tx, "SELECT DISTINCT entity_list_id FROM openedx_content_containerversion WHERE entity_list_id IN (?...)", idle, nil,
		func(r *db.Row) error {
			var id int64
			err := r.Scan(&id)
			used[id] = true
			return err
		})
	if err != nil {
		return err
	}
	idle = slices.DeleteFunc(idle, func(id int64) bool { return used[id] })
	if _, err := trash.Delete(ctx, tx, j, childRows, "entity_list_id", idle); err != nil {
		return err
	}
	_, err = trash.Delete(ctx, tx, j, listRows, "id", idle)
	return err
}

// Pinned returns those of the versions that a list pins, whichever version has that list.
func Pinned(ctx context.Context, q db.Querier, ids []publishing.VersionID) (map[publishing.VersionID]bool, error) {
	out := map[publishing.VersionID]bool{}
	err := db.QueryIn(ctx, q, "SELECT DISTINCT entity_version_id FROM openedx_content_entitylistrow WHERE entity_version_id IN (?...)", ids, nil,
		func(r *db.Row) error {
			var v publishing.VersionID
			err := r.Scan(&v)
			out[v] = true
			return err
		})
	return out, err
}

// Use is what a plan to remove versions has to know of the containers of a package.
type Use struct {
	List map[publishing.VersionID]int64   // the list of each version
	Pins map[int64][]publishing.VersionID // by list: the versions that its rows pin
	Rows map[int64]int                    // by list: its rows
}

// Uses returns the lists of all container versions of a package.
func Uses(ctx context.Context, q db.Querier, pkg publishing.PackageID) (Use, error) {
	u := Use{map[publishing.VersionID]int64{}, map[int64][]publishing.VersionID{}, map[int64]int{}}
	const from = " FROM openedx_content_container c JOIN openedx_content_containerversion v ON v.container_id = c.publishable_entity_id"
	const where = " WHERE c.learning_package_id = ?"
	err := q.Query(ctx, "SELECT v.publishable_entity_version_id, v.entity_list_id"+from+where, []any{int64(pkg)}, func(r *db.Row) error {
		var v publishing.VersionID
		var l int64
		err := r.Scan(&v, &l)
		u.List[v] = l
		return err
	})
	if err == nil {
		err = q.Query(ctx, "SELECT r.entity_list_id, COUNT(*) FROM openedx_content_entitylistrow r WHERE r.entity_list_id IN"+
			" (SELECT v.entity_list_id"+from+where+") GROUP BY r.entity_list_id", []any{int64(pkg)}, func(r *db.Row) error {
			var l, n int64
			err := r.Scan(&l, &n)
			u.Rows[l] = int(n)
			return err
		})
	}
	if err == nil {
		err = q.Query(ctx, "SELECT r.entity_list_id, r.entity_version_id FROM openedx_content_entitylistrow r"+
			" WHERE r.entity_version_id IS NOT NULL AND r.entity_list_id IN (SELECT v.entity_list_id"+from+where+")", []any{int64(pkg)}, func(r *db.Row) error {
			var v publishing.VersionID
			var l int64
			err := r.Scan(&l, &v)
			u.Pins[l] = append(u.Pins[l], v)
			return err
		})
	}
	if err != nil {
		return u, fmt.Errorf("lists of containers: %w", err)
	}
	return u, nil
}

// EachFile calls fn for every settings file of every version of a package's containers.
func EachFile(ctx context.Context, q db.Querier, pkg publishing.PackageID, fn func(publishing.VersionID, media.ID)) error {
	err := q.Query(ctx, "SELECT f.container_version_id, f.media_id FROM openedx_content_container c"+
		" JOIN openedx_content_containerversion v ON v.container_id = c.publishable_entity_id"+
		" JOIN lectern_containerversionmedia f ON f.container_version_id = v.publishable_entity_version_id"+
		" WHERE c.learning_package_id = ?", []any{int64(pkg)}, func(r *db.Row) error {
		var v publishing.VersionID
		var m media.ID
		if err := r.Scan(&v, &m); err != nil {
			return err
		}
		fn(v, m)
		return nil
	})
	if err != nil {
		return fmt.Errorf("files of containers: %w", err)
	}
	return nil
}

// UsedMedia returns those of the media that a version of a container has.
func UsedMedia(ctx context.Context, q db.Querier, ids []media.ID) (map[media.ID]bool, error) {
	out := map[media.ID]bool{}
	err := db.QueryIn(ctx, q, "SELECT DISTINCT media_id FROM lectern_containerversionmedia WHERE media_id IN (?...)", ids, nil,
		func(r *db.Row) error {
			var m media.ID
			err := r.Scan(&m)
			out[m] = true
			return err
		})
	return out, err
}
