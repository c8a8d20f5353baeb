package authzapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/user"
)

// call is one request on its way.
type call struct {
	*API
	ctx    context.Context
	w      http.ResponseWriter
	r      *http.Request
	who    api.Person
	query  query
	base   *authz.Index // the policy of this answer
	ix     *authz.Index // the same, see authz.Index.Tolerant
	counts map[string]int
	hide   *flags.State // of the flag, where Config.OfferedOnly asks for it

	read    bool // the body has been
	body    any
	bodyErr error
}

// operation is one method of one address: who may ask for it, and what answers.
type operation struct {
	gate gate
	run  func(*call) (status int, body any, err error)
	// mishap is the text of the 500 answer where it has a shape of its own.
	mishap string
}

// ServeHTTP answers one request.
func (o *operation) handler(a *API) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body, err := o.answer(a, w, r)
		if err != nil {
			status, body = a.explain(r, o, err)
		}
		if err := reply(w, status, body); err != nil {
			a.log.DebugContext(r.Context(), "answer not taken", slog.Any("error", err))
		}
	})
}

func (o *operation) answer(a *API, w http.ResponseWriter, r *http.Request) (int, any, error) {
	who, ok := a.person(r.Context())
	if !ok {
		w.Header().Set("WWW-Authenticate", `JWT realm="api"`)
		return 0, nil, errAnonymous
	}
	base := a.engine.Index()
	c := &call{API: a, ctx: r.Context(), w: w, r: r, who: who, query: parseQuery(r.URL.RawQuery), base: base, ix: base.Tolerant()}
	if a.offeredOnly {
		var err error
		if c.hide, err = a.store.Authoring(c.ctx); err != nil {
			return 0, nil, err
		}
	}
	if err := o.gate.pass(c); err != nil {
		return 0, nil, err
	}
	return o.run(c)
}

// explain makes the answer of an error. What is not the sender's fault is logged and not told.
func (a *API) explain(r *http.Request, o *operation, err error) (int, any) {
	if p := (*problem)(nil); errors.As(err, &p) {
		return p.status, p.body
	}
	if unclear(err) || fault.Is(err, fault.Denied) {
		return errDenied.status, errDenied.body
	}
	status, text := http.StatusInternalServerError, "Internal Server Error"
	if k := fault.KindOf(err); k == fault.Unavailable || k == fault.Refused || k == fault.Interrupted || errors.Is(err, db.ErrRetry) {
		status, text = http.StatusServiceUnavailable, "The database cannot be used now. Try again."
	}
	if r.Context().Err() == nil {
		a.log.ErrorContext(r.Context(), "request failed", slog.String("id", api.RequestID(r.Context())), slog.String("path", r.URL.Path), slog.Any("error", err))
	}
	if o.mishap != "" {
		return http.StatusInternalServerError, message{o.mishap}
	}
	return status, detail{text}
}

// unclear reports whether a question to the policy has no answer because the caller's name is another person's e-mail
// address: then nothing is allowed (authz.md §4.1).
func unclear(err error) bool { return fault.Is(err, fault.Conflict) && !errors.Is(err, db.ErrRetry) }

// address returns the absolute address of the request without its query.
func (c *call) address() string { return api.Absolute(c.ctx, c.r.URL.EscapedPath()) }

// as returns the use cases as the caller may call them.
func (c *call) as() *app.App {
	return c.store.As(app.Person(user.User{ID: user.ID(c.who.ID), Username: c.who.Username}))
}
