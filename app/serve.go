package app

import (
	"context"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
	"github.com/openlectern/lectern/user"
)

// OpenAnyAge opens the store to write, as [Open] does, but also where the database's tables are not today's: a server
// starts and says what is wrong, rather than that it is started again and again. Until [App.Ready] has returned nil once,
// nothing else may be done with it; use cases run as somebody, by [App.As]. A SQLite database that does not exist is made. The store is nobody's: every request works
// with it [App.As] who is signed in.
func OpenAnyAge(ctx context.Context, c Config) (*App, error) {
	database, where := c.paths()
	files, err := openFiles(where)
	if err != nil {
		return nil, err
	}
	d, err := connect(ctx, database, db.Options{Create: true, Clock: c.Clock, OnStatement: c.OnStatement})
	if err != nil {
		return nil, err
	}
	a := &App{uploads: c.uploads(), secret: c.SecretFile(), gate: newGate(d), env: c.Getenv}
	a.DB, a.Files, a.folder = d, files, c.jobs()
	a.jobs = newQueue(d, a.folder)
	return a, nil
}

// Ready makes what [Open] makes for writers, the tables of a new SQLite database and Lectern's own beside Django's, and
// returns nil when the database can be worked on; else why not, Refused with the command to run. It may be called again
// and again: when all is well it reads little. While somebody changes the tables it makes none, and says who does.
func (a *App) Ready(ctx context.Context) error {
	if err := Blocked(ctx, a.DB); err != nil {
		return err
	}
	return prepared(ctx, a.DB)
}

// Ping returns nil when the database answers.
func (a *App) Ping(ctx context.Context) error {
	return a.View(ctx, func(tx *db.Tx) error {
		_, _, err := db.One(ctx, tx, "SELECT 1", nil, db.Value[int64])
		return err
	})
}

// HasPermissions reports whether the database has today's tables of permissions. Sites without them can be worked on, by
// operators.
func (a *App) HasPermissions(ctx context.Context) (bool, error) {
	names, err := inspect.Names(ctx, a.DB)
	return names[authz.NewestTable], err
}

// Account is what one person may see of another.
type Account struct {
	Username, Name, Email string
	Active                bool
	Full                  bool // false: the actor may not see Email, which is empty then
}

// Account returns what the actor may see of the person of that name; NotFound when there is none. Everybody sees names;
// the address is for the person, for staff, and for who may view the team of anything, as lists of teams show it.
func (a *App) Account(ctx context.Context, name string) (acc Account, err error) {
	if err := a.may(ctx, "Account"); err != nil {
		return acc, err
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		u, err := user.ByName(ctx, tx, name)
		if err != nil {
			return err
		}
		acc = Account{Username: u.Username, Name: u.Name, Email: u.Email, Active: u.Active}
		names, err := a.guard().tables(ctx)
		if err != nil || !names[authz.NewestTable] {
			return err // profiles come with them
		}
		people, err := user.People(ctx, tx, []string{name})
		if p := people[name]; p.Name != "" {
			acc.Name = p.Name
		}
		return err
	})
	if err != nil {
		return acc, err
	}
	if acc.Full, err = a.seesTeams(ctx); err != nil {
		return acc, err
	}
	if acc.Full = acc.Full || a.actor.name == name; !acc.Full {
		acc.Email = ""
	}
	return acc, nil
}

// seesTeams reports whether the actor may view the team of anything.
func (a *App) seesTeams(ctx context.Context) (bool, error) {
	if a.actor.system {
		return true, nil
	}
	who, err := a.guard().standing(ctx, a.actor, "Account")
	if err != nil || who.Admin() {
		return err == nil, err
	}
	for _, action := range []string{"content_libraries.view_library_team", "courses.view_course_team"} {
		if yes, err := a.Engine().Index().AllowedAnywhere(a.actor.name, action); yes || err != nil {
			return yes, err
		}
	}
	return false, nil
}
