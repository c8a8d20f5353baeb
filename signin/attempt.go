package signin

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/signin/password"
	"github.com/openlectern/lectern/user"
)

// Attempt is somebody who wants to come in.
type Attempt struct {
	Name     string // user name or e-mail address
	Password string
	From     netip.Addr // whom failures are counted for; the zero value is not counted
	Had      string     // the session's cookie that the browser has, which ends
}

// SignIn begins a session if the password is right. A hash of an older form or cost is replaced by one of today's. What is
// not right is [ErrRefused]; too many failures are a [Limited], too many attempts at once fault.Unavailable.
func (s *Service) SignIn(ctx context.Context, a Attempt) (Session, error) {
	if len(a.Name) > 4*254 || len(a.Password) > 4*password.MaxLength || !utf8.ValidString(a.Name) || strings.ContainsRune(a.Name, 0) {
		return Session{}, ErrRefused // nobody has such a name or password, which is not told by time either
	}
	c, found, err := user.CredentialByName(ctx, s.DB, a.Name)
	if err != nil {
		return Session{}, err
	}
	name := a.Name
	if found {
		name = c.Username // its e-mail address leads to the same count
	}
	slots := s.slots(name, a.From)
	if err := s.count(ctx, slots); err != nil {
		return Session{}, err
	}
	ok, upgraded, err := s.check(ctx, c.Password, a.Password, found && c.Active)
	if err != nil {
		return Session{}, err
	}
	if !ok {
		return Session{}, ErrRefused
	}
	var out Session
	err = s.DB.Update(ctx, func(tx *db.Tx) (err error) {
		as := c
		if upgraded != "" {
			if as, err = upgrade(ctx, tx, c, upgraded); err != nil {
				return err
			}
		}
		if err := forgive(ctx, tx, slots); err != nil {
			return err
		}
		out, err = begin(ctx, tx, as, ByPassword, a.Had)
		return err
	})
	return out, err
}

// Confirm reports whether plain is the password of a user who is signed in, with the same limits as SignIn.
func (s *Service) Confirm(ctx context.Context, id user.ID, plain string, from netip.Addr) error {
	c, found, err := user.CredentialByID(ctx, s.DB, id)
	if err := orNobody(found, err); err != nil {
		return err
	}
	if len(plain) > 4*password.MaxLength {
		return ErrRefused
	}
	slots := s.slots(c.Username, from)
	if err := s.count(ctx, slots); err != nil {
		return err
	}
	ok, _, err := s.check(ctx, c.Password, plain, c.Active)
	if err != nil {
		return err
	}
	if !ok {
		return ErrRefused
	}
	return s.DB.Update(ctx, func(tx *db.Tx) error { return forgive(ctx, tx, slots) })
}

// upgrade puts a new hash of the same password in place of the old one. What was begun with the old one goes on.
func upgrade(ctx context.Context, tx *db.Tx, c user.Credential, encoded string) (now user.Credential, err error) {
	done, err := user.ReplacePassword(ctx, tx, c.ID, c.Password, encoded)
	if err == nil && !done {
		err = ErrRefused // it was changed meanwhile
	}
	if err != nil {
		return now, err
	}
	now = c
	now.Password = encoded
	for _, sql := range []string{
		`UPDATE lectern_session SET fingerprint = ? WHERE user_id = ? AND fingerprint = ?`,
		`UPDATE lectern_token SET fingerprint = ? WHERE user_id = ? AND fingerprint = ?`,
		`UPDATE lectern_signinlink SET fingerprint = ? WHERE user_id = ? AND fingerprint = ?`,
	} {
		if _, err := tx.Exec(ctx, sql, fingerprint(now), c.ID, fingerprint(c)); err != nil {
			return now, err
		}
	}
	return now, nil
}

// check compares a password with a column, and makes the hash that should replace it. Whatever the outcome it takes the
// time of a hash of today's cost. known is false for users that there are none of, or that may not sign in.
func (s *Service) check(ctx context.Context, encoded, plain string, known bool) (ok bool, upgraded string, err error) {
	done, err := s.turn(ctx)
	if err != nil {
		return false, "", err
	}
	defer done()
	began := time.Now()
	h, err := password.Parse(encoded)
	if !known || err != nil {
		s.waste(plain, s.rounds(), began)
		return false, "", nil
	}
	normal := password.Normal(plain)
	ok = h.Match(normal)
	if !ok && normal != plain { // hashed by a Django without Open edX's rule
		ok = h.Match(plain)
	}
	switch {
	case !ok:
		s.waste(plain, h.Missing(s.rounds()), began)
		if !s.usual.wait(ctx, began) {
			return false, "", ctx.Err()
		}
	case !h.Current(s.rounds()):
		if upgraded, err = password.Make(normal, s.rounds()); err != nil {
			return false, "", err
		}
	}
	return ok, upgraded, nil
}

// waste takes the time of so many rounds, and notes how long a refusal takes as a whole when all are taken here.
func (s *Service) waste(plain string, rounds int, began time.Time) {
	password.Waste(plain, rounds)
	if rounds == s.rounds() {
		s.usual.note(time.Since(began))
	}
}

// turn waits for a processor to hash on. With too many waiting already the attempt fails at once.
func (s *Service) turn(ctx context.Context) (done func(), err error) {
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		return nil, errBusy
	}
	select {
	case s.hashing <- struct{}{}:
		return func() { <-s.hashing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errBusy = fault.Errorf(fault.Unavailable, "sign-in", "too many people sign in at once").WithNext("try again in a moment")

// pace is how long a refusal of an unknown name took last, in nanoseconds. Refusals that took less, since the user's hash
// is of a cheaper form, wait for the rest of it.
type pace struct{ last atomic.Int64 }

func (p *pace) note(d time.Duration) { p.last.Store(int64(d)) }

func (p *pace) wait(ctx context.Context, began time.Time) bool {
	rest := time.Duration(p.last.Load()) - time.Since(began)
	if rest <= 0 {
		return true
	}
	t := time.NewTimer(rest)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// SetPassword gives a user a new password and ends the user's sessions, tokens and links, but for the session keep. The
// password is checked by [password.Check]; hashing happens outside of tx, by [Hash].
func SetPassword(ctx context.Context, tx *db.Tx, id user.ID, encoded, keep string) error {
	if err := user.SetPassword(ctx, tx, id, encoded); err != nil {
		return err
	}
	if err := EndAll(ctx, tx, id, keep); err != nil {
		return err
	}
	c, found, err := user.CredentialByID(ctx, tx, id)
	if err != nil || !found || keep == "" {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE lectern_session SET fingerprint = ? WHERE user_id = ? AND token_hash = ?`, fingerprint(c), id, keep)
	return err
}

// Hash checks a new password of a user and returns its hash, of today's cost where rounds is 0.
func Hash(plain string, u user.User, rounds int) (string, error) {
	if err := password.Check(plain, u.Username, u.Email, u.Name); err != nil {
		return "", err
	}
	return password.Make(password.Normal(plain), rounds)
}

// ChangePassword gives a user a new password; all sessions, tokens and links of the user end but the session keep.
func (s *Service) ChangePassword(ctx context.Context, u user.User, plain, keep string) error {
	done, err := s.turn(ctx)
	if err != nil {
		return err
	}
	encoded, err := Hash(plain, u, s.Rounds)
	done()
	if err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx *db.Tx) error { return SetPassword(ctx, tx, u.ID, encoded, keep) })
}

// IsLimited returns how long to wait where an error is of too many failures.
func IsLimited(err error) (wait time.Duration, ok bool) {
	var l *Limited
	if errors.As(err, &l) {
		return l.Wait, true
	}
	return 0, false
}
