package components

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/content/trash"
	"github.com/openlectern/lectern/db"
)

var (
	versionRows = trash.Rows("openedx_content_componentversion", `publishable_entity_version_id int, component_id int`)
	fileRows    = trash.Rows("openedx_content_componentversionmedia", `id int, path text, component_version_id int, media_id int media`)
)

// TrashTables are the tables that [RemoveVersions] takes rows out of.
func TrashTables() []trash.Table { return []trash.Table{versionRows, fileRows} }

// RemoveVersions deletes the rows of versions that this package owns; those of other versions are left alone.
func RemoveVersions(ctx context.Context, tx *db.Tx, j *trash.Journal, ids []publishing.VersionID) error {
	if _, err := trash.Delete(ctx, tx, j, fileRows, "component_version_id", ids); err != nil {
		return err
	}
	_, err := trash.Delete(ctx, tx, j, versionRows, "publishable_entity_version_id", ids)
	return err
}

// EachFile calls fn for every file of every version of a package's components.
func EachFile(ctx context.Context, q db.Querier, pkg publishing.PackageID, fn func(publishing.VersionID, media.ID)) error {
	err := q.Query(ctx, "SELECT f.component_version_id, f.media_id FROM openedx_content_component c"+
		" JOIN openedx_content_componentversion v ON v.component_id = c.publishable_entity_id"+
		" JOIN openedx_content_componentversionmedia f ON f.component_version_id = v.publishable_entity_version_id"+
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
		return fmt.Errorf("files of components: %w", err)
	}
	return nil
}

// UsedMedia returns those of the media that a version of a component has.
func UsedMedia(ctx context.Context, q db.Querier, ids []media.ID) (map[media.ID]bool, error) {
	out := map[media.ID]bool{}
	err := db.QueryIn(ctx, q, "SELECT DISTINCT media_id FROM openedx_content_componentversionmedia WHERE media_id IN (?...)", ids, nil,
		func(r *db.Row) error {
			var m media.ID
			err := r.Scan(&m)
			out[m] = true
			return err
		})
	return out, err
}
