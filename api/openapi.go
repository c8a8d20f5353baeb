package api

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// DocumentPath is where the OpenAPI document is served.
const DocumentPath = "/api/openapi.json"

// Tags of operations in the document.
const (
	tagServer  = "server"
	tagStart   = "start of the stock clients"
	tagLectern = "lectern"
)

// document is the one OpenAPI document: typed operations of huma and routes of others in it side by side.
type document struct {
	api    huma.API
	router *Router

	once sync.Once // guards json
	json []byte
}

const securityCookie, securityJWT, securityToken = "session", "jwt", "token"

func newDocument(rt *Router, public *url.URL, version string) *document {
	d := &document{router: rt}
	c := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Lectern", Version: version,
				Description: "Addresses under /api/lectern/v1 are Lectern's own; the others answer as Open edX does, so that its clients work unchanged.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					securityCookie: {Type: "apiKey", In: "cookie", Name: "sessionid", Description: "With X-CSRFToken on unsafe methods."},
					securityJWT:    {Type: "http", Scheme: "JWT", BearerFormat: "JWT", Description: "Authorization: JWT …"},
					securityToken:  {Type: "http", Scheme: "bearer", Description: "A service token."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
	}
	c.OnAddOperation = append(c.OnAddOperation, func(_ *huma.OpenAPI, op *huma.Operation) {
		// Input that is wrong is answered as Django REST framework does, see problem.go.
		if wrong := op.Responses["422"]; wrong != nil {
			delete(op.Responses, "422")
			wrong.Description = "The input is wrong."
			op.Responses["400"] = wrong
		}
	})
	if public != nil {
		c.Servers = []*huma.Server{{URL: origin(public)}}
	}
	d.api = huma.NewAPI(c, adapter{rt})
	return d
}

// adapter lets huma put its typed operations into the router.
type adapter struct{ router *Router }

// Handle adds a typed operation; huma has put it into the document already.
func (a adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	r := op.Metadata[routeKey].(Route) //nolint:forcetypeassert // Operation put it there
	r.Operation = nil
	r.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler(humago.NewContext(op, r, w))
	})
	a.router.Handle(r)
}

// ServeHTTP is what huma's own test helper would call.
func (a adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.router.ServeHTTP(w, r) }

const routeKey = "lectern.route"

// Add adds an operation that huma reads and writes by the types of its handler, for addresses of our own. The route's
// Operation describes it as far as the types do not; its Handler is not used. Errors are told as [WriteError] does.
func Add[In, Out any](rt *Router, r Route, do func(context.Context, *In) (*Out, error)) {
	op := *r.Operation
	op.Method, op.Path, op.MaxBodyBytes = r.Method, r.Path, max(r.MaxBody, 0)
	op.Security = security(r.Access)
	op.Metadata = map[string]any{routeKey: r}
	op.Extensions = extensions(&r)
	for _, a := range usual(&r) {
		op.Errors = append(op.Errors, a.Status)
	}
	huma.Register(rt.document.api, op, func(ctx context.Context, in *In) (*Out, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, report(ctx, err)
		}
		return out, nil
	})
}

func extensions(r *Route) map[string]any {
	if r.Needs == "" {
		return nil
	}
	return map[string]any{"x-permission": r.Needs}
}

var parameter = regexp.MustCompile(`\{([^}.]+)(\.\.\.)?\}`)

// add describes a route that is not huma's.
func (d *document) add(r *Route) {
	op := *r.Operation
	op.Method, op.Path = r.Method, parameter.ReplaceAllString(r.Path, "{$1}")
	if op.Security == nil {
		op.Security = security(r.Access)
	}
	op.Parameters = slices.Clone(op.Parameters) // the caller's, which two servers may have in common
	declared := map[string]bool{}
	for _, p := range op.Parameters {
		if p.In == "path" {
			declared[p.Name] = true
		}
	}
	for _, m := range parameter.FindAllStringSubmatch(r.Path, -1) {
		if !declared[m[1]] {
			op.Parameters = append(op.Parameters, &huma.Param{Name: m[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
		}
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	for status, response := range d.router.Answers(usual(r)...) {
		if op.Responses[status] == nil {
			op.Responses[status] = response
		}
	}
	op.Extensions = extensions(r)
	d.api.OpenAPI().AddOperation(&op)
}

// usual are the errors that a route has from what all of them pass.
func usual(r *Route) []Answer {
	var all []Answer
	say := func(status int, text string) { all = append(all, Answer{status, text, &Problem{}}) }
	if r.Access == SignedIn {
		say(http.StatusUnauthorized, "Nobody is signed in.")
		say(http.StatusForbidden, "The person may not, or the CSRF token is missing.")
	}
	if !safe(r.Method) {
		say(http.StatusRequestEntityTooLarge, "The body is larger than "+strconv.FormatInt(r.MaxBody, 10)+" bytes.")
	}
	if !r.Early {
		say(http.StatusServiceUnavailable, "The server is not ready.")
	}
	return all
}

func security(a Access) []map[string][]string {
	switch a {
	case SignedIn:
		return []map[string][]string{{securityCookie: {}}, {securityJWT: {}}, {securityToken: {}}}
	case Anyone:
		return []map[string][]string{{}, {securityCookie: {}}, {securityJWT: {}}, {securityToken: {}}}
	case Operators:
		return []map[string][]string{{}, {securityToken: {}}}
	}
	return []map[string][]string{}
}

// Answer is one possible answer of an operation.
type Answer struct {
	Status int
	Text   string
	Body   any // a value of the document's type; nil for no body
}

// Answers describes answers for [Route.Operation]: their schemas are made from the Go types of their bodies.
func (rt *Router) Answers(all ...Answer) map[string]*huma.Response {
	m := map[string]*huma.Response{}
	for _, a := range all {
		r := &huma.Response{Description: a.Text}
		if a.Body != nil {
			r.Content = map[string]*huma.MediaType{"application/json": {Schema: rt.Schema(a.Body)}}
		}
		m[strconv.Itoa(a.Status)] = r
	}
	return m
}

// Schema describes a Go type by an example of it, for operations.
func (rt *Router) Schema(v any) *huma.Schema {
	t := reflect.TypeOf(v)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return rt.document.api.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}

// Body describes a JSON body for [Route.Operation].
func (rt *Router) Body(v any) *huma.RequestBody {
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: rt.Schema(v)}}}
}

// OpenAPI returns the document, to be read only.
func (rt *Router) OpenAPI() *huma.OpenAPI { return rt.document.api.OpenAPI() }

// Undocumented returns what the document lacks or has too much, in words: every route but files must be in it, and every
// operation in it must have a route.
func Undocumented(rt *Router) []string {
	var wrong []string
	doc := rt.OpenAPI()
	routed := map[string]bool{}
	for _, r := range rt.Routes() {
		path := parameter.ReplaceAllString(r.Path, "{$1}")
		routed[r.Method+" "+path] = true
		if !r.Subtree && operation(doc.Paths[path], r.Method) == nil {
			wrong = append(wrong, r.Method+" "+path+" is not in the document")
		}
	}
	for path, item := range doc.Paths {
		for _, m := range order {
			if operation(item, m) != nil && !routed[m+" "+path] {
				wrong = append(wrong, m+" "+path+" is in the document, and nowhere else")
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

func operation(item *huma.PathItem, method string) *huma.Operation {
	if item == nil {
		return nil
	}
	return map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch,
		http.MethodDelete: item.Delete, http.MethodHead: item.Head, http.MethodOptions: item.Options,
	}[method]
}

func (d *document) routes(rt *Router) {
	rt.Handle(Route{
		Method: http.MethodGet, Path: DocumentPath, Access: Open, Early: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d.once.Do(func() {
				body, err := encode(rt.OpenAPI())
				if err != nil {
					panic(err)
				}
				d.json = body
			})
			h := w.Header()
			h.Set("Content-Type", "application/openapi+json")
			h.Set("Content-Length", strconv.Itoa(len(d.json)))
			if r.Method != http.MethodHead {
				_, _ = w.Write(d.json)
			}
		}),
		Operation: &huma.Operation{
			OperationID: "openapi", Tags: []string{tagServer}, Summary: "This document",
			Responses: map[string]*huma.Response{"200": {Description: "OpenAPI 3.1.", Content: map[string]*huma.MediaType{
				"application/openapi+json": {Schema: &huma.Schema{Type: huma.TypeObject}},
			}}},
		},
	})
}
