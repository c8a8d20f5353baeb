package course

import (
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// refKey returns the key by which people know an entity of c: block-v1 or lib-block-v1 for blocks, asset-v1 for static
// files. A name that no key can hold, and an entity another program made, are shown by their ref.
func (c *Course) refKey(ref string) string {
	if id, ok := refBlock(ref); ok {
		return c.blockKey(id)
	}
	if path, ok := refAsset(ref); ok {
		if key, err := c.Key.Asset("asset", assetKey(path)); err == nil {
			return key.String()
		}
	}
	return ref
}

func (c *Course) blockKey(id courseware.BlockID) string {
	if key, err := c.Key.Usage(id.Type, id.Name); err == nil {
		return key.String()
	}
	return blockRef(id)
}

// BlockOf splits a usage key into its course and the block's id within it. Keys without a course, such as i4x, are Usage
// errors.
func BlockOf(key keys.Usage) (keys.Course, courseware.BlockID, error) {
	course, ok := key.Course()
	if !ok {
		return course, courseware.BlockID{}, fault.Errorf(fault.Usage, key.String(), "the key does not name its course").
			WithNext("write block-v1:ORG+COURSE+RUN+type@TYPE+block@ID")
	}
	return course, courseware.BlockID{Type: key.Type(), Name: key.ID()}, nil
}
