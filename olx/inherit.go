package olx

import (
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
)

// Parents returns the parent of every block that can be reached from the root, the root left out.
func Parents(c *courseware.Course) map[courseware.BlockID]courseware.BlockID {
	parents := make(map[courseware.BlockID]courseware.BlockID, len(c.Blocks))
	for b := range c.Walk() {
		for _, id := range b.Children {
			if _, again := parents[id]; !again && id != c.Root {
				parents[id] = b.ID
			}
		}
	}
	return parents
}

// Effective returns the value that a field of a block counts with (olx.md §1.11): its own, for an inheritable field that
// of the nearest ancestor with one, else the default; null for a field that nothing is known of. An own value that
// cannot be read as what it is counts as null.
func Effective(c *courseware.Course, parents map[courseware.BlockID]courseware.BlockID, id courseware.BlockID, name string) courseware.Value {
	f, known := fields.Common(name)
	if spec := fields.Lookup(id.Type); spec != nil {
		f, known = spec.Field(name)
	}
	_, inherited := fields.Inherited(name)
	for at, ok := id, true; ok; at, ok = parents[at] {
		if b := c.Blocks[at]; b != nil {
			if v, set := b.Fields.Lookup(name); set {
				if !fields.Readable(f.Type, v) {
					return courseware.Null
				}
				return v
			}
		}
		if !inherited {
			break
		}
	}
	if !known || f.Default == "" {
		return courseware.Null
	}
	return f.Default
}
