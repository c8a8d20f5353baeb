package interop

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// view is what either side says is in a learning package.
type view struct {
	Ref          string                    `json:"ref"`
	Title        string                    `json:"title"`
	Entities     map[string]entity         `json:"entities"` // by ref
	Collections  map[string]collectionView `json:"collections"`
	PublishedAt  string                    `json:"published_at"`
	WrongDigests []string                  `json:"wrong_digests"` // branches whose digest is not what Python computes
}

type entity struct {
	Type        string  `json:"type"`
	Code        string  `json:"code"`
	Unpublished bool    `json:"unpublished"` // of containers: it or something below differs from what is published
	Draft       *branch `json:"draft"`
	Published   *branch `json:"published"`
}

type branch struct {
	Num      int               `json:"num"`
	Title    string            `json:"title"`
	Digest   string            `json:"digest"`
	Media    map[string]string `json:"media"` // of components: path to text, or size and digest of a file
	Children []child           `json:"children"`
}

type child struct {
	Ref string `json:"ref"`
	Pin *int   `json:"pin"` // version number, null for whatever the branch has
}

type collectionView struct {
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Entities    []string `json:"entities"`
}

// look says what Lectern finds in a package.
func look(t *testing.T, d *db.DB, files media.Files, ref string) view {
	t.Helper()
	var v view
	err := d.View(t.Context(), func(tx *db.Tx) (err error) {
		v, err = lookTx(t.Context(), tx, files, ref)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func lookTx(ctx context.Context, tx *db.Tx, files media.Files, ref string) (view, error) {
	pkg, err := publishing.PackageByRef(ctx, tx, ref)
	if err != nil {
		return view{}, err
	}
	v := view{Ref: pkg.Ref, Title: pkg.Title, Entities: map[string]entity{}, Collections: map[string]collectionView{}, WrongDigests: []string{}}
	pointers, err := publishing.AllPointers(ctx, tx, pkg.ID)
	if err != nil {
		return view{}, err
	}
	refs := map[publishing.EntityID]string{}
	for _, p := range pointers {
		refs[p.Entity] = p.Ref
	}
	for _, p := range pointers {
		if v.Entities[p.Ref], err = lookEntity(ctx, tx, files, pkg, p, refs); err != nil {
			return view{}, fmt.Errorf("%s: %w", p.Ref, err)
		}
	}
	list, err := collections.Collections(ctx, tx, pkg.ID, collections.Enabled)
	if err != nil {
		return view{}, err
	}
	for _, c := range list {
		ids, err := collections.Entities(ctx, tx, pkg.ID, c.Code)
		if err != nil {
			return view{}, err
		}
		cv := collectionView{Title: c.Title, Description: c.Description, Entities: []string{}}
		for _, id := range ids {
			cv.Entities = append(cv.Entities, refs[id])
		}
		slices.Sort(cv.Entities)
		v.Collections[c.Code] = cv
	}
	last, err := publishing.LastPublish(ctx, tx, pkg.ID)
	if err != nil || last == nil {
		return v, err
	}
	v.PublishedAt = last.At.Format("2006-01-02T15:04:05.000000-07:00")
	return v, nil
}

func lookEntity(ctx context.Context, tx *db.Tx, files media.Files, pkg publishing.Package, p publishing.Pointers,
	refs map[publishing.EntityID]string) (e entity, err error) {
	only := []publishing.EntityID{p.Entity}
	component, err := components.ByID(ctx, tx, only)
	if err != nil {
		return e, err
	}
	if c, ok := component[p.Entity]; ok {
		e.Type, e.Code = c.Type.String(), c.Code
	}
	container, err := containers.ByID(ctx, tx, only)
	if err != nil {
		return e, err
	}
	c, isContainer := container[p.Entity]
	if isContainer {
		e.Type, e.Code = c.Type, c.Code
		m, err := publishing.ContainsUnpublished(ctx, tx, only)
		if err != nil {
			return e, err
		}
		e.Unpublished = m[p.Entity]
	}
	for _, b := range []struct {
		at   publishing.Branch
		into **branch
	}{{p.Draft, &e.Draft}, {p.Published, &e.Published}} {
		if !b.at.Live() {
			continue
		}
		out := &branch{Num: b.at.Num, Title: b.at.Title, Digest: b.at.Digest}
		if isContainer {
			out.Children, err = lookChildren(ctx, tx, b.at.Version, refs)
		} else {
			out.Media, err = lookMedia(ctx, tx, files, pkg, b.at.Version)
		}
		if err != nil {
			return e, err
		}
		*b.into = out
	}
	return e, nil
}

func lookChildren(ctx context.Context, tx *db.Tx, version publishing.VersionID, refs map[publishing.EntityID]string) ([]child, error) {
	list := []child{}
	m, err := containers.Children(ctx, tx, []publishing.VersionID{version})
	if err != nil {
		return nil, err
	}
	for _, c := range m[version] {
		found := child{Ref: refs[c.Entity]}
		if c.Pin != 0 {
			pinned, err := publishing.Versions(ctx, tx, []publishing.VersionID{c.Pin})
			if err != nil {
				return nil, err
			}
			found.Pin = &pinned[0].Num
		}
		list = append(list, found)
	}
	return list, nil
}

func lookMedia(ctx context.Context, tx *db.Tx, files media.Files, pkg publishing.Package, version publishing.VersionID) (map[string]string, error) {
	out := map[string]string{}
	rows, err := components.Files(ctx, tx, []publishing.VersionID{version}, true)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.Media.HasText && !r.Media.HasFile {
			out[r.Path] = r.Media.Text
			continue
		}
		b, err := media.Read(ctx, tx, files, pkg.UUID, r.Media.ID)
		if fault.Is(err, fault.NotFound) {
			out[r.Path] = "file lost, " + r.Media.Digest
			continue
		}
		if err != nil {
			return nil, err
		}
		out[r.Path] = fmt.Sprintf("%d bytes, %s", len(b), media.DigestBytes(b))
	}
	return out, nil
}
