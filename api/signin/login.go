package signin

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/fault"
	who "github.com/openlectern/lectern/signin"
)

const titleLogin = "Sign in"

// loginPage answers GET /login. Who is signed in already goes on.
func (h *Handlers) loginPage(w http.ResponseWriter, r *http.Request) {
	next := h.next(r.FormValue("next"))
	_, err := h.c.Service.BySession(r.Context(), cookie(r, sessionCookie))
	switch {
	case err == nil:
		send(w, next)
	case !who.IsRefused(err):
		api.WriteError(w, r, err)
	default:
		h.show(w, r, http.StatusOK, "login.html", page{Title: titleLogin, Next: next})
	}
}

// login answers POST /login.
func (h *Handlers) login(w http.ResponseWriter, r *http.Request) {
	if !h.form(w, r) {
		return
	}
	p := page{Title: titleLogin, Next: h.next(r.PostFormValue("next")), Name: r.PostFormValue("username")}
	s, err := h.c.Service.SignIn(r.Context(), who.Attempt{
		Name: p.Name, Password: r.PostFormValue("password"), From: api.Client(r.Context()), Had: cookie(r, sessionCookie),
	})
	if err == nil {
		err = h.welcome(w, r, s)
	}
	if err == nil {
		send(w, p.Next)
		return
	}
	status, text, ok := told(w, err)
	if !ok {
		api.WriteError(w, r, err)
		return
	}
	p.Problem = text
	h.show(w, r, status, "login.html", p)
}

// told returns what a page says of an error; ok is false when it is nothing for people.
func told(w http.ResponseWriter, err error) (status int, text string, ok bool) {
	var f *fault.Error
	wait, limited := who.IsLimited(err)
	switch {
	case limited:
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		return http.StatusTooManyRequests, "There were too many failed attempts. Try again in " + minutes(wait) + ".", true
	case errors.Is(err, who.ErrRefused):
		return http.StatusForbidden, "The name or the password is not right.", true
	case fault.Is(err, fault.Invalid) && errors.As(err, &f):
		return http.StatusBadRequest, "This cannot be your password: " + f.Text + ".", true
	}
	return 0, "", false
}

func minutes(d time.Duration) string {
	n := int(math.Ceil(d.Minutes()))
	if n <= 1 {
		return "a minute"
	}
	return fmt.Sprintf("%d minutes", n)
}

// form reads the form of a page of ours; if it may be of others it has answered, and returns false.
func (h *Handlers) form(w http.ResponseWriter, r *http.Request) bool {
	err := r.ParseForm()
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		api.WriteError(w, r, err)
		return false
	}
	if err != nil || !isForm(r) {
		h.message(w, r, http.StatusBadRequest, "This did not work", "The form did not arrive whole. Go back and try again.")
		return false
	}
	if reason := h.forged(r); reason != "" {
		h.message(w, r, http.StatusForbidden, "This did not work",
			"The page was open for too long, or cookies are switched off for this site. Sign in again. (CSRF Failed: "+reason+")")
		return false
	}
	return true
}

// logout answers GET and POST of /logout: the session ends, here and for its web tokens.
func (h *Handlers) logout(w http.ResponseWriter, r *http.Request) {
	next := r.FormValue("redirect_url")
	if next == "" {
		next = r.FormValue("next")
	}
	if err := h.c.Service.End(r.Context(), cookie(r, sessionCookie)); err != nil {
		api.WriteError(w, r, err)
		return
	}
	h.clear(w, sessionCookie, api.JWTCookie, signatureCookie)
	send(w, h.next(next))
}

// refreshed is the answer of /login_refresh (libraries-api.md, appendix A).
type refreshed struct {
	Success      bool    `json:"success"`
	UserID       int64   `json:"user_id"`
	Now          float64 `json:"response_epoch_seconds"`
	Date         string  `json:"response_http_date"`
	Expires      string  `json:"expires"`
	ExpiresEpoch int64   `json:"expires_epoch_seconds"`
}

// refresh answers POST /login_refresh: the cookies of a new web token for who has a session. It changes nothing that
// another page could want to have changed, so it asks for no token against forged requests.
func (h *Handlers) refresh(w http.ResponseWriter, r *http.Request) {
	p, err := h.c.Service.BySession(r.Context(), cookie(r, sessionCookie))
	if who.IsRefused(err) {
		h.clear(w, api.JWTCookie, signatureCookie)
		unauthorized(w, r, "Authentication credentials were not provided.")
		return
	}
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	ends, err := h.setWebToken(w, p)
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	now := time.Now().UTC()
	api.WriteJSON(w, r, http.StatusOK, refreshed{
		Success: true, UserID: int64(p.ID), Now: float64(now.UnixMicro()) / 1e6, Date: now.Format(http.TimeFormat),
		Expires: ends.UTC().Format(http.TimeFormat), ExpiresEpoch: ends.Unix(),
	})
}
