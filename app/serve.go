package app

import (
	"context"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

// OpenAnyAge opens the store to write, as [Open] does, but also where the database's tables are not today's: a server
// starts and says what is wrong, rather than that it is started again and again. Until [App.Ready] has returned nil once,
// nothing else may be done with it. A SQLite database that does not exist is made. The store is nobody's: every request works
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
	a := &App{secret: c.SecretFile(), gate: newGate(d)}
	a.DB, a.Files, a.folder = d, files, c.jobs()
	a.jobs = newQueue(d, a.folder)
	return a, nil
}

// Ready makes what [Open] makes for writers, the tables of a new SQLite database and Lectern's own beside Django's, and
// returns nil when the database can be worked on; else why not, Refused with the command to run. It may be called again
// and again: when all is well it reads little.
func (a *App) Ready(ctx context.Context) error { return prepared(ctx, a.DB) }

// Ping returns nil when the database answers.
func (a *App) Ping(ctx context.Context) error {
	return a.View(ctx, func(tx *db.Tx) error {
		_, _, err := db.One(ctx, tx, "SELECT 1", nil, db.Value[int64])
		return err
	})
}

// Account is what one person may see of another.
type Account struct {
	Username, Name, Email string
	Active                bool
	Full                  bool // false: the viewer may not see Email, which is empty then
}

// Account returns what viewer may see of the person of that name; NotFound when there is none. The address is for the
// person and for staff.
func (a *App) Account(ctx context.Context, viewer, name string) (acc Account, err error) {
	err = a.View(ctx, func(tx *db.Tx) error {
		u, err := user.ByName(ctx, tx, name)
		if err != nil {
			return err
		}
		acc = Account{Username: u.Username, Name: u.Name, Email: u.Email, Active: u.Active}
		if acc.Full = viewer == name; acc.Full {
			return nil
		}
		v, err := user.ByName(ctx, tx, viewer)
		if err != nil {
			return err
		}
		if acc.Full = v.Staff || v.Superuser; !acc.Full {
			acc.Email = ""
		}
		return nil
	})
	return acc, err
}
