package signin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/openlectern/lectern/api"
	who "github.com/openlectern/lectern/signin"
	"github.com/openlectern/lectern/signin/oidc"
)

// Config says how to sign people in.
type Config struct {
	Service *who.Service
	Public  *url.URL // where browsers find the server: scheme and host
	Origins []string // of clients on other hosts that may call with cookies, and be gone back to

	Provider     *oidc.Provider // an identity provider, nil for none
	ProviderName string         // on the button, "" means "single sign-on"
	CreateUsers  bool           // whether the provider's people become users
}

// Handlers are the middleware and the routes. They are safe for concurrent use.
type Handlers struct {
	c       Config
	secure  bool // of cookies
	origins map[string]bool
	cross   *http.CrossOriginProtection
	policy  string // Content-Security-Policy of the pages
}

// New makes the handlers. Origins that do not parse are Usage.
func New(c Config) (*Handlers, error) {
	if c.ProviderName == "" {
		c.ProviderName = "single sign-on"
	}
	h := &Handlers{c: c, secure: c.Public.Scheme == "https", origins: map[string]bool{}, cross: http.NewCrossOriginProtection()}
	all := same(c.Public)
	for _, text := range c.Origins {
		u, err := api.ParseOrigin("--allow-origin", text)
		if err != nil {
			return nil, err
		}
		all = append(all, u.Scheme+"://"+u.Host)
	}
	for _, o := range all {
		h.origins[o] = true
		if err := h.cross.AddTrustedOrigin(o); err != nil {
			return nil, err
		}
	}
	// Browsers look at form-action also where the answer to a form redirects. Addresses of IPv6 have no place there.
	named := slices.DeleteFunc(slices.Clone(all), func(o string) bool { return strings.Contains(o, "[") })
	h.policy = strings.Replace(api.PagePolicy, "form-action 'self'", strings.TrimSpace("form-action 'self' "+strings.Join(named, " ")), 1)
	return h, nil
}

// same returns the origins that are the server itself: on a person's own machine all names of it, as people type one or another.
func same(u *url.URL) []string {
	all := []string{u.Scheme + "://" + u.Host}
	switch u.Hostname() {
	case "localhost", "127.0.0.1", "::1":
		for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
			if host == u.Hostname() {
				continue
			}
			if port := u.Port(); port != "" {
				host = net.JoinHostPort(host, port)
			} else if host == "::1" {
				host = "[::1]"
			}
			all = append(all, u.Scheme+"://"+host)
		}
	}
	return all
}

// found is what a request was recognised as.
type found struct {
	who.Principal
	cookie bool // by what a browser sends by itself
}

type foundKey struct{}

// Principal returns who sends the request that a context belongs to; ok is false for nobody.
func Principal(ctx context.Context) (p who.Principal, ok bool) {
	f, ok := ctx.Value(foundKey{}).(found)
	return f.Principal, ok
}

// Person implements [api.Auth].
func (h *Handlers) Person(ctx context.Context) (api.Person, bool) {
	p, ok := Principal(ctx)
	return api.Person{ID: int64(p.ID), Username: p.Username, Staff: p.Staff, Superuser: p.Superuser}, ok
}

// Authenticate implements [api.Auth]. A header with a token that is not good is 401; cookies that are not good are nobody's,
// as browsers keep them longer than they are worth something.
func (h *Handlers) Authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := h.recognise(r)
		switch {
		case err == nil:
			r = r.WithContext(context.WithValue(r.Context(), foundKey{}, f))
		case errors.Is(err, errHeader):
			unauthorized(w, r, "The token is not good, or no longer.")
			return
		case !who.IsRefused(err):
			api.WriteError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

var errHeader = errors.New("the token in the header is not good")

// recognise returns who sends a request; ErrNobody for nobody.
func (h *Handlers) recognise(r *http.Request) (f found, err error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "JWT") || strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(token)
		if strings.HasPrefix(token, who.TokenPrefix) {
			f.Principal, err = h.c.Service.ByToken(r.Context(), token)
		} else {
			f.Principal, err = h.c.Service.ByWebToken(r.Context(), token)
		}
		if who.IsRefused(err) {
			err = errHeader
		}
		return f, err
	}
	f.cookie = true
	if strings.EqualFold(r.Header.Get("USE-JWT-COOKIE"), "true") {
		front, back := cookie(r, api.JWTCookie), cookie(r, signatureCookie)
		if front != "" && back != "" {
			f.Principal, err = h.c.Service.ByWebToken(r.Context(), front+"."+back)
			if err == nil || !who.IsRefused(err) {
				return f, err
			}
		}
	}
	f.Principal, err = h.c.Service.BySession(r.Context(), cookie(r, sessionCookie))
	return f, err
}

// unauthorized answers as the platform does (authz.md §11).
func unauthorized(w http.ResponseWriter, r *http.Request, detail string) {
	w.Header().Set("WWW-Authenticate", `JWT realm="api"`)
	api.WriteError(w, r, api.Problemf(http.StatusUnauthorized, "%s", detail))
}
