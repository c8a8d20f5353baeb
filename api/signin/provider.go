package signin

import (
	"encoding/json"
	"net/http"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/fault"
	who "github.com/openlectern/lectern/signin"
	"github.com/openlectern/lectern/signin/oidc"
)

// sealFlow is what flows are sealed for.
const sealFlow = "sign-in flow"

// leave answers GET /signin/oidc: the browser goes to the identity provider.
func (h *Handlers) leave(w http.ResponseWriter, r *http.Request) {
	to, f, err := h.c.Provider.Begin(r.Context(), h.next(r.FormValue("next")))
	if err != nil {
		h.providerFailed(w, r, err)
		return
	}
	text, err := json.Marshal(f)
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	h.set(w, flowCookie, h.c.Service.Ring.Seal(sealFlow, text), oidc.FlowLife, false)
	send(w, to)
}

// back answers GET /signin/oidc/callback: the browser comes back from the identity provider.
func (h *Handlers) back(w http.ResponseWriter, r *http.Request) {
	var f oidc.Flow
	text, ok := h.c.Service.Ring.Open(sealFlow, cookie(r, flowCookie))
	if ok {
		ok = json.Unmarshal(text, &f) == nil
	}
	h.clear(w, flowCookie) // good once
	if !ok {
		h.providerFailed(w, r, who.ErrRefused)
		return
	}
	i, err := h.c.Provider.Finish(r.Context(), f, r.URL.Query())
	if err != nil {
		h.providerFailed(w, r, err)
		return
	}
	s, err := h.c.Service.ByIdentity(r.Context(), i, h.c.CreateUsers, cookie(r, sessionCookie))
	if err == nil {
		err = h.welcome(w, r, s)
	}
	if err != nil {
		h.providerFailed(w, r, err)
		return
	}
	send(w, h.next(f.Next))
}

func (h *Handlers) providerFailed(w http.ResponseWriter, r *http.Request, err error) {
	const title = "You are not signed in"
	switch {
	case who.IsRefused(err):
		h.message(w, r, http.StatusForbidden, title, "The attempt was given up, took too long, or is of nobody who is known here.")
	case fault.Is(err, fault.Conflict), fault.Is(err, fault.Usage):
		h.message(w, r, http.StatusForbidden, title, "The name that the provider gives you cannot be a user's here, or is another's already. Ask the operator.")
	case fault.Is(err, fault.Unavailable):
		h.message(w, r, http.StatusServiceUnavailable, title, "The identity provider does not answer. Try again in a moment.")
	default:
		api.WriteError(w, r, err)
	}
}
