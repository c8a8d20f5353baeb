package components

import (
	"context"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/fault"
)

// CreateWithVersions makes components, each with a first version, and returns the ids of both, aligned. Whatever the
// versions say of Entity and Num is ignored: the numbers are 1. Errors are those of [Create] and [CreateVersions].
func CreateWithVersions(ctx context.Context, cs *publishing.ChangeSet, list []NewComponent, first []NewVersion) ([]publishing.EntityID, []publishing.VersionID, error) {
	if len(list) != len(first) {
		return nil, nil, fault.Errorf(fault.Internal, "components", "%d of them and %d versions", len(list), len(first))
	}
	made, err := Create(ctx, cs.Tx(), cs.Package(), list)
	if err != nil {
		return nil, nil, err
	}
	versions := make([]NewVersion, len(first))
	for i, v := range first {
		v.Entity, v.Num = made[i], 1
		versions[i] = v
	}
	ids, _, err := CreateVersions(ctx, cs, versions)
	return made, ids, err
}
