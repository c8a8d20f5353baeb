package components

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

const columns = "publishable_entity_id, learning_package_id, component_type_id, component_code"

// query collects components of a SELECT of columns, in its order.
func query(ctx context.Context, q db.Querier, run func(scan func(*db.Row) error) error) ([]Component, error) {
	types, err := typesByID(ctx, q)
	if err != nil {
		return nil, err
	}
	var out []Component
	err = run(func(r *db.Row) error {
		var id, pkg, t int64
		var c Component
		if err := r.Scan(&id, &pkg, &t, &c.Code); err != nil {
			return err
		}
		c.ID, c.Package, c.Type = publishing.EntityID(id), publishing.PackageID(pkg), types[typeID(t)]
		out = append(out, c)
		return nil
	})
	return out, err
}

// ByID returns those of the entities that are components, whatever their package.
func ByID(ctx context.Context, q db.Querier, ids []publishing.EntityID) (map[publishing.EntityID]Component, error) {
	list, err := query(ctx, q, func(scan func(*db.Row) error) error {
		return db.QueryIn(ctx, q, "SELECT "+columns+" FROM openedx_content_component WHERE publishable_entity_id IN (?...)", ids, nil, scan)
	})
	out := make(map[publishing.EntityID]Component, len(list))
	for _, c := range list {
		out[c.ID] = c
	}
	return out, err
}

// ByCode returns the component of a package with exactly this type and code, else fault.NotFound. A deleted or
// unpublished component is found.
func ByCode(ctx context.Context, q db.Querier, pkg publishing.PackageID, t Type, code string) (Component, error) {
	list, err := query(ctx, q, func(scan func(*db.Row) error) error {
		return q.Query(ctx, "SELECT "+columns+" FROM openedx_content_component WHERE learning_package_id = ? AND component_code = ?"+
			" AND component_type_id IN (SELECT id FROM openedx_content_componenttype WHERE namespace = ? AND name = ?)",
			[]any{int64(pkg), code, t.Namespace, t.Name}, scan)
	})
	if err != nil {
		return Component{}, err
	}
	for _, c := range list {
		if c.Type == t && c.Code == code { // engines ignore a space at the end, or more
			return c, nil
		}
	}
	return Component{}, fault.Errorf(fault.NotFound, "component "+quote(t.String()+":"+code), "the package has no such component")
}

// ByUUID returns the component whose entity has this UUID, else fault.NotFound.
func ByUUID(ctx context.Context, q db.Querier, id uuid.UUID) (Component, error) {
	e, err := publishing.EntityByUUID(ctx, q, id)
	if err != nil {
		return Component{}, err
	}
	list, err := ByID(ctx, q, []publishing.EntityID{e.ID})
	if err != nil {
		return Component{}, err
	}
	c, ok := list[e.ID]
	if !ok {
		return Component{}, fault.Errorf(fault.NotFound, "component "+id.String(), "the entity is no component")
	}
	return c, nil
}

// VersionByUUID returns the version with this UUID if it is a component's, else fault.NotFound.
func VersionByUUID(ctx context.Context, q db.Querier, id uuid.UUID) (publishing.Version, error) {
	v, err := publishing.VersionByUUID(ctx, q, id)
	if err != nil {
		return publishing.Version{}, err
	}
	list, err := ByID(ctx, q, []publishing.EntityID{v.Entity})
	if err != nil {
		return publishing.Version{}, err
	}
	if _, ok := list[v.Entity]; !ok {
		return publishing.Version{}, fault.Errorf(fault.NotFound, "component version "+id.String(), "the version is no component's")
	}
	return v, nil
}

// Components returns the components of a package that pass the filter, in id order, deleted ones included unless it
// says otherwise.
func Components(ctx context.Context, q db.Querier, pkg publishing.PackageID, f Filter) ([]Component, error) {
	list, err := query(ctx, q, func(scan func(*db.Row) error) error {
		return q.Query(ctx, "SELECT "+columns+" FROM openedx_content_component WHERE learning_package_id = ? ORDER BY publishable_entity_id",
			[]any{int64(pkg)}, scan)
	})
	if err != nil {
		return nil, err
	}
	branches := map[publishing.EntityID]publishing.Pointers{}
	if f.Draft != nil || f.Published != nil || f.DraftTitle != "" || f.PublishedTitle != "" {
		all, err := publishing.AllPointers(ctx, q, pkg)
		if err != nil {
			return nil, err
		}
		for _, p := range all {
			branches[p.Entity] = p
		}
	}
	out := list[:0]
	for _, c := range list {
		if f.match(c, branches[c.ID]) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (f Filter) match(c Component, p publishing.Pointers) bool {
	if f.Draft != nil && *f.Draft != p.Draft.Live() || f.Published != nil && *f.Published != p.Published.Live() {
		return false
	}
	if f.Namespace != "" && c.Type.Namespace != f.Namespace {
		return false
	}
	if len(f.Names) > 0 {
		found := false
		for _, n := range f.Names {
			found = found || n == c.Type.Name
		}
		if !found {
			return false
		}
	}
	holds := func(text, part string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(part)) }
	for _, t := range []struct{ part, title string }{{f.DraftTitle, p.Draft.Title}, {f.PublishedTitle, p.Published.Title}} {
		if t.part != "" && !holds(t.title, t.part) && !holds(c.Code, t.part) {
			return false
		}
	}
	return true
}

// filesOf returns the paths and media of versions, by path.
func filesOf(ctx context.Context, q db.Querier, ids []publishing.VersionID) (map[publishing.VersionID][]File, error) {
	out := make(map[publishing.VersionID][]File, len(ids))
	err := db.QueryIn(ctx, q, "SELECT component_version_id, path, media_id FROM openedx_content_componentversionmedia"+
		" WHERE component_version_id IN (?...)", ids, nil, func(r *db.Row) error {
		var v, m int64
		var f File
		if err := r.Scan(&v, &f.Path, &m); err != nil {
			return err
		}
		f.Media = media.ID(m)
		out[publishing.VersionID(v)] = append(out[publishing.VersionID(v)], f)
		return nil
	})
	for _, list := range out {
		slices.SortFunc(list, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	}
	return out, err
}

// Files returns the files of versions: version by version as asked, each by path. With text, the media have the text of
// their rows.
func Files(ctx context.Context, q db.Querier, ids []publishing.VersionID, text bool) ([]FileRow, error) {
	files, err := filesOf(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	return Rows(ctx, q, ids, files, text)
}

// FilesAt returns the files of every component of a package as of a moment, component by component in id order, each by
// path.
func FilesAt(ctx context.Context, q db.Querier, pkg publishing.PackageID, m publishing.Moment, text bool) ([]FileRow, error) {
	heads, err := publishing.Heads(ctx, q, pkg, m)
	if err != nil {
		return nil, err
	}
	ids := make([]publishing.VersionID, len(heads))
	for i, h := range heads {
		ids[i] = h.Version
	}
	return Files(ctx, q, ids, text)
}

// Rows joins the files of versions with their media, in the order of ids.
func Rows(ctx context.Context, q db.Querier, ids []publishing.VersionID, files map[publishing.VersionID][]File, text bool) ([]FileRow, error) {
	var wanted []media.ID
	seen := map[media.ID]bool{}
	n := 0
	for _, list := range files {
		n += len(list)
		for _, f := range list {
			if !seen[f.Media] {
				seen[f.Media] = true
				wanted = append(wanted, f.Media)
			}
		}
	}
	m, err := media.ByID(ctx, q, wanted, text)
	if err != nil {
		return nil, err
	}
	out := make([]FileRow, 0, n)
	for _, id := range ids {
		for _, f := range files[id] {
			out = append(out, FileRow{Version: id, Path: f.Path, Media: m[f.Media]})
		}
	}
	return out, nil
}

// LookUp returns a file by the names that the outside has: the package's ref, the component's ref, the number of the
// version and the path; fault.NotFound when any of them does not exist.
func LookUp(ctx context.Context, q db.Querier, packageRef, entityRef string, num int, path string) (FileRow, error) {
	p, err := publishing.PackageByRef(ctx, q, packageRef)
	if err != nil {
		return FileRow{}, err
	}
	e, err := publishing.EntityByRef(ctx, q, p.ID, entityRef)
	if err != nil {
		return FileRow{}, err
	}
	v, err := publishing.VersionByNum(ctx, q, e.ID, num)
	if err != nil {
		return FileRow{}, err
	}
	list, err := Files(ctx, q, []publishing.VersionID{v.ID}, false)
	if err != nil {
		return FileRow{}, err
	}
	for _, f := range list {
		if f.Path == path {
			return f, nil
		}
	}
	return FileRow{}, fault.Errorf(fault.NotFound, "file "+quote(path), "version %d of %s has no such file", num, quote(entityRef))
}

// Purge removes the rows of a package that this package owns, for its deletion. Types stay.
func Purge(ctx context.Context, tx *db.Tx, pkg publishing.PackageID) error {
	of := " (SELECT publishable_entity_id FROM openedx_content_component WHERE learning_package_id = ?)"
	for _, sql := range []string{
		"DELETE FROM openedx_content_componentversionmedia WHERE component_version_id IN (SELECT publishable_entity_version_id" +
			" FROM openedx_content_componentversion WHERE component_id IN" + of + ")",
		"DELETE FROM openedx_content_componentversion WHERE component_id IN" + of,
		"DELETE FROM openedx_content_component WHERE learning_package_id = ?",
	} {
		if _, err := tx.Exec(ctx, sql, int64(pkg)); err != nil {
			return fmt.Errorf("remove the components of package %d: %w", pkg, err)
		}
	}
	return nil
}

// Linked is [Files] with the files of each version in the order in which they were linked to it, which is that of a
// backup (backup-format.md §2).
func Linked(ctx context.Context, q db.Querier, ids []publishing.VersionID, text bool) ([]FileRow, error) {
	type link struct {
		id int64
		File
	}
	links := make(map[publishing.VersionID][]link, len(ids))
	err := db.QueryIn(ctx, q, "SELECT id, component_version_id, path, media_id FROM openedx_content_componentversionmedia"+
		" WHERE component_version_id IN (?...)", ids, nil, func(r *db.Row) error {
		var v, m int64
		var l link
		if err := r.Scan(&l.id, &v, &l.Path, &m); err != nil {
			return err
		}
		l.Media = media.ID(m)
		links[publishing.VersionID(v)] = append(links[publishing.VersionID(v)], l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	files := make(map[publishing.VersionID][]File, len(links))
	for v, list := range links {
		slices.SortFunc(list, func(a, b link) int { return cmp.Compare(a.id, b.id) })
		for _, l := range list {
			files[v] = append(files[v], l.File)
		}
	}
	return Rows(ctx, q, ids, files, text)
}
