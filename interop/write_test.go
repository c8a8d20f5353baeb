package interop

import (
	"context"
	"testing"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

const lecternRef = "lp:lectern"

// write makes a package by Lectern's means, of the same kinds as peer.py's: published, and then changed. One component
// gets the code.
func write(t *testing.T, d *db.DB, files media.Files, code string) {
	t.Helper()
	err := d.Update(t.Context(), func(tx *db.Tx) error { return writeTx(t.Context(), tx, files, code) })
	if err != nil {
		t.Fatal(err)
	}
}

func writeTx(ctx context.Context, tx *db.Tx, files media.Files, code string) error {
	u, err := user.Create(ctx, tx, user.New{Username: "lectern", Email: "lectern@example.com"})
	if err != nil {
		return err
	}
	by := publishing.UserID(u.ID)
	pkg, err := publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: lecternRef, Title: "Lectern: 日本語 🎓"})
	if err != nil {
		return err
	}
	text, long := "<problem>ß\n</problem>", string(make([]byte, 10))
	kept, err := media.GetOrCreate(ctx, tx, files, pkg, []media.New{
		{Type: "application/vnd.openedx.xblock.v1.problem+xml", Text: &text},
		{Type: "image/png", Bytes: []byte("\x89PNG\x00\xff")},
		{Type: "text/html", Text: &long}, // NUL: goes to a file
	}, media.Options{})
	if err != nil {
		return err
	}
	problem := components.Type{Namespace: "xblock.v1", Name: "problem"}
	leaves, err := components.Create(ctx, tx, pkg.ID, []components.NewComponent{
		{Type: problem, Code: "first", By: by}, {Type: problem, Code: "second", By: by},
		{Type: problem, Code: code, By: by}, {Type: problem, Code: "never", By: by},
	})
	if err != nil {
		return err
	}
	parents, err := containers.Create(ctx, tx, pkg.ID, []containers.NewContainer{
		{Type: containers.Unit, Code: "unit-1", By: by}, {Type: containers.Subsection, Code: "sub", By: by},
		{Type: containers.Section, Code: "sec", By: by}, {Type: "lectern.vertical", Code: "loose", By: by},
	})
	if err != nil {
		return err
	}
	unit, subsection, section, loose := parents[0], parents[1], parents[2], parents[3]
	_, err = publishing.Change(ctx, tx, pkg.ID, publishing.Meta{By: by}, func(cs *publishing.ChangeSet) error {
		versions, _, err := components.CreateVersions(ctx, cs, []components.NewVersion{
			{Entity: leaves[0], Title: "First", Files: []components.File{{Path: "block.xml", Media: kept[0].ID}, {Path: "static/a.png", Media: kept[1].ID}}},
			{Entity: leaves[1], Title: "Second", Files: []components.File{{Path: "block.xml", Media: kept[0].ID}, {Path: "odd.html", Media: kept[2].ID}}},
			{Entity: leaves[2], Title: "", Files: nil},
		})
		if err != nil {
			return err
		}
		_, _, err = containers.CreateVersions(ctx, cs, []containers.NewVersion{
			{Entity: unit, Title: "Unit", Children: []containers.Child{{Entity: leaves[0]}, {Entity: leaves[1], Pin: versions[1]}, {Entity: leaves[2]}}},
			{Entity: subsection, Title: "Subsection", Children: []containers.Child{{Entity: unit}}},
			{Entity: section, Title: "Section", Children: []containers.Child{{Entity: subsection}}},
			{Entity: loose, Title: "Loose", Children: []containers.Child{{Entity: unit}, {Entity: leaves[0]}}},
		})
		return err
	})
	if err != nil {
		return err
	}
	if _, err := publishing.PublishAll(ctx, tx, pkg.ID, publishing.PublishMeta{By: by, Message: "first"}); err != nil {
		return err
	}
	better := "First, better"
	_, err = publishing.Change(ctx, tx, pkg.ID, publishing.Meta{By: by}, func(cs *publishing.ChangeSet) error {
		if _, _, err := components.NextVersions(ctx, cs, []components.NextVersion{{Entity: leaves[0], Title: &better}}); err != nil {
			return err
		}
		return cs.SetDrafts(ctx, []publishing.Pointer{{Entity: leaves[2]}})
	})
	if err != nil {
		return err
	}
	made, err := collections.Create(ctx, tx, pkg.ID, []collections.New{{Code: "best", Title: "The best", By: by}})
	if err != nil {
		return err
	}
	_, err = collections.Add(ctx, tx, pkg.ID, []collections.Members{
		{Collection: made[0].Collection.ID, Entities: []publishing.EntityID{leaves[0], unit}}}, by)
	return err
}

// edit makes a new version of every component of a package that has a draft, and publishes everything.
func edit(t *testing.T, d *db.DB, ref string) {
	t.Helper()
	ctx := t.Context()
	err := d.Update(ctx, func(tx *db.Tx) error {
		pkg, err := publishing.PackageByRef(ctx, tx, ref)
		if err != nil {
			return err
		}
		live := true
		list, err := components.Components(ctx, tx, pkg.ID, components.Filter{Draft: &live})
		if err != nil {
			return err
		}
		_, err = publishing.Change(ctx, tx, pkg.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
			var next []components.NextVersion
			for _, c := range list {
				title := c.Code + ", edited"
				next = append(next, components.NextVersion{Entity: c.ID, Title: &title})
			}
			_, _, err := components.NextVersions(ctx, cs, next)
			return err
		})
		if err != nil {
			return err
		}
		_, err = publishing.PublishAll(ctx, tx, pkg.ID, publishing.PublishMeta{Message: "edited"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
