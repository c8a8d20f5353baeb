package components

import (
	"context"
	"path"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Asset is the answer to a request for a file of a component version: status, headers, no body. A reverse proxy sends
// the file that X-Accel-Redirect names (content-model.md §12.1). It says nothing about who may have it.
type Asset struct {
	Status  int // 200 or 404
	Headers []Header
}

// Header is one header of an [Asset].
type Header struct{ Name, Value string }

// Codes of the header X-Open-edX-Error.
const (
	AssetNotFound = "asset_path_not_found_for_component_version"
	AssetNoFile   = "asset_has_no_download_file"
)

// FindAsset answers a request for the file at name of the component version with this UUID. Letter case counts;
// repeated slashes and "." are folded as in a file system. Public files may be kept by shared caches, for five minutes.
// Missing things are answers, not errors.
func FindAsset(ctx context.Context, q db.Querier, version uuid.UUID, name string, public bool) (Asset, error) {
	v, err := VersionByUUID(ctx, q, version)
	if fault.Is(err, fault.NotFound) {
		return Asset{Status: 404}, nil
	}
	if err != nil {
		return Asset{}, err
	}
	e, err := publishing.EntityByID(ctx, q, v.Entity)
	if err != nil {
		return Asset{}, err
	}
	p, err := publishing.PackageByID(ctx, q, e.Package)
	if err != nil {
		return Asset{}, err
	}
	files, err := Files(ctx, q, []publishing.VersionID{v.ID}, false)
	if err != nil {
		return Asset{}, err
	}
	return asset(p, e, v, files, name, public), nil
}

// asset decides and writes the headers.
func asset(p publishing.Package, e publishing.Entity, v publishing.Version, files []FileRow, name string, public bool) Asset {
	const x = "X-Open-edX-"
	info := []Header{
		{x + "Component-Ref", e.Ref},
		{x + "Component-Uuid", e.UUID.String()},
		{x + "Component-Version-Uuid", v.UUID.String()},
		{x + "Component-Version-Num", strconv.Itoa(v.Num)},
		{x + "Learning-Package-Ref", p.Ref},
		{x + "Learning-Package-Uuid", p.UUID.String()},
	}
	name = foldPath(name)
	for _, f := range files {
		if f.Path != name {
			continue
		}
		if !f.Media.HasFile {
			return Asset{404, append(info, Header{x + "Error", AssetNoFile})}
		}
		age := "max-age=86400, private"
		if public {
			age = "max-age=300, must-revalidate"
		}
		contentType, etag := f.Media.Headers()
		return Asset{200, append(info,
			Header{"Content-Type", contentType},
			Header{"Etag", etag},
			Header{"Cache-Control", age},
			Header{"X-Accel-Redirect", path.Join("content", p.UUID.String(), f.Media.Digest)},
		)}
	}
	return Asset{404, append(info, Header{x + "Error", AssetNotFound})}
}

// foldPath folds what a file system path object folds: repeated slashes and "." segments, but never "..".
func foldPath(name string) string {
	var keep []string
	for s := range strings.SplitSeq(name, "/") {
		if s != "" && s != "." {
			keep = append(keep, s)
		}
	}
	folded := strings.Join(keep, "/")
	if strings.HasPrefix(name, "/") {
		folded = "/" + folded
	}
	return folded
}
