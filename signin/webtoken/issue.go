package webtoken

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/openlectern/lectern/signin/keyring"
	"github.com/openlectern/lectern/user"
)

// Life is how long a token of ours is good, as the platform's cookies are.
const Life = time.Hour

// DefaultAudience is the audience of tokens of ours.
const DefaultAudience = "lectern"

// Claims are what a token of ours says. The names are the platform's: clients read exp, user_id, preferred_username, email,
// name, administrator and roles (stock-clients.md §2), services the rest.
type Claims struct {
	jwt.RegisteredClaims
	UserID        user.ID  `json:"user_id"`
	Username      string   `json:"preferred_username"`
	Email         string   `json:"email"`
	EmailVerified bool     `json:"email_verified"` // that the user is active, as the platform says it
	Name          string   `json:"name"`
	GivenName     string   `json:"given_name"`
	FamilyName    string   `json:"family_name"`
	Administrator bool     `json:"administrator"`
	Superuser     bool     `json:"superuser"`
	Roles         []string `json:"roles"`
	Scopes        []string `json:"scopes"`
	Filters       []string `json:"filters"`
	Restricted    bool     `json:"is_restricted"`
	GrantType     string   `json:"grant_type"`
	Version       string   `json:"version"`
	Session       string   `json:"sid"` // digest of the session's cookie
}

// claimsVersion is the platform's version of the set of claims.
const claimsVersion = "1.2.0"

// Issuer issues tokens and checks its own. It is safe for concurrent use.
type Issuer struct {
	Ring     *keyring.Ring
	Name     string           // the claim iss: the public URL
	Audience string           // the claim aud, "" means DefaultAudience
	Clock    func() time.Time // nil means time.Now

	checked checked
}

// Token is a token that was issued.
type Token struct {
	Text    string
	Issued  time.Time
	Expires time.Time
}

// Split returns the parts that go into the two cookies: header and payload for scripts to read, and the signature.
func (t Token) Split() (headerPayload, signature string) {
	i := strings.LastIndexByte(t.Text, '.')
	return t.Text[:i], t.Text[i+1:]
}

// Issue returns a token for a person and a session.
func (i *Issuer) Issue(u user.User, session string) (Token, error) {
	now := i.now().Truncate(time.Second)
	first, last, _ := strings.Cut(u.Name, " ")
	c := Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: i.Name, Audience: jwt.ClaimStrings{i.audience()}, Subject: strconv.FormatInt(int64(u.ID), 10),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(Life)),
		},
		UserID: u.ID, Username: u.Username, Email: u.Email, EmailVerified: u.Active, Name: u.Name, GivenName: first, FamilyName: last,
		Administrator: u.Staff, Superuser: u.Superuser, Roles: []string{}, Scopes: []string{"user_id", "email", "profile"},
		Filters: []string{}, GrantType: "password", Version: claimsVersion, Session: session,
	}
	k := i.Ring.Signing()
	t := jwt.NewWithClaims(jwt.SigningMethodRS512, c)
	t.Header["kid"] = k.ID
	text, err := t.SignedString(k.Private)
	if err != nil {
		return Token{}, fmt.Errorf("sign a token: %w", err)
	}
	return Token{text, now, now.Add(Life)}, nil
}

// Check returns the claims of a token of ours; anything else is [ErrInvalid], wrapped.
func (i *Issuer) Check(text string) (Claims, error) {
	if c, ok := i.checked.find(text); ok && i.now().Before(c.claims.ExpiresAt.Time) {
		if _, ok := i.Ring.Find(c.key); ok { // it may have been removed since
			return c.claims, nil
		}
	}
	c, key, err := i.check(text)
	if err != nil {
		return Claims{}, err
	}
	i.checked.add(text, good{c, key})
	return c, nil
}

// check checks a token's signature and claims, and returns the id of its key besides.
func (i *Issuer) check(text string) (c Claims, key string, err error) {
	p := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodRS512.Alg()}), jwt.WithIssuer(i.Name),
		jwt.WithAudience(i.audience()), jwt.WithExpirationRequired(), jwt.WithTimeFunc(i.now))
	_, err = p.ParseWithClaims(text, &c, func(t *jwt.Token) (any, error) {
		key, _ = t.Header["kid"].(string)
		k, ok := i.Ring.Find(key)
		if !ok {
			return nil, errKey
		}
		return &k.Private.PublicKey, nil
	})
	switch {
	case err != nil:
		return Claims{}, "", invalid(err)
	case c.UserID <= 0 || c.Session == "":
		return Claims{}, "", invalid(jwt.ErrTokenInvalidClaims)
	}
	return c, key, nil
}

// Keys returns the public keys with which others can check tokens of ours, as a JSON Web Key Set.
func (i *Issuer) Keys() jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range i.Ring.All() {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &k.Private.PublicKey, KeyID: k.ID, Algorithm: string(jose.RS512), Use: "sig"})
	}
	return set
}

func (i *Issuer) audience() string {
	if i.Audience == "" {
		return DefaultAudience
	}
	return i.Audience
}

func (i *Issuer) now() time.Time {
	if i.Clock == nil {
		return time.Now()
	}
	return i.Clock()
}
