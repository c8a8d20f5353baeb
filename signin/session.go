package signin

import (
	"context"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/signin/password"
	"github.com/openlectern/lectern/user"
)

// Session is a session that was begun.
type Session struct {
	Cookie string // what the browser shows from now on
	Ends   time.Time
	User   user.User
	// NoPassword says that the user has no password to sign in with the next time.
	NoPassword bool
	digest     string
}

// Begin begins a session of a user, and ends the one whose cookie the browser had, so that nobody can have put it there
// (session fixation). A user who is disabled or gone is [ErrRefused].
func (s *Service) Begin(ctx context.Context, id user.ID, by Method, had string) (out Session, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) (err error) {
		c, found, err := user.CredentialByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if !found || !c.Active {
			return ErrRefused
		}
		out, err = begin(ctx, tx, c, by, had)
		return err
	})
	return out, err
}

// begin begins a session that is tied to the password that c was recognised with: if it was changed since, nobody can use it.
func begin(ctx context.Context, tx *db.Tx, c user.Credential, by Method, had string) (Session, error) {
	if err := end(ctx, tx, had); err != nil {
		return Session{}, err
	}
	if err := crowd(ctx, tx, c.ID); err != nil {
		return Session{}, err
	}
	cookie := secretText()
	out := Session{Cookie: cookie, Ends: tx.Now().Add(SessionLife), User: c.User, NoPassword: strings.HasPrefix(c.Password, password.Unusable), digest: digest(cookie)}
	_, err := tx.InsertIDs(ctx, "lectern_session", []string{"token_hash", "user_id", "method", "fingerprint", "created", "seen", "ends"}, 1,
		func(_ int, v []any) {
			v[0], v[1], v[2], v[3] = out.digest, c.ID, string(by), fingerprint(c)
			v[4], v[5], v[6] = tx.Now(), tx.Now(), out.Ends
		})
	if err != nil {
		return Session{}, err
	}
	return out, user.SignedIn(ctx, tx, c.ID)
}

// crowd ends the oldest sessions of a user who has too many.
func crowd(ctx context.Context, tx *db.Tx, id user.ID) error {
	last, found, err := db.One(ctx, tx, `SELECT id FROM lectern_session WHERE user_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?`,
		[]any{id, maxSessions - 1}, db.Value[int64])
	if err != nil || !found {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM lectern_session WHERE user_id = ? AND id <= ?`, id, last)
	return err
}

// End ends the session of a cookie, if there is one.
func (s *Service) End(ctx context.Context, cookie string) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error { return end(ctx, tx, cookie) })
}

func end(ctx context.Context, tx *db.Tx, cookie string) error {
	if cookie == "" || len(cookie) > maxCredential {
		return nil
	}
	_, err := tx.Exec(ctx, `DELETE FROM lectern_session WHERE token_hash = ?`, digest(cookie))
	return err
}

// BySession returns whose session a cookie is; [ErrNobody] when it is of none that is good.
func (s *Service) BySession(ctx context.Context, cookie string) (Principal, error) {
	if cookie == "" || len(cookie) > maxCredential {
		return Principal{}, ErrNobody
	}
	return s.byDigest(ctx, digest(cookie))
}

// sessionRow is what is read of a row of lectern_session.
type sessionRow struct {
	id                  int64
	method              Method
	fingerprint         string
	created, seen, ends time.Time
}

func (s *Service) byDigest(ctx context.Context, sum string) (Principal, error) {
	var row sessionRow
	c, found, err := user.CredentialBeside(ctx, s.DB, "lectern_session", []string{"id", "method", "fingerprint", "created", "seen", "ends"},
		"token_hash = ?", []any{sum}, &row.id, &row.method, &row.fingerprint, &row.created, &row.seen, &row.ends)
	if err := orNobody(found, err); err != nil {
		return Principal{}, err
	}
	now := s.now()
	if !now.Before(row.ends) || !c.Active || fingerprint(c) != row.fingerprint {
		return Principal{}, ErrNobody
	}
	if now.Sub(row.seen) > seenEvery {
		if err := s.noteSeen(ctx, row.id); err != nil {
			return Principal{}, err
		}
	}
	return Principal{User: c.User, Session: sum, Method: row.method, Since: row.created}, nil
}

func (s *Service) noteSeen(ctx context.Context, id int64) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE lectern_session SET seen = ? WHERE id = ?`, tx.Now(), id)
		return err
	})
}

// EndAll ends all sessions, tokens and links of a user. Whoever changes a password or disables a user calls it in the same
// transaction. keep is the digest of a session that stays, "" for none.
func EndAll(ctx context.Context, tx *db.Tx, id user.ID, keep string) error {
	for _, sql := range []string{
		`DELETE FROM lectern_session WHERE user_id = ? AND token_hash <> ?`,
		`DELETE FROM lectern_signinlink WHERE user_id = ? AND token_hash <> ?`,
	} {
		if _, err := tx.Exec(ctx, sql, id, keep); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `UPDATE lectern_token SET revoked = ? WHERE user_id = ? AND revoked IS NULL`, tx.Now(), id)
	return err
}
