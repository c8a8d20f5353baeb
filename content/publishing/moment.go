package publishing

import (
	"context"
	"time"

	"github.com/openlectern/lectern/db"
)

// Moment picks one state of all entities of a package: what is draft or published now, or was after a log or at a time.
// The zero Moment is [Draft].
type Moment struct {
	published bool
	log       int64
	at        time.Time
}

// Draft is the drafts as they are now.
func Draft() Moment { return Moment{} }

// Published is what is published now.
func Published() Moment { return Moment{published: true} }

// AfterChange is the drafts as they were after the draft log with this id.
func AfterChange(log int64) Moment { return Moment{log: log} }

// AfterPublish is what was published after the publish log with this id.
func AfterPublish(log int64) Moment { return Moment{published: true, log: log} }

// DraftsAt is the drafts after the last draft log of the package whose time is not after t.
func DraftsAt(t time.Time) Moment { return Moment{at: t} }

// PublishedAt is what was published after the last publish log of the package whose time is not after t.
func PublishedAt(t time.Time) Moment { return Moment{published: true, at: t} }

// Head is the version that an entity has at a moment.
type Head struct {
	Entity  EntityID
	Ref     string
	Version VersionID
	Num     int
	Title   string
	Log     int64 // the draft or publish log that moved the pointer here or touched it last; 0 when none is known
}

// Heads returns the head of every entity of the package that has a live version at the moment, in entity id order.
func Heads(ctx context.Context, q db.Querier, pkg PackageID, m Moment) ([]Head, error) { panic("soon") }

// HeadsOf is [Heads] for some entities; those without a live version are left out. Moments given by time need the
// entities to be of one package.
func HeadsOf(ctx context.Context, q db.Querier, ids []EntityID, m Moment) ([]Head, error) {
	panic("soon")
}
