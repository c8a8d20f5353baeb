package signin

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/signin/password"
	"github.com/openlectern/lectern/signin/webtoken"
	"github.com/openlectern/lectern/user"
)

// FirstUser is the name of the user that the first run makes.
const FirstUser = "admin"

// NewLink makes what signs a user in once, within [LinkLife], in place of what was made for that user before. The text goes
// into an address (api/signin.LinkPath).
func NewLink(ctx context.Context, tx *db.Tx, id user.ID) (text string, err error) {
	c, found, err := user.CredentialByID(ctx, tx, id)
	if err := orNobody(found, err); err != nil {
		return "", err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM lectern_signinlink WHERE user_id = ?`, id); err != nil {
		return "", err
	}
	text = secretText()
	_, err = tx.InsertIDs(ctx, "lectern_signinlink", []string{"token_hash", "user_id", "fingerprint", "created", "ends", "used"}, 1,
		func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4], v[5] = digest(text), id, fingerprint(c), tx.Now(), tx.Now().Add(LinkLife), nil
		})
	return text, err
}

// FirstLink makes the first user, a superuser, and a link for it, where there is no user; and another link where that user is the
// only one and has never come. Else text is "". Of servers that start at once one gives the link that counts.
func FirstLink(ctx context.Context, tx *db.Tx) (text string, err error) {
	u, fresh, err := user.Fresh(ctx, tx)
	if err != nil || !fresh {
		return "", err
	}
	if u.ID == 0 {
		u, err = user.Create(ctx, tx, user.New{Username: FirstUser, Email: FirstUser + "@localhost", Staff: true, Superuser: true})
		if err != nil {
			return "", err
		}
		if err := user.SetPassword(ctx, tx, u.ID, password.MakeUnusable()); err != nil {
			return "", err
		}
	}
	return NewLink(ctx, tx, u.ID)
}

// FollowLink begins a session with what [NewLink] made, which is used up by it. It is [ErrNobody] when it was used, is older
// than [LinkLife], or the user's password was changed or the user disabled since.
func (s *Service) FollowLink(ctx context.Context, text, had string) (out Session, err error) {
	if text == "" || len(text) > maxCredential {
		return out, ErrNobody
	}
	type row struct {
		id          int64
		user        user.ID
		fingerprint string
		ends        time.Time
		used        sql.Null[time.Time]
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		o, found, err := db.One(ctx, tx, `SELECT id, user_id, fingerprint, ends, used FROM lectern_signinlink WHERE token_hash = ?`,
			[]any{digest(text)}, func(r *db.Row) (o row, err error) {
				err = r.Scan(&o.id, &o.user, &o.fingerprint, &o.ends, &o.used)
				return o, err
			})
		if err := orNobody(found, err); err != nil {
			return err
		}
		c, found, err := user.CredentialByID(ctx, tx, o.user)
		if err := orNobody(found, err); err != nil {
			return err
		}
		if o.used.Valid || !tx.Now().Before(o.ends) || !c.Active || fingerprint(c) != o.fingerprint {
			return ErrNobody
		}
		n, err := tx.Exec(ctx, `UPDATE lectern_signinlink SET used = ? WHERE id = ? AND used IS NULL`, tx.Now(), o.id)
		if err == nil && n == 0 {
			err = ErrNobody // another has followed it meanwhile
		}
		if err != nil {
			return err
		}
		// Links that were made side by side end with the first that is followed.
		if _, err := tx.Exec(ctx, `DELETE FROM lectern_signinlink WHERE user_id = ? AND id <> ?`, o.user, o.id); err != nil {
			return err
		}
		out, err = begin(ctx, tx, c, ByLink, had)
		return err
	})
	return out, err
}

func isInvalid(err error) bool { return errors.Is(err, webtoken.ErrInvalid) }
