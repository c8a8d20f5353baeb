package signin

import (
	"net/http"
	"time"

	"github.com/openlectern/lectern/api"
	who "github.com/openlectern/lectern/signin"
)

// Names of cookies, as the platform's clients know them (stock-clients.md §2).
const (
	sessionCookie   = "sessionid"
	signatureCookie = "edx-jwt-cookie-signature"
	csrfCookie      = "csrftoken"
	flowCookie      = "lectern-oidc"
)

// cookie returns the value of a cookie, "" when there is none.
func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// set sets a cookie for the whole server. It is marked for secure connections only where the server is found by https.
func (h *Handlers) set(w http.ResponseWriter, name, value string, life time.Duration, readable bool) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second), Secure: h.secure, HttpOnly: !readable, SameSite: http.SameSiteLaxMode}
	if life <= 0 {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func (h *Handlers) clear(w http.ResponseWriter, names ...string) {
	for _, name := range names {
		h.set(w, name, "", 0, name == api.JWTCookie)
	}
}

// welcome sets the cookies of a session that was begun, and a new token against forged requests, as Django does.
func (h *Handlers) welcome(w http.ResponseWriter, r *http.Request, s who.Session) error {
	h.set(w, sessionCookie, s.Cookie, who.SessionLife, false)
	h.set(w, csrfCookie, newSecret(), csrfLife, true)
	p, err := h.c.Service.BySession(r.Context(), s.Cookie)
	if err != nil {
		return err
	}
	_, err = h.setWebToken(w, p)
	return err
}

// setWebToken sets the two cookies of a new web token, and returns when it ends.
func (h *Handlers) setWebToken(w http.ResponseWriter, p who.Principal) (ends time.Time, err error) {
	t, err := h.c.Service.Issue(p)
	if err != nil {
		return ends, err
	}
	front, back := t.Split()
	life := t.Expires.Sub(t.Issued)
	h.set(w, api.JWTCookie, front, life, true)
	h.set(w, signatureCookie, back, life, false)
	return t.Expires, nil
}
