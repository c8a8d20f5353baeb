package signin

import (
	"context"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/signin/password"
	"github.com/openlectern/lectern/user"
)

// Identity is a person as an identity provider names them.
type Identity struct {
	Issuer, Subject string
	Username        string // the name the person prefers
	Email           string
	Verified        bool // the provider has checked the e-mail address
	Name            string
}

// ByIdentity begins a session of the user whom an identity means: the one that it meant before, else the only one with its
// verified e-mail address, which is noted for the next time; else, with create, a new user of its preferred name.
// [ErrRefused] when there is none, or the user is disabled; a new user whose name is taken is fault.Conflict.
func (s *Service) ByIdentity(ctx context.Context, i Identity, create bool, had string) (out Session, err error) {
	if i.Issuer == "" || i.Subject == "" || len(i.Issuer) > 255 || len(i.Subject) > 255 {
		return out, ErrRefused
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		id, err := whom(ctx, tx, i, create)
		if err != nil {
			return err
		}
		c, found, err := user.CredentialByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if !found || !c.Active {
			return ErrRefused
		}
		out, err = begin(ctx, tx, c, ByProvider, had)
		return err
	})
	return out, err
}

func whom(ctx context.Context, tx *db.Tx, i Identity, create bool) (user.ID, error) {
	id, found, err := db.One(ctx, tx, `SELECT user_id FROM lectern_identity WHERE issuer = ? AND subject = ?`, []any{i.Issuer, i.Subject}, db.Value[user.ID])
	if err != nil || found {
		return id, err
	}
	if !i.Verified || i.Email == "" {
		return 0, ErrRefused // an address that anybody can claim proves nothing
	}
	c, found, err := user.CredentialByEmail(ctx, tx, i.Email)
	switch {
	case err != nil:
		return 0, err
	case found:
		id = c.ID
	case !create:
		return 0, ErrRefused
	default:
		u, err := user.Create(ctx, tx, user.New{Username: i.Username, Email: i.Email, Name: i.Name})
		if err != nil {
			return 0, err
		}
		if err := user.SetPassword(ctx, tx, u.ID, password.MakeUnusable()); err != nil {
			return 0, err
		}
		id = u.ID
	}
	_, err = tx.InsertIDs(ctx, "lectern_identity", []string{"issuer", "subject", "user_id", "created"}, 1, func(_ int, v []any) {
		v[0], v[1], v[2], v[3] = i.Issuer, i.Subject, id, tx.Now()
	})
	return id, db.Raced(err)
}
