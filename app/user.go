package app

import (
	"context"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

// AddUser makes the row of a person, whom changes can then be made as.
func (a *App) AddUser(ctx context.Context, n user.New) (out user.User, err error) {
	if err := a.may(ctx, "AddUser"); err != nil {
		return out, err
	}
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		out, err = user.Create(ctx, tx, n)
		return err
	})
	return out, err
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
