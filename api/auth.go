package api

import (
	"context"
	"net/http"
)

// Auth says who sends a request; package api/signin is the one that the program uses. It is safe for concurrent use.
type Auth interface {
	// Authenticate calls next with the person in the request's context, or without one where there are no credentials.
	// Credentials that are no good it answers itself, with 401.
	Authenticate(next http.Handler) http.Handler
	// CSRF answers 403 to unsafe requests that carry cookies as credentials without the token (authz.md §11).
	CSRF(next http.Handler) http.Handler
	// Person returns who was found; ok is false for nobody.
	Person(ctx context.Context) (p Person, ok bool)
}

// Person is what this package wants to know of who is signed in.
type Person struct {
	ID               int64
	Username         string
	Staff, Superuser bool
}

// nobody is the Auth of a server without sign-in: everybody is a stranger.
type nobody struct{}

func (nobody) Authenticate(next http.Handler) http.Handler { return next }
func (nobody) CSRF(next http.Handler) http.Handler         { return next }
func (nobody) Person(context.Context) (Person, bool)       { return Person{}, false }

// admit puts in front of next what a route asks of who comes in.
func (rt *Router) admit(route *Route, next http.Handler) http.Handler {
	switch route.Access {
	case Open:
		return next
	case Operators:
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !rt.operators.admit(r) {
				WriteError(w, r, Problemf(http.StatusForbidden, "This is for operators: ask from an allowed address, or with the token."))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	if route.Access == Anyone && rt.ready() != nil {
		return next // only an Early one gets here, and who somebody is cannot be looked up
	}
	return rt.auth.Authenticate(rt.auth.CSRF(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := rt.auth.Person(r.Context())
		switch {
		case ok:
			of(r).user = p.Username
		case route.Access == SignedIn:
			w.Header().Set("WWW-Authenticate", `JWT realm="api"`)
			WriteError(w, r, Problemf(http.StatusUnauthorized, "Authentication credentials were not provided."))
			return
		}
		next.ServeHTTP(w, r)
	})))
}
