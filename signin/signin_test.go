package signin

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/signin/keyring"
	"github.com/openlectern/lectern/signin/password"
	"github.com/openlectern/lectern/user"
)

const (
	rounds = 1000 // quick
	good   = "correct horse"
)

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

// fixture is a service on a database with users.
type fixture struct {
	*Service
	jo, gone, none user.User // with a password, disabled, and without a password
}

// each runs fn on every engine.
func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) { fn(t, newFixture(t, d)) })
}

func newFixture(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	ring, err := keyring.Open(filepath.Join(t.TempDir(), keyring.FileName))
	if err != nil {
		t.Fatal(err)
	}
	s := New(d, ring, "https://lectern.example.org")
	s.Rounds = rounds
	f := &fixture{Service: s}
	encoded, err := Hash(good, user.User{}, rounds)
	if err != nil {
		t.Fatal(err)
	}
	f.update(t, func(tx *db.Tx) error {
		for _, u := range []struct {
			name string
			to   *user.User
		}{{"jo", &f.jo}, {"gone", &f.gone}, {"none", &f.none}} {
			made, err := user.Create(t.Context(), tx, user.New{Username: u.name, Email: u.name + "@example.org"})
			if err != nil {
				return err
			}
			*u.to = made
			if u.name == "none" {
				continue
			}
			if err := user.SetPassword(t.Context(), tx, made.ID, encoded); err != nil {
				return err
			}
		}
		return user.SetActive(t.Context(), tx, f.gone.ID, false)
	})
	return f
}

func (f *fixture) update(t *testing.T, fn func(tx *db.Tx) error) {
	t.Helper()
	if err := f.DB.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) signIn(t *testing.T) Session {
	t.Helper()
	s, err := f.SignIn(t.Context(), Attempt{Name: "jo", Password: good})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// isJo fails unless a credential is jo's.
func (f *fixture) isJo(t *testing.T, what string, p Principal, err error) {
	t.Helper()
	if err != nil || p.ID != f.jo.ID || p.Username != "jo" {
		t.Errorf("%s: %+v, %v; want jo", what, p, err)
	}
}

// isNobody fails unless a credential is nobody's.
func isNobody(t *testing.T, what string, p Principal, err error) {
	t.Helper()
	if !errors.Is(err, ErrNobody) || p != (Principal{}) {
		t.Errorf("%s: %+v, %v; want ErrNobody", what, p, err)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		first := f.signIn(t)
		p, err := f.BySession(ctx, first.Cookie)
		f.isJo(t, "the session", p, err)
		if p.Method != ByPassword || p.Session == "" || p.Session == first.Cookie || p.Since.IsZero() {
			t.Errorf("principal %+v", p)
		}
		byEmail, err := f.SignIn(ctx, Attempt{Name: "jo@example.org", Password: good, Had: first.Cookie})
		if err != nil || byEmail.Cookie == first.Cookie {
			t.Errorf("by e-mail address: %v", err)
		}
		p, err = f.BySession(ctx, first.Cookie)
		isNobody(t, "the session that the browser had before", p, err)
		for _, a := range []Attempt{
			{Name: "jo", Password: "wrong"}, {Name: "jo"}, {}, {Name: "JO", Password: good}, {Name: "jo ", Password: good},
			{Name: "gone", Password: good}, {Name: "none", Password: ""}, {Name: "none", Password: "!"}, {Name: "nobody", Password: good},
			{Name: "%", Password: good}, {Name: "j\x00o", Password: good}, {Name: "j\xffo", Password: good},
		} {
			if s, err := f.SignIn(ctx, a); !errors.Is(err, ErrRefused) || s != (Session{}) {
				t.Errorf("%+v: %+v, %v; want ErrRefused", a, s, err)
			}
		}
		for _, cookie := range []string{"", "x", p.Session, string(make([]byte, 5000))} {
			p, err := f.BySession(ctx, cookie)
			isNobody(t, "a cookie of no session", p, err)
		}
		if err := f.End(ctx, byEmail.Cookie); err != nil {
			t.Error(err)
		}
		p, err = f.BySession(ctx, byEmail.Cookie)
		isNobody(t, "after the end", p, err)
		c, _, err := user.CredentialByID(ctx, f.DB, f.jo.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, fresh, err := user.Fresh(ctx, f.DB); fresh || err != nil {
			t.Errorf("Fresh: %v, %v, with users there", fresh, err)
		}
		if h, err := password.Parse(c.Password); err != nil || !h.Current(rounds) {
			t.Error("the hash was changed without need")
		}
	})
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		old, err := password.Make("ﬁne Ａ password", 500) // by a Django that hashes what was typed
		if err != nil {
			t.Fatal(err)
		}
		f.update(t, func(tx *db.Tx) error { return user.SetPassword(ctx, tx, f.jo.ID, old) })
		before, err := f.Begin(ctx, f.jo.ID, ByPassword, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.SignIn(ctx, Attempt{Name: "jo", Password: "ﬁne Ａ password"}); err != nil {
			t.Fatal(err)
		}
		c, _, err := user.CredentialByID(ctx, f.DB, f.jo.ID)
		if err != nil {
			t.Fatal(err)
		}
		h, err := password.Parse(c.Password)
		if err != nil || !h.Current(rounds) || !h.Match("fine A password") {
			t.Errorf("the hash is %q, %v; want one of today's cost, of the normal form", c.Password, err)
		}
		p, err := f.BySession(ctx, before.Cookie)
		f.isJo(t, "a session from before the upgrade", p, err)
		if _, err := f.SignIn(ctx, Attempt{Name: "jo", Password: "fine A password"}); err != nil {
			t.Errorf("the same password typed in another way: %v", err)
		}
	})
}

func TestWhatEndsEverything(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		for name, stop := range map[string]func(tx *db.Tx) error{
			"disabled":           func(tx *db.Tx) error { return user.SetActive(ctx, tx, f.jo.ID, false) },
			"password by Django": func(tx *db.Tx) error { return user.SetPassword(ctx, tx, f.jo.ID, password.MakeUnusable()) },
			"password":           func(tx *db.Tx) error { return SetPassword(ctx, tx, f.jo.ID, password.MakeUnusable(), "") },
			"end all":            func(tx *db.Tx) error { return EndAll(ctx, tx, f.jo.ID, "") },
		} {
			f.update(t, func(tx *db.Tx) error { return user.SetActive(ctx, tx, f.jo.ID, true) })
			s, err := f.Begin(ctx, f.jo.ID, ByLink, "")
			if err != nil {
				t.Fatal(err)
			}
			var token, link string
			f.update(t, func(tx *db.Tx) (err error) {
				if token, _, err = NewToken(ctx, tx, f.jo.ID, "ci", 0); err != nil {
					return err
				}
				link, err = NewLink(ctx, tx, f.jo.ID)
				return err
			})
			p, err := f.BySession(ctx, s.Cookie)
			f.isJo(t, "session", p, err)
			web, err := f.Issue(p)
			if err != nil {
				t.Fatal(err)
			}
			p, err = f.ByWebToken(ctx, web.Text)
			f.isJo(t, "web token", p, err)
			p, err = f.ByToken(ctx, token)
			f.isJo(t, "token", p, err)
			f.update(t, stop)
			p, err = f.BySession(ctx, s.Cookie)
			isNobody(t, name+": session", p, err)
			p, err = f.ByWebToken(ctx, web.Text)
			isNobody(t, name+": web token", p, err)
			p, err = f.ByToken(ctx, token)
			isNobody(t, name+": token", p, err)
			if _, err := f.FollowLink(ctx, link, ""); !errors.Is(err, ErrNobody) {
				t.Errorf("%s: link: %v, want ErrNobody", name, err)
			}
		}
	})
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		here, other := f.signIn(t), f.signIn(t)
		p, err := f.BySession(ctx, here.Cookie)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.ChangePassword(ctx, p.User, "short", p.Session); !fault.Is(err, fault.Invalid) {
			t.Errorf("a short password: %v, want invalid", err)
		}
		if err := f.Confirm(ctx, p.ID, "wrong", netip.Addr{}); !errors.Is(err, ErrRefused) {
			t.Errorf("Confirm with another password: %v", err)
		}
		if err := f.Confirm(ctx, p.ID, good, netip.Addr{}); err != nil {
			t.Errorf("Confirm: %v", err)
		}
		if err := f.ChangePassword(ctx, p.User, "battery staple", p.Session); err != nil {
			t.Fatal(err)
		}
		p, err = f.BySession(ctx, here.Cookie)
		f.isJo(t, "the session it was changed in", p, err)
		p, err = f.BySession(ctx, other.Cookie)
		isNobody(t, "another session", p, err)
		if _, err := f.SignIn(ctx, Attempt{Name: "jo", Password: good}); !errors.Is(err, ErrRefused) {
			t.Errorf("the old password: %v", err)
		}
		if _, err := f.SignIn(ctx, Attempt{Name: "jo", Password: "battery staple"}); err != nil {
			t.Errorf("the new password: %v", err)
		}
	})
}

func TestLogoutEndsWebTokens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		s := f.signIn(t)
		p, err := f.BySession(t.Context(), s.Cookie)
		if err != nil {
			t.Fatal(err)
		}
		web, err := f.Issue(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.End(t.Context(), s.Cookie); err != nil {
			t.Fatal(err)
		}
		p, err = f.ByWebToken(t.Context(), web.Text)
		isNobody(t, "a web token of a session that has ended", p, err)
		if _, err := f.Issue(Principal{User: f.jo}); !errors.Is(err, ErrNobody) {
			t.Errorf("a web token without a session: %v", err)
		}
	})
}

func TestTokens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		var text, short string
		var a, b Token
		f.update(t, func(tx *db.Tx) (err error) {
			if text, a, err = NewToken(ctx, tx, f.jo.ID, "ci", 0); err != nil {
				return err
			}
			short, b, err = NewToken(ctx, tx, f.jo.ID, "", time.Minute)
			return err
		})
		p, err := f.ByToken(ctx, text)
		f.isJo(t, "a token", p, err)
		if p.Session != "" {
			t.Error("a token has a session")
		}
		p, err = f.ByToken(ctx, short)
		f.isJo(t, "a short token", p, err)
		f.Clock = func() time.Time { return time.Now().Add(2 * time.Minute) }
		p, err = f.ByToken(ctx, short)
		isNobody(t, "an expired token", p, err)
		for _, text := range []string{"", TokenPrefix, text[len(TokenPrefix):], text + "x", TokenPrefix + "AAAA"} {
			p, err = f.ByToken(ctx, text)
			isNobody(t, "no token", p, err)
		}
		all, err := Tokens(ctx, f.DB, f.jo.ID)
		if err != nil || len(all) != 2 || all[0].ID != a.ID || all[1].ID != b.ID || all[0].Used == nil || all[0].Expires != nil ||
			all[1].Expires == nil || all[0].Name != "ci" || all[0].Revoked != nil {
			t.Errorf("tokens %+v, %v", all, err)
		}
		f.update(t, func(tx *db.Tx) error { return Revoke(ctx, tx, f.jo.ID, a.ID) })
		p, err = f.ByToken(ctx, text)
		isNobody(t, "a revoked token", p, err)
		err = f.DB.Update(ctx, func(tx *db.Tx) error { return Revoke(ctx, tx, f.none.ID, b.ID) })
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("revoke another's token: %v, want not found", err)
		}
		err = f.DB.Update(ctx, func(tx *db.Tx) error {
			_, _, err := NewToken(ctx, tx, f.gone.ID, "", 0)
			return err
		})
		if !fault.Is(err, fault.Refused) {
			t.Errorf("a token of a disabled user: %v, want refused", err)
		}
	})
}

func TestLinks(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		link := func() (text string) {
			f.update(t, func(tx *db.Tx) (err error) {
				text, err = NewLink(ctx, tx, f.none.ID)
				return err
			})
			return text
		}
		replaced, text := link(), link()
		if _, err := f.FollowLink(ctx, replaced, ""); !errors.Is(err, ErrNobody) {
			t.Errorf("a link that was replaced: %v", err)
		}
		// Of many who follow it at once one comes in.
		var in, out atomic.Int32
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				s, err := f.FollowLink(ctx, text, "")
				switch {
				case err == nil && s.User.ID == f.none.ID:
					in.Add(1)
				case errors.Is(err, ErrNobody):
					out.Add(1)
				default:
					t.Errorf("follow: %+v, %v", s, err)
				}
			})
		}
		wg.Wait()
		if in.Load() != 1 || out.Load() != 5 {
			t.Errorf("%d came in by a link that is good once, %d were refused", in.Load(), out.Load())
		}
		late := link()
		f.update(t, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE lectern_signinlink SET ends = ? WHERE user_id = ?`, tx.Now().Add(-time.Second), f.none.ID)
			return err
		})
		for _, text := range []string{late, "", "x", digest(late)} {
			if _, err := f.FollowLink(ctx, text, ""); !errors.Is(err, ErrNobody) {
				t.Errorf("link %q: %v, want ErrNobody", text, err)
			}
		}
	})
}

func TestFirstLink(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		ring, err := keyring.Open(filepath.Join(t.TempDir(), keyring.FileName))
		if err != nil {
			t.Fatal(err)
		}
		s := New(d, ring, "http://localhost")
		// Servers that start at once make one user; the link of the last one counts.
		links := make([]string, 3)
		var wg sync.WaitGroup
		for i := range links {
			wg.Go(func() {
				err := d.Update(t.Context(), func(tx *db.Tx) (err error) {
					links[i], err = FirstLink(t.Context(), tx)
					return err
				})
				if err != nil && !fault.Is(err, fault.Conflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		users, err := user.List(t.Context(), d)
		if err != nil || len(users) != 1 || !users[0].Superuser || !users[0].Staff || users[0].Username != FirstUser {
			t.Fatalf("users %+v, %v", users, err)
		}
		n := 0
		for _, link := range links {
			if _, err := s.FollowLink(t.Context(), link, ""); err == nil {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d of the links are good, want one", n)
		}
		err = d.Update(t.Context(), func(tx *db.Tx) error {
			text, err := FirstLink(t.Context(), tx)
			if text != "" {
				t.Error("another link, although somebody has come")
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Limits = Limits{ByName: 3, ByAddress: 5, Within: time.Hour}
		try := func(name, password, from string) error {
			a := Attempt{Name: name, Password: password}
			if from != "" {
				a.From = netip.MustParseAddr(from)
			}
			_, err := f.SignIn(ctx, a)
			return err
		}
		for _, name := range []string{"jo", "nobody", "gone"} {
			for range 3 {
				if err := try(name, "wrong", ""); !errors.Is(err, ErrRefused) {
					t.Fatalf("%s: %v", name, err)
				}
			}
			wait, ok := IsLimited(try(name, good, ""))
			if !ok || wait <= 0 || wait > time.Hour {
				t.Errorf("%s after three failures: limited %v, for %v", name, ok, wait)
			}
		}
		if _, ok := IsLimited(try("jo@example.org", good, "")); !ok {
			t.Error("by e-mail address there is another count")
		}
		f.update(t, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE lectern_signinlimit SET ends = ?`, tx.Now().Add(-time.Second))
			return err
		})
		if err := try("jo", good, "192.0.2.1"); err != nil {
			t.Errorf("after the time: %v", err)
		}
		// Successes neither count for an address nor clear it.
		for i := range 4 {
			if err := try("stranger"+string(rune('a'+i)), "wrong", "192.0.2.1"); !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			if err := try("jo", good, "192.0.2.1"); err != nil {
				t.Fatalf("success %d: %v", i, err)
			}
		}
		if err := try("stranger", "wrong", "::ffff:192.0.2.1"); !errors.Is(err, ErrRefused) {
			t.Fatal(err)
		}
		if _, ok := IsLimited(try("jo", good, "192.0.2.1")); !ok {
			t.Error("an address is not limited")
		}
		if err := try("jo", good, "192.0.2.2"); err != nil {
			t.Errorf("another address: %v", err)
		}
		for i := range 5 {
			if err := try("other"+string(rune('a'+i)), "wrong", "2001:db8::"+string(rune('1'+i))); !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
		}
		if _, ok := IsLimited(try("jo", good, "2001:db8::ffff")); !ok {
			t.Error("addresses of one IPv6 network count each for itself")
		}
	})
}

func TestLimitSideBySide(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		f.Limits = Limits{ByName: 3, ByAddress: 100, Within: time.Hour}
		var refused, limited atomic.Int32
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				_, err := f.SignIn(t.Context(), Attempt{Name: "jo", Password: "wrong", From: netip.MustParseAddr("192.0.2.1")})
				if _, ok := IsLimited(err); ok {
					limited.Add(1)
				} else if errors.Is(err, ErrRefused) {
					refused.Add(1)
				} else {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if refused.Load() != 3 || limited.Load() != 9 {
			t.Errorf("%d passwords were tried, %d not; want 3 and 9", refused.Load(), limited.Load())
		}
	})
}

func TestSweep(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		kept := f.signIn(t)
		for range 3 {
			if _, err := f.Begin(ctx, f.none.ID, ByLink, ""); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.SignIn(ctx, Attempt{Name: "none", Password: "x", From: netip.MustParseAddr("192.0.2.1")}); !errors.Is(err, ErrRefused) {
			t.Fatal(err)
		}
		f.update(t, func(tx *db.Tx) error {
			if _, err := NewLink(ctx, tx, f.none.ID); err != nil {
				return err
			}
			for range 3 {
				if _, _, err := NewToken(ctx, tx, f.none.ID, "", time.Hour); err != nil {
					return err
				}
			}
			long := tx.Now().Add(-keepTokens)
			for sql, arg := range map[string]time.Time{
				`UPDATE lectern_session SET ends = ? WHERE method = 'link'`: tx.Now(), `UPDATE lectern_signinlink SET ends = ?`: tx.Now(),
				`UPDATE lectern_signinlimit SET ends = ?`: tx.Now(),
			} {
				if _, err := tx.Exec(ctx, sql, arg); err != nil {
					return err
				}
			}
			all, err := Tokens(ctx, tx, f.none.ID)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `UPDATE lectern_token SET expires = ? WHERE id = ?`, long, all[0].ID); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `UPDATE lectern_token SET revoked = ? WHERE id = ?`, long, all[1].ID)
			return err
		})
		gone, err := f.Sweep(ctx)
		if err != nil || gone != 3+1+2+2 {
			t.Errorf("swept %d rows, %v; want 8", gone, err)
		}
		if gone, err := f.Sweep(ctx); err != nil || gone != 0 {
			t.Errorf("swept %d rows more, %v", gone, err)
		}
		p, err := f.BySession(ctx, kept.Cookie)
		f.isJo(t, "a session that has not ended", p, err)
	})
}

func TestCrowd(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dbtest.Ready(t, db.SQLite, tables))
	first, err := f.Begin(t.Context(), f.jo.ID, ByLink, "")
	if err != nil {
		t.Fatal(err)
	}
	for range maxSessions {
		if _, err := f.Begin(t.Context(), f.jo.ID, ByLink, ""); err != nil {
			t.Fatal(err)
		}
	}
	n, _, err := db.One(t.Context(), f.DB, `SELECT COUNT(*) FROM lectern_session`, nil, db.Value[int])
	if err != nil || n != maxSessions {
		t.Errorf("%d sessions, %v; want %d", n, err, maxSessions)
	}
	p, err := f.BySession(t.Context(), first.Cookie)
	isNobody(t, "the oldest session", p, err)
}

func TestSessionExpires(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		s := f.signIn(t)
		f.Clock = func() time.Time { return time.Now().Add(SessionLife - time.Minute) }
		p, err := f.BySession(t.Context(), s.Cookie)
		f.isJo(t, "a minute before the end", p, err)
		f.Clock = func() time.Time { return s.Ends }
		p, err = f.BySession(t.Context(), s.Cookie)
		isNobody(t, "at the end", p, err)
	})
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		jo := Identity{Issuer: "https://id.example.org", Subject: "1", Username: "whoever", Email: "jo@example.org", Verified: true, Name: "Jo"}
		unverified := jo
		unverified.Verified = false
		stranger := Identity{Issuer: jo.Issuer, Subject: "2", Username: "new", Email: "new@example.org", Verified: true, Name: "New One"}
		gone := Identity{Issuer: jo.Issuer, Subject: "3", Username: "gone", Email: "gone@example.org", Verified: true}
		for name, i := range map[string]Identity{"unverified": unverified, "stranger": stranger, "disabled": gone, "nothing": {}} {
			if _, err := f.ByIdentity(ctx, i, false, ""); !errors.Is(err, ErrRefused) {
				t.Errorf("%s: %v, want ErrRefused", name, err)
			}
		}
		if s, err := f.ByIdentity(ctx, jo, false, ""); err != nil || s.User.ID != f.jo.ID {
			t.Errorf("by address: %+v, %v", s, err)
		}
		jo.Email, jo.Verified = "moved@example.org", false
		if s, err := f.ByIdentity(ctx, jo, true, ""); err != nil || s.User.ID != f.jo.ID {
			t.Errorf("by subject: %+v, %v", s, err)
		}
		s, err := f.ByIdentity(ctx, stranger, true, "")
		want := user.User{ID: s.User.ID, Username: "new", Email: "new@example.org", Name: "New One", Active: true}
		if diff := cmp.Diff(want, s.User); err != nil || diff != "" {
			t.Errorf("made: %v (-want +got):\n%s", err, diff)
		}
		taken := Identity{Issuer: jo.Issuer, Subject: "4", Username: "jo", Email: "other@example.org", Verified: true}
		if _, err := f.ByIdentity(ctx, taken, true, ""); !fault.Is(err, fault.Conflict) {
			t.Errorf("a name that is taken: %v, want a conflict", err)
		}
	})
}

func TestRefusalsTakeEqualTime(t *testing.T) {
	// Not beside other tests, which would take time from one and not from the other.
	f := newFixture(t, dbtest.Ready(t, db.SQLite, tables))
	f.Rounds = 100_000
	f.Limits = Limits{ByName: 1000, ByAddress: 1000, Within: time.Hour}
	scrypt := "scrypt$2$salt$1$1$" + strings.Repeat("A", 86) + "=="
	f.update(t, func(tx *db.Tx) error {
		u, err := user.Create(t.Context(), tx, user.New{Username: "cheap", Email: "cheap@example.org"})
		if err != nil {
			return err
		}
		return user.SetPassword(t.Context(), tx, u.ID, scrypt)
	})
	names := []string{"nobody", "jo", "gone", "none", "cheap"}
	best := map[string]time.Duration{}
	other := func() string { // a name whose refusal takes another time than that of an unknown one
		for _, name := range names[1:] {
			if d, unknown := best[name], best["nobody"]; d < unknown/4 || d > 4*unknown {
				return name
			}
		}
		return ""
	}
	for tries := 0; tries < 5 || tries < 50 && other() != ""; tries++ { // a busy machine takes time from some
		for _, name := range names {
			began := time.Now()
			if _, err := f.SignIn(t.Context(), Attempt{Name: name, Password: "wrong"}); !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			if d := time.Since(began); best[name] == 0 || d < best[name] {
				best[name] = d
			}
		}
	}
	if name := other(); name != "" {
		t.Errorf("%s is refused in %v, an unknown name in %v", name, best[name], best["nobody"])
	}
}

func BenchmarkBySession(b *testing.B) {
	d := dbtest.Ready(b, db.SQLite, tables)
	ring, err := keyring.Open(filepath.Join(b.TempDir(), keyring.FileName))
	if err != nil {
		b.Fatal(err)
	}
	s := New(d, ring, "https://lectern.example.org")
	var session Session
	err = d.Update(b.Context(), func(tx *db.Tx) error {
		u, err := user.Create(b.Context(), tx, user.New{Username: "jo", Email: "jo@example.org"})
		if err != nil {
			return err
		}
		c, _, err := user.CredentialByID(b.Context(), tx, u.ID)
		if err != nil {
			return err
		}
		session, err = begin(b.Context(), tx, c, ByPassword, "")
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("session", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.BySession(b.Context(), session.Cookie); err != nil {
				b.Fatal(err)
			}
		}
	})
	token, err := s.Issuer.Issue(session.User, session.digest)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("web token", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.ByWebToken(b.Context(), token.Text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
