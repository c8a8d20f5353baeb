package api

import (
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Access says who may come in to a route. The zero value is none of them, so that every route has to say it.
type Access uint8

const (
	Open      Access = iota + 1 // anybody; credentials are not looked at
	Anyone                      // anybody; a signed-in person is known to the handler
	SignedIn                    // 401 without credentials (authz.md §11)
	Operators                   // /metrics: by address or token
)

// Bounds of a request where its route does not say otherwise.
const (
	DefaultMaxBody = 1 << 20 // bytes
	DefaultTimeout = 30 * time.Second
)

// Route is one method of one address.
type Route struct {
	Method string // GET answers HEAD, too
	// Path is a pattern of net/http without method and host. One that ends in a slash means that address alone, not all
	// below it, unless Subtree is set; without the slash a GET is sent on to it (libraries-api.md §1.2).
	Path    string
	Subtree bool
	Access  Access
	// Needs names, for people and for the test of all routes, the permission that the handler asks for; "" only where
	// Access says all.
	Needs   string
	Handler http.Handler
	// Operation describes the route in the OpenAPI document; Method and Path are filled in. It is nil for files.
	Operation *huma.Operation
	MaxBody   int64         // bytes, 0 means DefaultMaxBody; more is 413
	Timeout   time.Duration // for reading, handling and writing, 0 means DefaultTimeout
	// Early is set for what works on a database that is not ready yet; everything else answers 503 until it is.
	Early bool
	// Secret is set where the path itself must not be logged, as it holds a token.
	Secret bool
	// Quiet is set where a request is no news: it is logged at the level debug.
	Quiet bool
}

// order in which Allow names methods, that of the reference.
var order = []string{
	http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions,
}

// safe reports whether a method asks for nothing to be changed.
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}
