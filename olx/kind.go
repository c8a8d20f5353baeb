package olx

import "github.com/openlectern/lectern/olx/fields"

// HoldsBlocks reports whether blocks of a type hold other blocks (olx.md §1.7, §6.3). Unknown types do not: what is in
// them is part of them (olx.md §1.10).
func HoldsBlocks(blockType string) bool {
	spec := fields.Lookup(blockType)
	return spec != nil && spec.Container()
}
