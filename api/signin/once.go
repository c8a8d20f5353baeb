package signin

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openlectern/lectern/api"
	who "github.com/openlectern/lectern/signin"
)

const titlePassword = "Set a password"

// LinkPath returns the path of the address that is good once, for what signin.NewLink made.
func LinkPath(text string) string { return linkPath + text }

// once answers GET of an address that is good once. Following it uses it up, so browsers that look ahead are sent away.
func (h *Handlers) once(w http.ResponseWriter, r *http.Request) {
	ahead := r.Header.Get("Sec-Purpose") + r.Header.Get("Purpose")
	if r.Method != http.MethodGet || strings.Contains(ahead, "prefetch") {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	s, err := h.c.Service.FollowLink(r.Context(), r.PathValue("token"), cookie(r, sessionCookie))
	if who.IsRefused(err) {
		h.message(w, r, http.StatusForbidden, "This address is not good any more",
			"It was followed already, it is more than an hour old, or another took its place. The operator makes another with: lectern user password NAME --link")
		return
	}
	if err == nil {
		err = h.welcome(w, r, s)
	}
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	to := h.next(r.URL.Query().Get("next"))
	if s.NoPassword {
		to = passwordPath + "?" + url.Values{"next": {to}}.Encode()
	}
	send(w, to)
}

// passwordPage answers GET of the page to set a password on.
func (h *Handlers) passwordPage(w http.ResponseWriter, r *http.Request) {
	if p, ok := h.member(w, r); ok {
		h.show(w, r, http.StatusOK, "password.html", h.passwordForm(p, r))
	}
}

func (h *Handlers) passwordForm(p who.Principal, r *http.Request) page {
	return page{Title: titlePassword, Next: h.next(r.FormValue("next")), Name: p.Username, Confirm: !recent(p)}
}

// recent reports whether a session was begun so recently, in a way that is as good as the present password, that it need
// not be given: whoever follows a link has none, or has forgotten it.
func recent(p who.Principal) bool {
	return p.Method == who.ByLink && time.Since(p.Since) < who.LinkLife
}

// setPassword answers POST of the page.
func (h *Handlers) setPassword(w http.ResponseWriter, r *http.Request) {
	if !h.form(w, r) {
		return
	}
	p, ok := h.member(w, r)
	if !ok {
		return
	}
	form := h.passwordForm(p, r)
	plain := r.PostFormValue("new_password")
	if plain != r.PostFormValue("new_password_again") {
		form.Problem = "The two new passwords are not the same."
		h.show(w, r, http.StatusBadRequest, "password.html", form)
		return
	}
	var err error
	if form.Confirm {
		err = h.c.Service.Confirm(r.Context(), p.ID, r.PostFormValue("current_password"), api.Client(r.Context()))
	}
	if err == nil {
		err = h.c.Service.ChangePassword(r.Context(), p.User, plain, p.Session)
	}
	if err == nil {
		send(w, form.Next)
		return
	}
	status, text, ok := told(w, err)
	if !ok {
		api.WriteError(w, r, err)
		return
	}
	form.Problem = text
	h.show(w, r, status, "password.html", form)
}

// member returns who is signed in with a session; anybody else is sent to sign in, and ok is false.
func (h *Handlers) member(w http.ResponseWriter, r *http.Request) (p who.Principal, ok bool) {
	p, err := h.c.Service.BySession(r.Context(), cookie(r, sessionCookie))
	switch {
	case err == nil:
		return p, true
	case who.IsRefused(err):
		send(w, api.LoginPath+"?"+url.Values{"next": {passwordPath}}.Encode())
	default:
		api.WriteError(w, r, err)
	}
	return p, false
}
