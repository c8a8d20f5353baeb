package app

import (
	"context"
	"path/filepath"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/signin"
	"github.com/openlectern/lectern/signin/keyring"
	"github.com/openlectern/lectern/user"
)

// SecretFile returns where the keys are: what the configuration says, or in the data folder, or beside a SQLite file that
// was named without a folder.
func (c Config) SecretFile() string {
	if c.Secret != "" {
		return c.Secret
	}
	if path, ok := sqlitePath(c.DB); ok && c.Data == "" {
		return path + "-" + keyring.FileName
	}
	data := c.Data
	if data == "" {
		data = DefaultData
	}
	return filepath.Join(data, keyring.FileName)
}

// SignIn returns the service that recognises people, with the keys of the store, which are made at the first use. public is
// where browsers find the server.
func (a *App) SignIn(public string) (*signin.Service, error) {
	ring, err := keyring.Open(a.secret)
	if err != nil {
		return nil, err
	}
	return signin.New(a.DB, ring, public), nil
}

// FirstLink makes the first user and what signs it in once, "" where there are users already (signin.FirstLink).
func (a *App) FirstLink(ctx context.Context) (text string, err error) {
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		text, err = signin.FirstLink(ctx, tx)
		return err
	})
	if fault.Is(err, fault.Conflict) {
		return "", nil // another server has just made it
	}
	return text, err
}

// named runs fn with the user of that name, in a transaction.
func (a *App) named(ctx context.Context, name string, fn func(tx *db.Tx, u user.User) error) (u user.User, err error) {
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		if u, err = user.ByName(ctx, tx, name); err != nil {
			return err
		}
		return fn(tx, u)
	})
	return u, err
}

// SignInLink makes what signs a user in once, within an hour, to set a password. A disabled user is Refused.
// In a dry run text is "".
func (a *App) SignInLink(ctx context.Context, name string) (u user.User, text string, err error) {
	if err := a.mayAccount(ctx, "SignInLink", name); err != nil {
		return u, "", err
	}
	u, err = a.named(ctx, name, func(tx *db.Tx, u user.User) (err error) {
		if !u.Active {
			return disabled(name)
		}
		text, err = signin.NewLink(ctx, tx, u.ID)
		return err
	})
	if a.dryRun {
		text = "" // it leads nowhere
	}
	return u, text, err
}

// SetPassword gives a user a password, which ends the user's sessions, tokens and links. One that is too easy is Invalid.
func (a *App) SetPassword(ctx context.Context, name, plain string) (user.User, error) {
	if err := a.mayAccount(ctx, "SetPassword", name); err != nil {
		return user.User{}, err
	}
	u, err := user.ByName(ctx, a.DB, name)
	if err != nil {
		return u, err
	}
	encoded, err := signin.Hash(plain, u, 0) // not in the transaction: it takes long on purpose
	if err != nil {
		return u, err
	}
	return a.named(ctx, name, func(tx *db.Tx, u user.User) error { return signin.SetPassword(ctx, tx, u.ID, encoded, "") })
}

// DisableUser keeps a user from signing in, and ends the user's sessions, tokens and links.
func (a *App) DisableUser(ctx context.Context, name string) (user.User, error) {
	if err := a.mayAccount(ctx, "DisableUser", name); err != nil {
		return user.User{}, err
	}
	return a.active(ctx, name, false)
}

// EnableUser lets a user sign in again, with the password from before.
func (a *App) EnableUser(ctx context.Context, name string) (user.User, error) {
	if err := a.mayAccount(ctx, "EnableUser", name); err != nil {
		return user.User{}, err
	}
	return a.active(ctx, name, true)
}

func (a *App) active(ctx context.Context, name string, active bool) (user.User, error) {
	u, err := a.named(ctx, name, func(tx *db.Tx, u user.User) error {
		if err := user.SetActive(ctx, tx, u.ID, active); err != nil || active {
			return err
		}
		return signin.EndAll(ctx, tx, u.ID, "")
	})
	u.Active = active
	return u, err
}

// NewToken makes a token with which programs act as a user; text is shown this once. life 0 is for ever.
// In a dry run text and id are zero.
func (a *App) NewToken(ctx context.Context, name, label string, life time.Duration) (text string, t signin.Token, err error) {
	if err := a.mayAccount(ctx, "NewToken", name); err != nil {
		return "", t, err
	}
	_, err = a.named(ctx, name, func(tx *db.Tx, u user.User) (err error) {
		text, t, err = signin.NewToken(ctx, tx, u.ID, label, life)
		return err
	})
	if a.dryRun {
		text, t.ID = "", 0 // it is good for nothing
	}
	return text, t, err
}

// RevokeToken ends a token of a user.
func (a *App) RevokeToken(ctx context.Context, name string, id int64) error {
	if err := a.mayAccount(ctx, "RevokeToken", name); err != nil {
		return err
	}
	_, err := a.named(ctx, name, func(tx *db.Tx, u user.User) error { return signin.Revoke(ctx, tx, u.ID, id) })
	return err
}

// Tokens lists the tokens of a user, without their texts.
func (a *App) Tokens(ctx context.Context, name string) (all []signin.Token, err error) {
	if err := a.mayAccount(ctx, "Tokens", name); err != nil {
		return nil, err
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		u, err := user.ByName(ctx, tx, name)
		if err != nil {
			return err
		}
		all, err = signin.Tokens(ctx, tx, u.ID)
		return err
	})
	return all, err
}

func disabled(name string) error {
	return fault.Errorf(fault.Refused, name, "the user is disabled").WithNext("lectern user enable " + name)
}
