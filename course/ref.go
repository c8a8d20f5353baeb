package course

import (
	"strings"
	"unicode"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/slug"
)

// Entity refs: unique in a package, never reused, parsed only here (design.md §4).
const (
	blockNamespace = "xblock.v1"
	assetNamespace = "lectern"
	assetType      = "asset"

	blockPrefix = blockNamespace + ":"
	assetPrefix = assetNamespace + ":" + assetType + ":"

	// containerPrefix starts the container type of every block type: stock types hold one kind of child only.
	containerPrefix = "lectern."
)

const (
	maxRef       = 500
	maxBlockType = 100
	maxAssetPath = 480
	maxTypeCode  = 100
)

// blockRef returns the entity ref of a block.
func blockRef(id courseware.BlockID) string { return blockPrefix + id.Type + ":" + id.Name }

// assetRef returns the entity ref of the static file at path.
func assetRef(path string) string { return assetPrefix + path }

// refBlock is the inverse of [blockRef]; ok is false for refs of other things. Block types hold no colon.
func refBlock(ref string) (id courseware.BlockID, ok bool) {
	rest, ok := strings.CutPrefix(ref, blockPrefix)
	if !ok {
		return id, false
	}
	id.Type, id.Name, ok = strings.Cut(rest, ":")
	return id, ok
}

// refAsset is the inverse of [assetRef].
func refAsset(ref string) (path string, ok bool) { return strings.CutPrefix(ref, assetPrefix) }

// checkBlockID refuses ids that the tables cannot hold (design.md §4, "Limits").
func checkBlockID(id courseware.BlockID) error {
	switch {
	case id.Type == "" || id.Name == "":
		return fault.Errorf(fault.Invalid, id.String(), "a block needs a type and a name")
	case strings.ContainsRune(id.Type, ':'):
		return fault.Errorf(fault.Invalid, id.String(), "a block type holds no colon")
	case len([]rune(id.Type)) > maxBlockType:
		return fault.Errorf(fault.Invalid, id.String(), "the block type is longer than %d characters", maxBlockType)
	case len([]rune(blockRef(id))) > maxRef:
		return fault.Errorf(fault.Invalid, id.String(), "type and name together are longer than the %d characters of an entity ref", maxRef)
	case strings.HasSuffix(id.Name, " "):
		return fault.Errorf(fault.Invalid, id.String(), "a name does not end in a space")
	}
	return nil
}

// checkAssetPath refuses paths that the tables cannot hold (olx.md §2.5).
func checkAssetPath(path string) error {
	switch {
	case path == "":
		return fault.Errorf(fault.Invalid, "static/", "a static file needs a name")
	case len([]rune(path)) > maxAssetPath:
		return fault.Errorf(fault.Invalid, "static/"+path, "the path is longer than %d characters", maxAssetPath)
	case strings.TrimSpace(path) != path:
		return fault.Errorf(fault.Invalid, "static/"+path, "the path starts or ends in a blank").WithNext("rename the file")
	}
	return nil
}

// containerType returns the type code of containers for a block type: lower-case ASCII (content-schema.md §3.11).
func containerType(blockType string) string {
	code := containerPrefix + blockType
	if len(code) <= maxTypeCode && strings.IndexFunc(blockType, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}) < 0 {
		return code
	}
	lower := strings.Map(func(r rune) rune {
		if r < 0x80 {
			return unicode.ToLower(r)
		}
		return '_'
	}, blockType)
	return containerPrefix + slug.Make(lower, blockType, maxTypeCode-len(containerPrefix))
}
