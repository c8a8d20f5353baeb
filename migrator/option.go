package migrator

import (
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// Level says up to which level blocks become containers: the levels rise from Component to Section (W1). The zero Level is
// Component.
type Level uint8

// The levels.
const (
	Component Level = iota
	Unit
	Subsection
	Section
)

var levels = [...]string{"component", "unit", "subsection", "section"}

// String returns the level as tables and requests write it.
func (l Level) String() string { return levels[l] }

// ParseLevel reads a level; "" is the default, component. Anything else is fault.Usage (V1).
func ParseLevel(s string) (Level, error) {
	if s == "" {
		return Component, nil
	}
	for i, name := range levels {
		if name == s {
			return Level(i), nil
		}
	}
	return 0, fault.Errorf(fault.Usage, s, "is no level of composition").WithNext("write component, unit, subsection or section")
}

// Strategy says what happens to blocks that an earlier migration brought already (migrator.md §6). The zero Strategy is
// none: use [ParseStrategy].
type Strategy string

// The strategies.
const (
	Skip   Strategy = "skip"   // leave what is there, bring back what was deleted
	Fork   Strategy = "fork"   // make everything again, beside what is there
	Update Strategy = "update" // bring it to the state of the source
)

// ParseStrategy reads a strategy; "" is the default, skip. Anything else is fault.Usage (V1).
func ParseStrategy(s string) (Strategy, error) {
	switch st := Strategy(s); st {
	case "":
		return Skip, nil
	case Skip, Fork, Update:
		return st, nil
	}
	return "", fault.Errorf(fault.Usage, s, "is no way to handle what was migrated before").WithNext("write skip, fork or update")
}

// Forward says whether a migration becomes the authoritative one of its source (migrator.md §9).
type Forward uint8

// The values: Auto forwards a source that is not forwarded yet.
const (
	Auto Forward = iota
	Yes
	No
)

// ParseForward reads "auto", "yes" or "no"; "" is auto. Anything else is fault.Usage (V1).
func ParseForward(s string) (Forward, error) {
	switch s {
	case "", "auto":
		return Auto, nil
	case "yes":
		return Yes, nil
	case "no":
		return No, nil
	}
	return 0, fault.Errorf(fault.Usage, s, "does not say whether to forward").WithNext("write yes, no or auto")
}

// DefaultLimit is how many live entities a library may hold where nothing else is said (U6).
const DefaultLimit = 1000

// Options say how a source is migrated.
type Options struct {
	Level     Level
	Repeat    Strategy
	KeepSlugs bool            // ids are those of the source (I2)
	Limit     int             // of live entities in the library; 0 means [DefaultLimit], negative none
	Types     map[string]bool // block types that the library takes; nil means all that are installed
	ASCII     bool            // ids are ASCII only, where the engine refuses others (content-schema.md §2.1)
}

func (o Options) limit() int {
	if o.Limit == 0 {
		return DefaultLimit
	}
	return o.Limit
}

// Source is a course or legacy library that was read: its published tree, with its files.
type Source struct {
	Key     keys.Course
	Title   string
	Version string // what was read of it, "" where that has no name; at most 255 characters
	Tree    *courseware.Course
}

// SourceOf returns the source that a tree is, under its own key.
func SourceOf(tree *courseware.Course, version string) Source {
	s := Source{Key: tree.Key, Version: version, Tree: tree}
	if root := tree.Blocks[tree.Root]; root != nil {
		s.Title = root.Title()
	}
	if s.Title == "" {
		s.Title = tree.Key.String()
	}
	return s
}
