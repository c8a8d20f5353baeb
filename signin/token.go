package signin

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/signin/webtoken"
	"github.com/openlectern/lectern/user"
)

// Token is the token of a program, without its text.
type Token struct {
	ID      int64      `json:"id"`
	Name    string     `json:"name"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires"`
	Used    *time.Time `json:"used"` // up to ten minutes stale
	Revoked *time.Time `json:"revoked"`
}

// maxTokenName is the length of the column.
const maxTokenName = 150

// NewToken makes a token with which programs act as a user, and returns its text, which nobody can read again. life is how
// long it is good, 0 for as long as it is not revoked. A disabled user is fault.Refused.
func NewToken(ctx context.Context, tx *db.Tx, id user.ID, name string, life time.Duration) (text string, t Token, err error) {
	if utf8.RuneCountInString(name) > maxTokenName || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return "", t, fault.Errorf(fault.Usage, name, "the name of a token has at most %d characters", maxTokenName)
	}
	if life < 0 {
		return "", t, fault.Errorf(fault.Usage, life.String(), "a token cannot have expired before it is made")
	}
	c, found, err := user.CredentialByID(ctx, tx, id)
	if err != nil {
		return "", t, err
	}
	if !found || !c.Active {
		return "", t, fault.Errorf(fault.Refused, c.Username, "the user is disabled").WithNext("lectern user enable " + c.Username)
	}
	text = TokenPrefix + secretText()
	t = Token{Name: name, Created: tx.Now()}
	if life > 0 {
		ends := tx.Now().Add(life)
		t.Expires = &ends
	}
	ids, err := tx.InsertIDs(ctx, "lectern_token", []string{"token_hash", "user_id", "name", "fingerprint", "created", "expires", "used", "revoked"}, 1,
		func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4], v[6], v[7] = digest(text), id, name, fingerprint(c), t.Created, nil, nil
			v[5] = nil
			if t.Expires != nil {
				v[5] = *t.Expires
			}
		})
	if err != nil {
		return "", t, err
	}
	t.ID = ids[0]
	return text, t, nil
}

// Tokens returns the tokens of a user, oldest first.
func Tokens(ctx context.Context, q db.Querier, id user.ID) ([]Token, error) {
	return db.All(ctx, q, `SELECT id, name, created, expires, used, revoked FROM lectern_token WHERE user_id = ? ORDER BY id`, []any{id},
		func(r *db.Row) (t Token, err error) {
			var expires, used, revoked sql.Null[time.Time]
			err = r.Scan(&t.ID, &t.Name, &t.Created, &expires, &used, &revoked)
			t.Expires, t.Used, t.Revoked = optional(expires), optional(used), optional(revoked)
			return t, err
		})
}

func optional(t sql.Null[time.Time]) *time.Time {
	if !t.Valid {
		return nil
	}
	return &t.V
}

// Revoke ends a token of a user; NotFound when the user has none of that id. One that is revoked already stays so.
func Revoke(ctx context.Context, tx *db.Tx, of user.ID, id int64) error {
	_, found, err := db.One(ctx, tx, `SELECT id FROM lectern_token WHERE id = ? AND user_id = ?`, []any{id, of}, db.Value[int64])
	if err != nil {
		return err
	}
	if !found {
		return fault.Errorf(fault.NotFound, fmt.Sprintf("token %d", id), "the user has no such token")
	}
	_, err = tx.Exec(ctx, `UPDATE lectern_token SET revoked = ? WHERE id = ? AND revoked IS NULL`, tx.Now(), id)
	return err
}

// ByToken returns as whom a program acts that shows a token; [ErrNobody] when the token is not good.
func (s *Service) ByToken(ctx context.Context, text string) (Principal, error) {
	if !strings.HasPrefix(text, TokenPrefix) || len(text) > maxCredential {
		return Principal{}, ErrNobody
	}
	var o struct {
		id                     int64
		fingerprint            string
		expires, used, revoked sql.Null[time.Time]
	}
	c, found, err := user.CredentialBeside(ctx, s.DB, "lectern_token", []string{"id", "fingerprint", "expires", "used", "revoked"},
		"token_hash = ?", []any{digest(text)}, &o.id, &o.fingerprint, &o.expires, &o.used, &o.revoked)
	if err := orNobody(found, err); err != nil {
		return Principal{}, err
	}
	now := s.now()
	if o.revoked.Valid || o.expires.Valid && !now.Before(o.expires.V) || !c.Active || fingerprint(c) != o.fingerprint {
		return Principal{}, ErrNobody
	}
	if !o.used.Valid || now.Sub(o.used.V) > seenEvery {
		err := s.DB.Update(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE lectern_token SET used = ? WHERE id = ?`, tx.Now(), o.id)
			return err
		})
		if err != nil {
			return Principal{}, err
		}
	}
	return Principal{User: c.User}, nil
}

// ByWebToken returns whom a JSON Web Token is of: one of ours whose session is good, or one of the system beside us whose
// user is here and not disabled. Else it is [ErrNobody].
func (s *Service) ByWebToken(ctx context.Context, text string) (Principal, error) {
	claims, err := s.Issuer.Check(text)
	if err == nil {
		p, err := s.byDigest(ctx, claims.Session)
		if err == nil && p.ID != claims.UserID {
			err = ErrNobody
		}
		if err != nil {
			return Principal{}, err
		}
		return p, nil
	}
	if s.Other == nil {
		return Principal{}, ErrNobody
	}
	name, err := s.Other.Check(ctx, text)
	if err != nil {
		if isInvalid(err) {
			err = ErrNobody
		}
		return Principal{}, err
	}
	u, err := user.ByName(ctx, s.DB, name)
	if fault.Is(err, fault.NotFound) || err == nil && !u.Active {
		err = ErrNobody
	}
	if err != nil {
		return Principal{}, err
	}
	return Principal{User: u}, nil
}

// Issue returns a web token of ours for somebody with a session; without one it is [ErrNobody].
func (s *Service) Issue(p Principal) (webtoken.Token, error) {
	if p.Session == "" {
		return webtoken.Token{}, ErrNobody
	}
	return s.Issuer.Issue(p.User, p.Session)
}
