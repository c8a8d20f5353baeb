package signin

import (
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/api"
)

// Paths besides those that package api knows, as clients are told them.
const (
	linkPath     = "/signin/once/"
	passwordPath = "/signin/password"
	oidcPath     = "/signin/oidc"
	// CallbackPath is where an identity provider sends browsers back to.
	CallbackPath = oidcPath + "/callback"
	keysPath     = "/.well-known/jwks.json"
)

const tag = "sign-in"

// maxForm is the size of the greatest form that people can send, with names and passwords of their greatest length.
const maxForm = 64 << 10

// Routes puts the addresses of sign-in into the router. They are open to all: each looks at what it is shown itself.
func (h *Handlers) Routes(rt *api.Router) {
	html := func(id, summary string, statuses ...int) *huma.Operation {
		o := &huma.Operation{OperationID: id, Tags: []string{tag}, Summary: summary, Responses: map[string]*huma.Response{}}
		for _, status := range statuses {
			a := &huma.Response{Description: http.StatusText(status)}
			if status != http.StatusFound && status != http.StatusNoContent {
				a.Content = map[string]*huma.MediaType{"text/html": {Schema: &huma.Schema{Type: huma.TypeString}}}
			}
			o.Responses[strconv.Itoa(status)] = a
		}
		return o
	}
	add := func(method, path string, handler http.HandlerFunc, o *huma.Operation, change ...func(*api.Route)) {
		r := api.Route{Method: method, Path: path, Access: api.Open, Handler: handler, Operation: o, MaxBody: maxForm}
		for _, c := range change {
			c(&r)
		}
		rt.Handle(r)
	}
	add(http.MethodGet, api.LoginPath, h.loginPage, asked(html("login-page", "The page to sign in on", 200, 302), "next"))
	add(http.MethodPost, api.LoginPath, h.login, sent(html("login", "Sign in with a password", 302, 400, 403, 413, 429, 503), csrfField, "username", "password", "next"))
	add(http.MethodGet, api.LogoutPath, h.logout, asked(html("logout-get", "Sign out, as the stock clients do it", 302), "redirect_url", "next"))
	add(http.MethodPost, api.LogoutPath, h.logout, html("logout", "Sign out", 302))
	add(http.MethodPost, api.RefreshPath, h.refresh, &huma.Operation{
		OperationID: "login-refresh", Tags: []string{tag}, Summary: "New cookies of a web token for who has a session",
		Responses: rt.Answers(api.Answer{Status: http.StatusOK, Text: "Both cookies are set.", Body: refreshed{}},
			api.Answer{Status: http.StatusUnauthorized, Text: "Nobody is signed in.", Body: &api.Problem{}}),
	})
	add(http.MethodGet, api.TokenPath, h.token, &huma.Operation{
		OperationID: "csrf-token", Tags: []string{tag}, Summary: "The token to send as X-CSRFToken with unsafe requests",
		Responses: rt.Answers(api.Answer{Status: http.StatusOK, Text: "The cookie csrftoken is set, too.", Body: csrfToken{}}),
	})
	once := html("sign-in-once", "An address that signs in once", 204, 302, 403)
	once.Parameters = []*huma.Param{{Name: "token", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}}
	add(http.MethodGet, linkPath+"{token}", h.once, once, func(r *api.Route) { r.Secret = true })
	add(http.MethodGet, passwordPath, h.passwordPage, asked(html("password-page", "The page to set a password on", 200, 302), "next"))
	add(http.MethodPost, passwordPath, h.setPassword, sent(html("password", "Set a password", 302, 400, 403, 413, 429, 503),
		csrfField, "current_password", "new_password", "new_password_again", "next"))
	add(http.MethodGet, keysPath, h.keys, &huma.Operation{
		OperationID: "keys", Tags: []string{tag}, Summary: "The public keys of web tokens, as a JSON Web Key Set",
		Responses: rt.Answers(api.Answer{Status: http.StatusOK, Text: "All keys that are accepted.", Body: map[string]any{}}),
	}, func(r *api.Route) { r.Early = true })
	if h.c.Provider != nil {
		add(http.MethodGet, oidcPath, h.leave, asked(html("oidc", "Sign in with the identity provider", 302, 503), "next"))
		add(http.MethodGet, CallbackPath, h.back, asked(html("oidc-callback", "Back from the identity provider", 302, 403, 503), "code", "state", "error", "iss"))
	}
}

// keys answers with the public keys.
func (h *Handlers) keys(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=300")
	api.WriteJSON(w, r, http.StatusOK, h.c.Service.Issuer.Keys())
}

// asked adds parameters of the query to an operation.
func asked(o *huma.Operation, names ...string) *huma.Operation {
	for _, name := range names {
		o.Parameters = append(o.Parameters, &huma.Param{Name: name, In: "query", Schema: &huma.Schema{Type: huma.TypeString}})
	}
	return o
}

// sent adds fields of a form to an operation.
func sent(o *huma.Operation, names ...string) *huma.Operation {
	s := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}}
	for _, name := range names {
		s.Properties[name] = &huma.Schema{Type: huma.TypeString}
	}
	o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/x-www-form-urlencoded": {Schema: s}}}
	return o
}
