// Package oidc signs people in by an identity provider that speaks OpenID Connect: the code flow with PKCE, state and nonce.
//
// The provider's addresses and keys are asked for at the first use, so a server starts while the provider is down. What has
// to be remembered between leaving for the provider and coming back is a [Flow], which the caller seals into a cookie of
// that browser: nobody else can finish it.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/signin"
)

// Config says which provider, and who we are there.
type Config struct {
	Issuer       string // as in the provider's discovery document
	ClientID     string
	ClientSecret string // "" for a client without one
	Redirect     string // absolute address of the callback, as registered with the provider
	// Client does the requests to the provider; nil means one that gives up after ten seconds.
	Client *http.Client
}

// FlowLife is how long somebody may take at the provider.
const FlowLife = 10 * time.Minute

// Flow is one attempt to sign in.
type Flow struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Next     string    `json:"x"`
	Ends     time.Time `json:"e"`
}

// Provider is an identity provider. It is safe for concurrent use.
type Provider struct {
	c Config

	mu    sync.Mutex
	found *oidc.Provider // guarded by mu: nil until the discovery document was read
}

// New returns a provider. A configuration that lacks something is Usage.
func New(c Config) (*Provider, error) {
	u, err := url.Parse(c.Issuer)
	local := err == nil && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1")
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !local):
		return nil, fault.Errorf(fault.Usage, "--oidc-issuer", "%q is no https address", c.Issuer).WithNext("write the issuer as in the provider's /.well-known/openid-configuration")
	case c.ClientID == "":
		return nil, fault.Errorf(fault.Usage, "--oidc-client", "the client's id is missing").WithNext("register this server with the provider, and give the id that it got")
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 10 * time.Second}
	}
	return &Provider{c: c}, nil
}

// provider reads the discovery document once.
func (p *Provider) provider(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	// The provider keeps the context for later look-ups of keys, so it must not end with this request.
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.c.Client), p.c.Issuer)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "identity provider", "it does not answer: %w", err)
	}
	p.found = found
	return found, nil
}

func (p *Provider) config(found *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.c.ClientID, ClientSecret: p.c.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: p.c.Redirect,
		Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}
}

// Begin returns where to send the browser, and what to remember. next is where it shall be in the end.
func (p *Provider) Begin(ctx context.Context, next string) (to string, f Flow, err error) {
	found, err := p.provider(ctx)
	if err != nil {
		return "", f, err
	}
	f = Flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: next, Ends: time.Now().Add(FlowLife)}
	return p.config(found).AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), f, nil
}

// Finish returns whom the provider has recognised, of the query with which the browser comes back. Whatever does not fit the
// flow is [signin.ErrRefused], wrapped: another state or nonce, a token for others, a code that is not good, or a person who
// has turned back.
func (p *Provider) Finish(ctx context.Context, f Flow, query url.Values) (i signin.Identity, err error) {
	refuse := func(format string, args ...any) (signin.Identity, error) {
		return signin.Identity{}, fmt.Errorf("%w: "+format, append([]any{signin.ErrRefused}, args...)...)
	}
	switch {
	case f.State == "" || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(f.State)) != 1:
		return refuse("the state is another")
	case time.Now().After(f.Ends):
		return refuse("it took too long")
	case query.Get("iss") != "" && query.Get("iss") != p.c.Issuer:
		return refuse("the answer is of another issuer")
	case query.Get("error") != "":
		return refuse("the provider says %q", query.Get("error"))
	}
	found, err := p.provider(ctx)
	if err != nil {
		return i, err
	}
	ctx = oidc.ClientContext(ctx, p.c.Client)
	answer, err := p.config(found).Exchange(ctx, query.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return refuse("the code: %w", err)
	}
	raw, ok := answer.Extra("id_token").(string)
	if !ok {
		return refuse("the provider gave no ID token")
	}
	token, err := found.Verifier(&oidc.Config{ClientID: p.c.ClientID}).Verify(ctx, raw)
	if err != nil {
		return refuse("the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(f.Nonce)) != 1 {
		return refuse("the nonce is another")
	}
	var c struct {
		Username string `json:"preferred_username"`
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
		Name     string `json:"name"`
	}
	if err := token.Claims(&c); err != nil {
		return refuse("the claims: %w", err)
	}
	return signin.Identity{Issuer: token.Issuer, Subject: token.Subject, Username: c.Username, Email: c.Email, Verified: c.Verified, Name: c.Name}, nil
}
