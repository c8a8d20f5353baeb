package app

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// CreatedLibrary is a library that was made.
type CreatedLibrary struct {
	Library string `json:"library"`
	Title   string `json:"title"`
}

// CreateLibrary makes an empty library lib:ORG:SLUG: a learning package, the platform's row and, where there is none, the
// organization. One that is there is fault.Conflict. A person who makes it becomes its admin.
func (a *App) CreateLibrary(ctx context.Context, key keys.Context, title string) (*CreatedLibrary, error) {
	name := key.String()
	if !strings.HasPrefix(name, "lib:") {
		return nil, noLibraryKey(name)
	}
	t := thePackage(name)
	exists, err := a.mayMake(ctx, "CreateLibrary", t)
	if err != nil {
		return nil, err
	}
	if title == "" {
		title = name
	}
	err = a.Update(ctx, func(tx *db.Tx) error {
		if err := a.still(ctx, tx, t, exists); err != nil {
			return err
		}
		if there, err := libraryPackage(ctx, tx, name); err == nil {
			return fault.Errorf(fault.Conflict, name, "there is such a library: %q", there.Title).WithNext("choose another key")
		} else if !fault.Is(err, fault.NotFound) {
			return err
		}
		pkg, err := publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: name, Title: title})
		if err != nil {
			return db.Raced(err)
		}
		if err := catalog.AddLibrary(ctx, tx, catalog.Library{Org: key.Org(), Slug: key.Code(), Package: int64(pkg.ID)}); err != nil {
			return err
		}
		return a.own(ctx, tx, t)
	})
	return &CreatedLibrary{name, title}, err
}

func noLibraryKey(text string) error {
	return fault.Errorf(fault.Usage, text, "is not the key of a library").WithNext("write lib:ORG:SLUG")
}

// libraryPackage returns the learning package of a library: the one that the platform's row names, else the one with the
// library's key as its ref, which is all that a restored backup has.
func libraryPackage(ctx context.Context, q db.Querier, key string) (publishing.Package, error) {
	rows, err := catalog.LibraryPackages(ctx, q, []string{key})
	if err != nil {
		return publishing.Package{}, err
	}
	if id := rows[key]; id != 0 {
		return publishing.PackageByID(ctx, q, publishing.PackageID(id))
	}
	pkg, err := publishing.PackageByRef(ctx, q, key)
	if fault.Is(err, fault.NotFound) {
		err = fault.Errorf(fault.NotFound, key, "no such library").WithNext("make it with: lectern library create " + key)
	}
	return pkg, err
}
