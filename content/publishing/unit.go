package publishing

import (
	"github.com/openlectern/lectern/db"
)

// unit is what this package remembers for the length of one transaction. All of it is about packages that the
// transaction has locked or entities that it made, so nobody else changes it meanwhile; with it an entity that was
// made a moment ago costs no reads.
type unit struct {
	locked map[PackageID]bool
	made   map[PackageID]bool       // by this transaction
	titles map[PackageID]string     // of locked packages, for events
	open   []*ChangeSet             // change sets whose fn is running, outer first
	home   map[EntityID]PackageID   // packages of entities
	states map[EntityID]*state      // drafts of entities
	deps   map[VersionID][]EntityID // dependency sets of versions made in this transaction, nil for none
}

// state is the draft side of an entity, with moves of open change sets applied.
type state struct {
	draft  VersionID
	record RecordID // that the stored Draft row points to
	row    bool     // a Draft row is stored
	latest int      // highest version number
	// namer is the change set that made all versions which name this entity as a dependency, if the entity was made
	// in this transaction; other is set once a second one does. Then stored rows have to be asked.
	fresh bool
	namer *ChangeSet
	other bool
}

type unitKey struct{}

func unitOf(tx *db.Tx) *unit {
	return tx.Local(unitKey{}, func() any {
		return &unit{
			locked: map[PackageID]bool{},
			made:   map[PackageID]bool{},
			titles: map[PackageID]string{},
			home:   map[EntityID]PackageID{},
			states: map[EntityID]*state{},
			deps:   map[VersionID][]EntityID{},
		}
	}).(*unit)
}

// active returns the innermost open change set of a package, or nil.
func (u *unit) active(pkg PackageID) *ChangeSet {
	for i := len(u.open) - 1; i >= 0; i-- {
		if u.open[i].pkg == pkg {
			return u.open[i]
		}
	}
	return nil
}

// forget drops everything known about a package's entities.
func (u *unit) forget() {
	clear(u.locked)
	clear(u.titles)
	clear(u.home)
	clear(u.states)
	clear(u.deps)
}

// born notes an entity just created, which has neither versions nor a draft.
func (u *unit) born(list []EntityID, pkg PackageID) {
	states := make([]state, len(list))
	for i, e := range list {
		states[i].fresh = true
		u.states[e] = &states[i]
		u.home[e] = pkg
	}
}
