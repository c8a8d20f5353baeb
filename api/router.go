package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Router collects routes, and is then the handler of all of them. Routes are added while the server is made; afterwards
// it is safe for concurrent use.
type Router struct {
	auth      Auth
	ready     func() error // nil when the database can be worked on
	operators *operators
	document  *document
	resources map[string]*resource // by pattern of net/http
	mux       *http.ServeMux
}

// resource is one address with its methods.
type resource struct {
	pattern string // as the document and the metrics name it
	routes  map[string]*Route
	allow   string
	router  *Router
}

// Handle adds a route. One that does not say who may come in, that is there already, or that asks for a person without
// naming what the person needs, is a mistake of the program: it panics.
func (rt *Router) Handle(r Route) {
	switch {
	case r.Access < Open || r.Access > Operators:
		panic(fmt.Sprintf("%s %s does not say who may come in", r.Method, r.Path))
	case !slices.Contains(order, r.Method) || r.Handler == nil:
		panic(fmt.Sprintf("%s %s cannot be answered", r.Method, r.Path))
	case r.Access == SignedIn && r.Needs == "":
		panic(fmt.Sprintf("%s %s does not say what a person needs", r.Method, r.Path))
	}
	rt.add(&r)
	if r.Operation != nil {
		rt.document.add(&r)
	}
}

func (rt *Router) add(r *Route) {
	if r.MaxBody == 0 {
		r.MaxBody = DefaultMaxBody
	}
	if r.Timeout == 0 {
		r.Timeout = DefaultTimeout
	}
	pattern := r.Path
	if strings.HasSuffix(pattern, "/") && !r.Subtree {
		pattern += "{$}"
	}
	res := rt.resources[pattern]
	if res == nil {
		res = &resource{pattern: r.Path, routes: map[string]*Route{}, router: rt}
		rt.resources[pattern] = res
	}
	if res.routes[r.Method] != nil {
		panic(fmt.Sprintf("%s %s is there twice", r.Method, r.Path))
	}
	res.routes[r.Method] = r
}

// Routes returns all routes by path and method.
func (rt *Router) Routes() []Route {
	var all []Route
	for _, pattern := range slices.Sorted(maps.Keys(rt.resources)) {
		res := rt.resources[pattern]
		for _, m := range order {
			if r := res.routes[m]; r != nil && r.Method == m { // HEAD is GET's
				all = append(all, *r)
			}
		}
	}
	return all
}

// build makes the mux when all routes are there.
func (rt *Router) build() {
	rt.mux = http.NewServeMux()
	for pattern, res := range rt.resources {
		if get := res.routes[http.MethodGet]; get != nil {
			res.routes[http.MethodHead] = get
		}
		var allowed []string
		for _, m := range order {
			if res.routes[m] != nil || m == http.MethodOptions {
				allowed = append(allowed, m)
			}
		}
		res.allow = strings.Join(allowed, ", ")
		rt.mux.Handle(pattern, res)
	}
}

// notFound is the label of what has no route.
const notFound = "none"

func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The mux would redirect what is not clean; nobody has to be led there, and an unsafe request must not be.
	if !clean(r.URL.Path) {
		rt.missing(w, r)
		return
	}
	h, _ := rt.mux.Handler(r)
	if _, ok := h.(*resource); ok {
		rt.mux.ServeHTTP(w, r)
		return
	}
	if res := rt.slashed(r); res != nil {
		of(r).route = res.pattern
		w.Header().Set("Location", r.URL.EscapedPath()+"/"+query(r))
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	rt.missing(w, r)
}

func (rt *Router) missing(w http.ResponseWriter, r *http.Request) {
	of(r).route = notFound
	WriteError(w, r, Problemf(http.StatusNotFound, "Not found."))
}

// slashed returns what the address with a slash at its end leads to, for requests that may be sent on to it; else nil.
func (rt *Router) slashed(r *http.Request) *resource {
	if !safe(r.Method) || strings.HasSuffix(r.URL.Path, "/") {
		return nil
	}
	u := *r.URL
	u.Path += "/"
	if u.RawPath != "" {
		u.RawPath += "/"
	}
	h, _ := rt.mux.Handler(&http.Request{Method: r.Method, URL: &u})
	res, _ := h.(*resource)
	return res
}

func query(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	return "?" + r.URL.RawQuery
}

// clean reports whether a path is absolute and has no segment that means another path.
func clean(path string) bool {
	if !strings.HasPrefix(path, "/") {
		return false
	}
	for s := range strings.SplitSeq(strings.TrimSuffix(path[1:], "/"), "/") {
		if s == "." || s == ".." || s == "" && path != "/" {
			return false
		}
	}
	return !strings.ContainsRune(path, 0)
}

// ServeHTTP does what all routes have in common. Who sends a request is asked before the method, as the reference does it:
// a stranger learns nothing but 401.
func (res *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	info := of(r)
	info.route = res.pattern
	route := res.routes[r.Method]
	shape := route // what says how to treat the request
	if shape == nil {
		shape = res.any()
	}
	info.secret, info.quiet = shape.Secret, shape.Quiet
	if !shape.Subtree {
		w.Header().Set("Allow", res.allow)
	}
	if !shape.Early {
		if err := res.router.ready(); err != nil {
			w.Header().Set("Retry-After", "5")
			WriteError(w, r, unready(err))
			return
		}
	}
	if r.ContentLength > shape.MaxBody {
		WriteError(w, r, tooLarge(shape.MaxBody))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), shape.Timeout)
	defer cancel()
	r = r.WithContext(ctx)
	limit(w, r, shape)
	res.router.admit(shape, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case route != nil:
			route.Handler.ServeHTTP(w, r)
		case r.Method == http.MethodOptions:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Allow", res.allow)
			WriteError(w, r, Problemf(http.StatusMethodNotAllowed, "Method %q not allowed.", cut(r.Method, 20)))
		}
	})).ServeHTTP(w, r)
}

// any returns a route of the resource, always the same.
func (res *resource) any() *Route {
	for _, m := range order {
		if r := res.routes[m]; r != nil {
			return r
		}
	}
	panic("a resource without routes")
}

// limit bounds how long the client may take for its part, and how much it may send.
func limit(w http.ResponseWriter, r *http.Request, route *Route) {
	c := http.NewResponseController(w)
	end := time.Now().Add(route.Timeout)
	// Recorders in tests know no deadlines; a connection that does will not fail to take one.
	_ = c.SetReadDeadline(end)
	_ = c.SetWriteDeadline(end.Add(grace))
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(w, r.Body, route.MaxBody)
	}
}

// grace is what writing the answer may take after the time of the handler is over, so that it can still say so.
const grace = 5 * time.Second
