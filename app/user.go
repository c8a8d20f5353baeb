package app

import (
	"context"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/signin"
	"github.com/openlectern/lectern/user"
)

// AddUser makes the row of a person, whom changes can then be made as.
func (a *App) AddUser(ctx context.Context, n user.New) (out user.User, err error) {
	if err := a.mayAdd(ctx, "AddUser", n); err != nil {
		return out, err
	}
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		out, err = user.Create(ctx, tx, n)
		return err
	})
	return out, err
}

// AddUserWithLink is AddUser, and makes what signs the user in once, within an hour, to set a password.
func (a *App) AddUserWithLink(ctx context.Context, n user.New) (out user.User, text string, err error) {
	if err := a.mayAdd(ctx, "AddUserWithLink", n); err != nil {
		return out, "", err
	}
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		if out, err = user.Create(ctx, tx, n); err != nil {
			return err
		}
		text, err = signin.NewLink(ctx, tx, out.ID)
		return err
	})
	if a.dryRun {
		text = "" // it leads nowhere
	}
	return out, text, err
}

// Users lists all people by name.
func (a *App) Users(ctx context.Context) (out []user.User, err error) {
	if err := a.may(ctx, "Users"); err != nil {
		return out, err
	}
	err = a.View(ctx, func(tx *db.Tx) (err error) {
		out, err = user.List(ctx, tx)
		return err
	})
	return out, err
}
