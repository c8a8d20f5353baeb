package components

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/fault"
)

// CreateVersions makes versions of components, which become their drafts, and returns their ids and numbers, aligned.
// An entity that is no component of the package is fault.Invalid, and so are a malformed path, one that occurs twice
// and media of another package; unknown media are fault.NotFound, a number that exists fault.Conflict.
func CreateVersions(ctx context.Context, cs *publishing.ChangeSet, list []NewVersion) ([]publishing.VersionID, []int, error) {
	for i := range list {
		for _, f := range list[i].Files {
			if err := CheckPath(f.Path); err != nil {
				return nil, nil, err
			}
		}
	}
	return createVersions(ctx, cs, list)
}

func createVersions(ctx context.Context, cs *publishing.ChangeSet, list []NewVersion) ([]publishing.VersionID, []int, error) {
	if len(list) == 0 {
		return nil, nil, nil
	}
	tx := cs.Tx()
	files := 0
	entities := make([]publishing.EntityID, len(list))
	versions := make([]publishing.NewVersion, len(list))
	for i := range list {
		v := &list[i]
		files += len(v.Files)
		entities[i] = v.Entity
		versions[i] = publishing.NewVersion{Entity: v.Entity, Num: v.Num, Title: v.Title, Created: v.Created, By: v.By}
	}
	if err := mustBeComponents(ctx, tx, cs.Package(), entities); err != nil {
		return nil, nil, err
	}
	all := make([]File, 0, files)
	owner := make([]int, 0, files)
	for i := range list {
		if path, twice := duplicate(list[i].Files); twice {
			return nil, nil, fault.Errorf(fault.Invalid, "path "+quote(path), "a version has it twice")
		}
		for _, f := range list[i].Files {
			all = append(all, f)
			owner = append(owner, i)
		}
	}
	if err := CheckMedia(ctx, cs, all); err != nil {
		return nil, nil, err
	}
	ids, nums, err := cs.CreateVersions(ctx, versions)
	if err != nil {
		return nil, nil, err
	}
	cols := []string{"publishable_entity_version_id", "component_id"}
	err = tx.Insert(ctx, "openedx_content_componentversion", cols, len(ids), func(i int, v []any) {
		v[0], v[1] = int64(ids[i]), int64(entities[i])
	})
	if err != nil {
		return nil, nil, err
	}
	cols = []string{"path", "component_version_id", "media_id"}
	err = tx.Insert(ctx, "openedx_content_componentversionmedia", cols, len(all), func(i int, v []any) {
		v[0], v[1], v[2] = all[i].Path, int64(ids[owner[i]]), int64(all[i].Media)
	})
	if err != nil {
		return nil, nil, err
	}
	return ids, nums, nil
}

// CheckMedia reports files whose media are not the package's: fault.Invalid, or fault.NotFound for unknown ones.
func CheckMedia(ctx context.Context, cs *publishing.ChangeSet, files []File) error {
	ids := make([]media.ID, len(files))
	for i := range files {
		ids[i] = files[i].Media
	}
	wrong, err := media.Foreign(ctx, cs.Tx(), cs.Package(), ids)
	switch {
	case err != nil:
		return err
	case wrong != 0:
		return fault.Errorf(fault.Invalid, fmt.Sprintf("media %d", wrong), "it belongs to another learning package")
	}
	return nil
}

// duplicate returns a path that occurs twice. Versions have a handful of files, seldom hundreds.
func duplicate(files []File) (string, bool) {
	if len(files) < 8 {
		for i := range files {
			for j := range i {
				if files[j].Path == files[i].Path {
					return files[i].Path, true
				}
			}
		}
		return "", false
	}
	seen := make(map[string]bool, len(files))
	for _, f := range files {
		if seen[f.Path] {
			return f.Path, true
		}
		seen[f.Path] = true
	}
	return "", false
}

// NextVersions makes versions that start from the latest ones, see [NextVersion]; each entity may occur once. Results
// and errors are those of [CreateVersions].
func NextVersions(ctx context.Context, cs *publishing.ChangeSet, list []NextVersion) ([]publishing.VersionID, []int, error) {
	entities := make([]publishing.EntityID, len(list))
	seen := make(map[publishing.EntityID]bool, len(list))
	for i := range list {
		entities[i] = list[i].Entity
		if seen[list[i].Entity] {
			return nil, nil, fault.Errorf(fault.Internal, "next versions", "entity %d occurs twice", list[i].Entity)
		}
		seen[list[i].Entity] = true
	}
	latest, err := publishing.LatestVersions(ctx, cs.Tx(), entities)
	if err != nil {
		return nil, nil, err
	}
	var bases []publishing.VersionID
	for i := range list {
		if v, ok := latest[list[i].Entity]; ok && !list[i].Fresh {
			bases = append(bases, v.ID)
		}
	}
	inherited, err := filesOf(ctx, cs.Tx(), bases)
	if err != nil {
		return nil, nil, err
	}
	next := make([]NewVersion, len(list))
	for i := range list {
		n := &list[i]
		base, ok := latest[n.Entity]
		v := NewVersion{Entity: n.Entity, Num: n.Num, Title: base.Title, Created: n.Created, By: n.By}
		if v.Num == 0 && ok {
			v.Num = base.Num + 1
		}
		if n.Title != nil {
			v.Title = *n.Title
		}
		if v.Files, err = Merge(inherited[base.ID], n.Files); err != nil {
			return nil, nil, err
		}
		next[i] = v
	}
	return createVersions(ctx, cs, next)
}

// Merge returns the files of a next version: those of the latest, in their order, with changes applied; new paths come
// last, media 0 drops a path (content-model.md law 56). A malformed path is fault.Invalid, also an inherited one that
// today's rule refuses and the changes do not drop.
func Merge(latest, changes []File) ([]File, error) {
	if path, twice := duplicate(changes); twice {
		return nil, fault.Errorf(fault.Invalid, "path "+quote(path), "it is changed twice")
	}
	if len(latest) == 0 && len(changes) == 0 {
		return nil, nil
	}
	change := make(map[string]media.ID, len(changes))
	for _, f := range changes {
		if f.Media != 0 {
			if err := CheckPath(f.Path); err != nil {
				return nil, err
			}
		}
		change[f.Path] = f.Media
	}
	out := make([]File, 0, len(latest)+len(changes))
	for _, f := range latest {
		if id, ok := change[f.Path]; ok {
			delete(change, f.Path)
			f.Media = id
		}
		switch {
		case f.Media == 0:
			continue
		case !inheritable(f.Path):
			return nil, fault.Errorf(fault.Invalid, "path "+quote(f.Path), "the latest version has this path, which is not allowed any more").
				WithNext("drop or rename the file in the same change")
		}
		out = append(out, f)
	}
	for _, f := range changes {
		if _, left := change[f.Path]; left && f.Media != 0 {
			out = append(out, f)
		}
	}
	return out, nil
}
