package content_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/openlectern/lectern/content"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
)

// open makes a store in a new folder.
func open(ctx context.Context, folder string) (*content.Store, error) {
	d, err := db.Open(ctx, "sqlite:"+filepath.Join(folder, "lectern.db"), db.Options{Create: true})
	if err != nil {
		return nil, err
	}
	return &content.Store{DB: d, Files: media.NewDir(filepath.Join(folder, "media"))}, schema.Create(ctx, d)
}

// A library with a unit of two problems: made in one change set, published, edited, and read as draft and as published.
func Example() {
	if err := example(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// published: Fractions: Halves 1, Thirds 1
	// draft: Fractions: Halves 2, Thirds 1
	// the unit differs from what is published: true
}

func example(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "lectern-example-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	store, err := open(ctx, folder)
	if err != nil {
		return err
	}
	defer func() { _ = store.DB.Close() }()

	var pkg publishing.Package
	var problems, units []publishing.EntityID
	err = store.Update(ctx, func(tx *db.Tx) (err error) {
		if pkg, err = publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: "lib:Org:math", Title: "Math"}); err != nil {
			return err
		}
		_, err = publishing.Change(ctx, tx, pkg.ID, publishing.Meta{Kind: publishing.KindEdit}, func(cs *publishing.ChangeSet) error {
			olx := []string{`<problem display_name="Halves"/>`, `<problem display_name="Thirds"/>`}
			stored, err := media.GetOrCreate(ctx, tx, store.Files, pkg, []media.New{
				{Type: "application/vnd.openedx.xblock.v1.problem+xml", Text: &olx[0]},
				{Type: "application/vnd.openedx.xblock.v1.problem+xml", Text: &olx[1]},
			}, media.Options{})
			if err != nil {
				return err
			}
			problem := components.Type{Namespace: "xblock.v1", Name: "problem"}
			if problems, err = components.Create(ctx, tx, pkg.ID, []components.NewComponent{
				{Type: problem, Code: "halves"}, {Type: problem, Code: "thirds"},
			}); err != nil {
				return err
			}
			if _, _, err = components.CreateVersions(ctx, cs, []components.NewVersion{
				{Entity: problems[0], Title: "Halves", Files: []components.File{{Path: "block.xml", Media: stored[0].ID}}},
				{Entity: problems[1], Title: "Thirds", Files: []components.File{{Path: "block.xml", Media: stored[1].ID}}},
			}); err != nil {
				return err
			}
			if units, err = containers.Create(ctx, tx, pkg.ID, []containers.NewContainer{{Type: containers.Unit, Code: "fractions"}}); err != nil {
				return err
			}
			_, _, err = containers.CreateVersions(ctx, cs, []containers.NewVersion{
				{Entity: units[0], Title: "Fractions", Children: []containers.Child{{Entity: problems[0]}, {Entity: problems[1]}}},
			})
			return err
		})
		if err != nil {
			return err
		}
		_, err = publishing.PublishAll(ctx, tx, pkg.ID, publishing.PublishMeta{Message: "First edition"})
		return err
	})
	if err != nil {
		return err
	}

	// An edit makes a version of the problem. The unit gets none: it holds whatever version is current.
	err = store.Update(ctx, func(tx *db.Tx) error {
		_, err := publishing.Change(ctx, tx, pkg.ID, publishing.Meta{Kind: publishing.KindEdit}, func(cs *publishing.ChangeSet) error {
			_, _, err := components.NextVersions(ctx, cs, []components.NextVersion{{Entity: problems[0]}})
			return err
		})
		return err
	})
	if err != nil {
		return err
	}

	return store.View(ctx, func(tx *db.Tx) error {
		for _, branch := range []struct {
			name   string
			moment publishing.Moment
		}{{"published", publishing.Published()}, {"draft", publishing.Draft()}} {
			nodes, err := containers.Outline(ctx, tx, pkg.ID, branch.moment)
			if err != nil {
				return err
			}
			for _, unit := range containers.Roots(nodes) {
				a, b := unit.Children[0], unit.Children[1]
				fmt.Printf("%s: %s: %s %d, %s %d\n", branch.name, unit.Title, a.Title, a.Num, b.Title, b.Num)
			}
		}
		differs, err := publishing.ContainsUnpublished(ctx, tx, units)
		fmt.Println("the unit differs from what is published:", differs[units[0]])
		return err
	})
}

// Bytes become media before a version can name them: equal content is stored once, and what is no short text lies in a
// file, which is complete before the transaction commits.
func Example_files() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "lectern-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()
	store, err := open(ctx, folder)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = store.DB.Close() }()
	err = store.Update(ctx, func(tx *db.Tx) error {
		pkg, err := publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: "lib:Org:art", Title: "Art"})
		if err != nil {
			return err
		}
		note := "a note"
		stored, err := media.GetOrCreate(ctx, tx, store.Files, pkg, []media.New{
			{Type: media.TypeByExtension("static/one.png"), Bytes: []byte("\x89PNG…")},
			{Type: media.TypeByExtension("static/two.png"), Bytes: []byte("\x89PNG…")},
			{Type: "text/plain", Text: &note},
		}, media.Options{})
		if err != nil {
			return err
		}
		fmt.Println("stored once:", stored[0].ID == stored[1].ID)
		fmt.Println("the picture lies in a file:", stored[0].HasFile, "and the note:", stored[2].HasFile)
		b, err := media.Read(ctx, tx, store.Files, pkg.UUID, stored[2].ID)
		fmt.Println(string(b))
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// stored once: true
	// the picture lies in a file: true and the note: false
	// a note
}
