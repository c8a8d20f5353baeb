package webtoken

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// ErrInvalid is the error of a token that is not good, whatever the reason.
var ErrInvalid = errors.New("the token is not good")

var errKey = errors.New("no key that it could be signed with")

func invalid(err error) error { return fmt.Errorf("%w: %w", ErrInvalid, err) }

// Keys finds public keys of another issuer.
type Keys interface {
	// Find returns the keys with that id, or all of them when there is none such or id is "". It may ask a server. The
	// error is fault.Unavailable when no keys could be got.
	Find(ctx context.Context, id string) ([]crypto.PublicKey, error)
}

// Other accepts the tokens of another issuer. Issuer and Audience must be set: without them a token that was made for some
// other service would sign somebody in. It is safe for concurrent use.
type Other struct {
	Issuer   string
	Audience string
	Keys     Keys             // public keys, nil for none
	Secret   []byte           // of HS256, nil for none
	Clock    func() time.Time // nil means time.Now
}

// otherClaims are what is read of a token of another issuer.
type otherClaims struct {
	jwt.RegisteredClaims
	Username   string `json:"preferred_username"`
	Restricted bool   `json:"is_restricted"`
}

// publicMethods are the algorithms of public keys.
var publicMethods = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Check returns the user name that a token is for. A token that is not good is [ErrInvalid], wrapped: of another issuer or
// audience, or without them or an end, expired, signed by another key or by an algorithm that the key is not for. So is one
// of an application that the platform restricts to certain calls, as those are not told apart here.
func (o *Other) Check(ctx context.Context, text string) (username string, err error) {
	if o.Issuer == "" || o.Audience == "" {
		return "", invalid(errors.New("no issuer or audience is configured"))
	}
	var methods []string
	if o.Keys != nil {
		methods = append(methods, publicMethods...)
	}
	if len(o.Secret) > 0 {
		methods = append(methods, jwt.SigningMethodHS256.Alg())
	}
	var c otherClaims
	var unavailable error
	p := jwt.NewParser(jwt.WithValidMethods(methods), jwt.WithIssuer(o.Issuer), jwt.WithAudience(o.Audience),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(o.now))
	_, err = p.ParseWithClaims(text, &c, func(t *jwt.Token) (any, error) {
		if t.Method.Alg() == jwt.SigningMethodHS256.Alg() {
			return o.Secret, nil
		}
		id, _ := t.Header["kid"].(string)
		found, err := o.Keys.Find(ctx, id)
		if err != nil {
			unavailable = err
			return nil, err
		}
		return fitting(t.Method, found)
	})
	switch {
	case unavailable != nil:
		return "", unavailable
	case err != nil:
		return "", invalid(err)
	case c.Restricted:
		return "", invalid(errors.New("it is of a restricted application"))
	case c.Username == "":
		return "", invalid(errors.New("it names no user"))
	}
	return c.Username, nil
}

// fitting returns those of keys that a method is for.
func fitting(m jwt.SigningMethod, keys []crypto.PublicKey) (jwt.VerificationKeySet, error) {
	var set jwt.VerificationKeySet
	for _, k := range keys {
		ok := false
		switch m.(type) {
		case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
			_, ok = k.(*rsa.PublicKey)
		case *jwt.SigningMethodECDSA:
			_, ok = k.(*ecdsa.PublicKey)
		case *jwt.SigningMethodEd25519:
			_, ok = k.(ed25519.PublicKey)
		}
		if ok {
			set.Keys = append(set.Keys, k)
		}
	}
	if len(set.Keys) == 0 {
		return set, errKey
	}
	return set, nil
}

func (o *Other) now() time.Time {
	if o.Clock == nil {
		return time.Now()
	}
	return o.Clock()
}

// Set is public keys by id: a JSON Web Key Set that was read.
type Set []jose.JSONWebKey

// ParseSet reads a JSON Web Key Set. Keys that are not public ones for signatures are left out; it is an error when none is left.
func ParseSet(text []byte) (Set, error) {
	var all jose.JSONWebKeySet
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("not a set of keys: %w", err)
	}
	var s Set
	for _, k := range all.Keys {
		if _, symmetric := k.Key.([]byte); symmetric || !k.Valid() || k.Use == "enc" {
			continue
		}
		if !k.IsPublic() {
			k = k.Public() // what is private is nobody's business here
		}
		if weak(k.Key) {
			continue
		}
		s = append(s, k)
	}
	if len(s) == 0 {
		return nil, errors.New("the set has no public key")
	}
	return s, nil
}

// weak reports whether a key is an RSA key that can be broken.
func weak(k any) bool {
	r, ok := k.(*rsa.PublicKey)
	return ok && r.N.BitLen() < 2048
}

// Find implements [Keys].
func (s Set) Find(_ context.Context, id string) ([]crypto.PublicKey, error) {
	var named, all []crypto.PublicKey
	for _, k := range s {
		all = append(all, k.Key)
		if id != "" && k.KeyID == id {
			named = append(named, k.Key)
		}
	}
	if len(named) > 0 {
		return named, nil
	}
	return all, nil
}

// Has reports whether a key of that id is in the set.
func (s Set) Has(id string) bool {
	for _, k := range s {
		if k.KeyID == id {
			return true
		}
	}
	return false
}
