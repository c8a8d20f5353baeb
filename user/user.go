// Package user reads and makes rows of Django's auth_user, the people whom change logs name. What a password column means
// is not its concern: a user made here cannot sign in until package signin sets a password.
package user

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"unicode"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema/inspect"
)

// ID is the id of a row of auth_user; 0 is nobody.
type ID int64

// User is one row of auth_user.
type User struct {
	ID        ID     `json:"id"`
	Username  string `json:"username"`
	Email     string `json:"email"`
	Name      string `json:"name"`
	Staff     bool   `json:"staff"`
	Superuser bool   `json:"superuser"`
	Active    bool   `json:"active"`
}

// Limits of the columns, in characters (Django 5.2).
const (
	maxUsername = 150
	maxEmail    = 254
	maxName     = 150
)

// New is a user to be made.
type New struct {
	Username, Email, Name string
	Staff, Superuser      bool
}

// unusable is what Django stores for "no password": it never signs in.
const unusable = "!"

// Create makes the row. A name that exists, also in other letter case, is a Conflict.
func Create(ctx context.Context, tx *db.Tx, n New) (User, error) {
	if err := n.check(); err != nil {
		return User{}, err
	}
	taken, found, err := db.One(ctx, tx, `SELECT username FROM auth_user WHERE LOWER(username) = LOWER(?)`, []any{n.Username},
		func(r *db.Row) (name string, err error) { return name, r.Scan(&name) })
	if err != nil {
		return User{}, err
	}
	if found {
		return User{}, fault.Errorf(fault.Conflict, n.Username, "user %q exists", taken).WithNext("choose another name")
	}
	first, last, _ := strings.Cut(n.Name, " ")
	ids, err := tx.InsertIDs(ctx, "auth_user", []string{"password", "last_login", "is_superuser", "username", "first_name",
		"last_name", "email", "is_staff", "is_active", "date_joined"}, 1, func(_ int, v []any) {
		v[0], v[1], v[2], v[3], v[4] = unusable, nil, n.Superuser, n.Username, first
		v[5], v[6], v[7], v[8], v[9] = last, n.Email, n.Staff, true, tx.Now()
	})
	if err != nil {
		return User{}, db.Raced(err)
	}
	u := User{ID(ids[0]), n.Username, n.Email, n.Name, n.Staff, n.Superuser, true}
	if n.Name == "" {
		return u, nil
	}
	return u, addProfile(ctx, tx, u)
}

const profiles = "auth_userprofile"

// addProfile writes the name where lists of people read it from (authz.md §12, §17). A platform's own profiles have much
// more in them, and are its own business.
func addProfile(ctx context.Context, tx *db.Tx, u User) error {
	tables, err := inspect.Read(ctx, tx, func(name string) bool { return name == profiles })
	if err != nil {
		return err
	}
	t := tables[profiles]
	if t == nil || len(t.Columns) != 3 || t.Column("name") == nil || t.Column("user_id") == nil {
		return nil
	}
	return tx.Insert(ctx, profiles, []string{"name", "user_id"}, 1, func(_ int, v []any) { v[0], v[1] = u.Name, int64(u.ID) })
}

func (n New) check() error {
	bad := func(format string, args ...any) error { return fault.Errorf(fault.Usage, n.Username, format, args...) }
	switch {
	case n.Username == "" || len([]rune(n.Username)) > maxUsername:
		return bad("a user name has 1 to %d characters", maxUsername)
	case strings.IndexFunc(n.Username, notName) >= 0:
		return bad("a user name holds letters, digits and @ . + - _ only")
	case len([]rune(n.Email)) > maxEmail:
		return bad("the e-mail address is longer than %d characters", maxEmail)
	case len([]rune(n.Name)) > maxName:
		return bad("the name is longer than %d characters", maxName)
	}
	if a, err := mail.ParseAddress(n.Email); err != nil || a.Address != n.Email {
		if n.Email == "" {
			return fault.Errorf(fault.Usage, n.Username, "the e-mail address is missing").
				WithNext("write: lectern user add " + n.Username + " --email ADDRESS")
		}
		return fault.Errorf(fault.Usage, n.Username, "%q is not an e-mail address", n.Email).WithNext("write it like jo@example.org")
	}
	return nil
}

const columns = `id, username, email, first_name, last_name, is_staff, is_superuser, is_active`

// ByName returns the user of that name, compared by bytes; NotFound when there is none.
func ByName(ctx context.Context, q db.Querier, name string) (User, error) {
	u, found, err := db.One(ctx, q, `SELECT `+columns+` FROM auth_user WHERE username = ?`, []any{name}, scan)
	if err != nil {
		return User{}, err
	}
	if !found || u.Username != name {
		return User{}, fault.Errorf(fault.NotFound, name, "no such user").WithNext("make it with: lectern user add " + name + " --email ADDRESS")
	}
	return u, nil
}

// ByID returns a user; NotFound when there is none with that id.
func ByID(ctx context.Context, q db.Querier, id ID) (User, error) {
	u, found, err := db.One(ctx, q, `SELECT `+columns+` FROM auth_user WHERE id = ?`, []any{id}, scan)
	if err == nil && !found {
		err = fault.Errorf(fault.NotFound, fmt.Sprintf("user %d", id), "there is no such user")
	}
	return u, err
}

// List returns all users by name.
func List(ctx context.Context, q db.Querier) ([]User, error) {
	users := []User{}
	err := q.Query(ctx, `SELECT `+columns+` FROM auth_user ORDER BY username`, nil, func(r *db.Row) error {
		u, err := scan(r)
		users = append(users, u)
		return err
	})
	return users, err
}

// Names returns the user names of ids.
func Names(ctx context.Context, q db.Querier, ids []ID) (map[ID]string, error) {
	names := make(map[ID]string, len(ids))
	err := db.QueryIn(ctx, q, `SELECT id, username FROM auth_user WHERE id IN (?...)`, ids, nil, func(r *db.Row) error {
		var id ID
		var name string
		if err := r.Scan(&id, &name); err != nil {
			return err
		}
		names[id] = name
		return nil
	})
	return names, err
}

func scan(r *db.Row) (User, error) {
	var u User
	var first, last string
	err := r.Scan(&u.ID, &u.Username, &u.Email, &first, &last, &u.Staff, &u.Superuser, &u.Active)
	u.Name = fullName(first, last)
	return u, err
}

func fullName(first, last string) string { return strings.TrimSpace(first + " " + last) }

// notName is Django's rule for user names: letters, numbers and @ . + - _.
func notName(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune("@.+-_", r)
}

// IDs returns the ids of users by name, compared by bytes; names that nobody has are absent.
func IDs(ctx context.Context, q db.Querier, names []string) (map[string]ID, error) {
	ids := make(map[string]ID, len(names))
	wanted := make(map[string]bool, len(names))
	for _, n := range names {
		wanted[n] = true
	}
	err := db.QueryIn(ctx, q, `SELECT id, username FROM auth_user WHERE username IN (?...)`, names, nil, func(r *db.Row) error {
		var id ID
		var name string
		if err := r.Scan(&id, &name); err != nil {
			return err
		}
		if wanted[name] {
			ids[name] = id
		}
		return nil
	})
	return ids, err
}
