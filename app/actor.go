package app

import (
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/user"
)

// Actor is on whose behalf use cases run. The zero Actor is nobody, who may do nothing.
type Actor struct {
	id     user.ID
	name   string
	system bool
}

// System returns the operator of the system, who may do everything and whom history does not name: who runs a command
// without --as has the database anyway.
func System() Actor { return Actor{system: true} }

// Person returns the actor that a user is.
func Person(u user.User) Actor { return Actor{id: u.ID, name: u.Username} }

// Name returns the actor's user name, "" for the system and for nobody.
func (a Actor) Name() string { return a.name }

// As returns the store as an actor works with it: what changes are made as, and what is allowed. A server calls it for
// every request. It costs nothing, shares everything with a, and must not be closed.
func (a *App) As(actor Actor) *App {
	return &App{Store: a.Store, By: publishing.UserID(actor.id), actor: actor, gate: a.gate, secret: a.secret, jobs: a.jobs, folder: a.folder,
		uploads: a.uploads, dryRun: a.dryRun, env: a.env}
}

// Actor returns on whose behalf the store is open.
func (a *App) Actor() Actor { return a.actor }
