package user

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/db"
)

// Credential is a user with what signing in needs to know. It is never printed.
type Credential struct {
	User
	Password string // the column as it is: a hash in one of Django's forms, or "!…" for none
}

const credentialColumns = columns + `, password`

// CredentialByID returns a user by id.
func CredentialByID(ctx context.Context, q db.Querier, id ID) (c Credential, found bool, err error) {
	return db.One(ctx, q, `SELECT `+credentialColumns+` FROM auth_user WHERE id = ?`, []any{id}, scanCredential)
}

// CredentialBeside returns the user whom the column user_id of a row names, and reads columns of that row into dest, in one
// statement. table and columns are the caller's; where is a condition on row, with its args.
func CredentialBeside(ctx context.Context, q db.Querier, table string, columns []string, where string, args []any, dest ...any) (c Credential, found bool, err error) {
	sql := `SELECT u.id, u.username, u.email, u.first_name, u.last_name, u.is_staff, u.is_superuser, u.is_active, u.password, x.` +
		strings.Join(columns, ", x.") + ` FROM ` + table + ` x JOIN auth_user u ON u.id = x.user_id WHERE x.` + where
	return db.One(ctx, q, sql, args, func(r *db.Row) (Credential, error) {
		var c Credential
		var first, last string
		all := append([]any{&c.ID, &c.Username, &c.Email, &first, &last, &c.Staff, &c.Superuser, &c.Active, &c.Password}, dest...)
		err := r.Scan(all...)
		c.Name = fullName(first, last)
		return c, err
	})
}

// CredentialByName returns the user of that name, compared by bytes, or else the only one with that e-mail address.
func CredentialByName(ctx context.Context, q db.Querier, name string) (c Credential, found bool, err error) {
	c, found, err = db.One(ctx, q, `SELECT `+credentialColumns+` FROM auth_user WHERE username = ?`, []any{name}, scanCredential)
	if err != nil || found && c.Username == name {
		return c, found, err
	}
	return CredentialByEmail(ctx, q, name)
}

// CredentialByEmail returns the only user with an e-mail address, compared by bytes: servers that take ö for o would give
// one person's account to another. Of several users with it, which Django allows, none is meant.
func CredentialByEmail(ctx context.Context, q db.Querier, email string) (c Credential, found bool, err error) {
	if email == "" {
		return Credential{}, false, nil
	}
	several := false
	err = q.Query(ctx, `SELECT `+credentialColumns+` FROM auth_user WHERE email = ? ORDER BY id LIMIT ?`, []any{email, alike}, func(r *db.Row) error {
		one, err := scanCredential(r)
		if err != nil || one.Email != email {
			return err
		}
		if found {
			several = true
		}
		c, found = one, true
		return nil
	})
	if err != nil || several {
		return Credential{}, false, err
	}
	return c, found, nil
}

// alike bounds how many users are looked at whose addresses a server takes for the same.
const alike = 100

// SetPassword sets the column of a user.
func SetPassword(ctx context.Context, tx *db.Tx, id ID, encoded string) error {
	_, err := tx.Exec(ctx, `UPDATE auth_user SET password = ? WHERE id = ?`, encoded, id)
	return err
}

// ReplacePassword sets the column of a user if it is still as it was read.
func ReplacePassword(ctx context.Context, tx *db.Tx, id ID, was, encoded string) (done bool, err error) {
	n, err := tx.Exec(ctx, `UPDATE auth_user SET password = ? WHERE id = ? AND password = ?`, encoded, id, was)
	return n > 0, err
}

// SetActive says whether a user may sign in.
func SetActive(ctx context.Context, tx *db.Tx, id ID, active bool) error {
	_, err := tx.Exec(ctx, `UPDATE auth_user SET is_active = ? WHERE id = ?`, active, id)
	return err
}

// SignedIn notes that a user has signed in now.
func SignedIn(ctx context.Context, tx *db.Tx, id ID) error {
	_, err := tx.Exec(ctx, `UPDATE auth_user SET last_login = ? WHERE id = ?`, tx.Now(), id)
	return err
}

// Fresh reports whether nobody has come yet: there is no user at all, or one superuser only, who has never signed in and has
// no password, as the first run of a server makes it; first is that one.
func Fresh(ctx context.Context, q db.Querier) (first User, fresh bool, err error) {
	type row struct {
		Credential
		came bool
	}
	all, err := db.All(ctx, q, `SELECT `+credentialColumns+`, last_login IS NOT NULL FROM auth_user ORDER BY id LIMIT 2`, nil,
		func(r *db.Row) (row, error) {
			var u row
			var first, last string
			err := r.Scan(&u.ID, &u.Username, &u.Email, &first, &last, &u.Staff, &u.Superuser, &u.Active, &u.Password, &u.came)
			return u, err
		})
	switch {
	case err != nil || len(all) > 1:
		return User{}, false, err
	case len(all) == 0:
		return User{}, true, nil
	}
	u := all[0]
	return u.User, u.Superuser && u.Active && !u.came && len(u.Password) > 0 && u.Password[:1] == unusable, nil
}

func scanCredential(r *db.Row) (Credential, error) {
	var c Credential
	var first, last string
	err := r.Scan(&c.ID, &c.Username, &c.Email, &first, &last, &c.Staff, &c.Superuser, &c.Active, &c.Password)
	c.Name = fullName(first, last)
	return c, err
}
