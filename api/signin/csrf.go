package signin

import (
	"crypto/rand"
	"crypto/subtle"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openlectern/lectern/api"
)

// A token against forged requests is Django's: the cookie holds a secret of 32 letters and digits; what a client shows is
// the secret, or the secret masked: 32 random letters and, letter by letter, their sum with the secret's. Masked ones differ
// each time, so that they cannot be guessed from the length of compressed answers.
const (
	csrfLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	csrfLength  = 32
	csrfLife    = 364 * 24 * time.Hour
	csrfHeader  = "X-CSRFToken"
	csrfField   = "csrfmiddlewaretoken"
)

// CSRF implements [api.Auth].
func (h *Handlers) CSRF(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := r.Context().Value(foundKey{}).(found)
		if ok && f.cookie && !safe(r.Method) {
			if reason := h.forged(r); reason != "" {
				api.WriteError(w, r, api.Problemf(http.StatusForbidden, "CSRF Failed: %s", reason))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// forged returns why a request may have been made by a page of others, "" when it was not. The reasons are those of the
// platform, which clients show (authz.md §11).
func (h *Handlers) forged(r *http.Request) (reason string) {
	if reason := h.strange(r); reason != "" {
		return reason
	}
	secret := cookie(r, csrfCookie)
	if secret == "" {
		return "CSRF cookie not set."
	}
	want, reason := unmask(secret)
	if reason != "" {
		return "CSRF cookie " + reason + "."
	}
	shown, source := "", "POST"
	if isForm(r) {
		shown = r.PostFormValue(csrfField)
	}
	if shown == "" {
		shown, source = r.Header.Get(csrfHeader), "the 'X-Csrftoken' HTTP header"
	}
	if shown == "" {
		return "CSRF token missing."
	}
	got, reason := unmask(shown)
	if reason == "" && subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		reason = "incorrect"
	}
	if reason != "" {
		return "CSRF token from " + source + " " + reason + "."
	}
	return ""
}

// strange returns why a request does not come from a page of ours, as far as its browser says where it comes from.
func (h *Handlers) strange(r *http.Request) (reason string) {
	if from := r.Header.Get("Origin"); from != "" {
		if !h.origins[from] {
			return "Origin checking failed - " + cut(from) + " does not match any trusted origins."
		}
	} else if h.secure {
		// Over https browsers say the page, or somebody in the middle of plain http has taken it away.
		from := r.Header.Get("Referer")
		u, err := url.Parse(from)
		switch {
		case from == "":
			return "Referer checking failed - no Referer."
		case err != nil || u.Scheme == "" || u.Host == "":
			return "Referer checking failed - Referer is malformed."
		case u.Scheme != "https":
			return "Referer checking failed - Referer is insecure while host is secure."
		case !h.origins[originOf(u)]:
			return "Referer checking failed - " + cut(from) + " does not match any trusted origins."
		}
	}
	if h.cross.Check(r) != nil {
		return "Origin checking failed - the browser says that the request comes from another site."
	}
	return ""
}

// originOf returns the origin of a URL as browsers write it.
func originOf(u *url.URL) string {
	o, err := api.ParseOrigin("", u.Scheme+"://"+u.Host)
	if err != nil {
		return ""
	}
	return o.Scheme + "://" + o.Host
}

// token answers GET /csrf/api/v1/token. The secret of the cookie stays as it is: pages keep what they got.
func (h *Handlers) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Cookie")
	api.WriteJSON(w, r, http.StatusOK, csrfToken{mask(h.secret(w, r))})
}

// csrfToken is the answer of /csrf/api/v1/token.
type csrfToken struct {
	Token string `json:"csrfToken"`
}

// secret returns the secret of the browser's cookie; one without gets one.
func (h *Handlers) secret(w http.ResponseWriter, r *http.Request) string {
	secret, reason := unmask(cookie(r, csrfCookie))
	if reason != "" {
		secret = newSecret()
	}
	h.set(w, csrfCookie, secret, csrfLife, true)
	return secret
}

// newSecret returns 32 random letters and digits.
func newSecret() string {
	out := make([]byte, 0, csrfLength)
	var b [64]byte
	for len(out) < csrfLength {
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		for _, c := range b {
			// 248 is the greatest multiple of 62 in a byte: above it some letters would be likelier.
			if c < 248 && len(out) < csrfLength {
				out = append(out, csrfLetters[c%62])
			}
		}
	}
	return string(out)
}

// mask returns a text that stands for a secret, another each time.
func mask(secret string) string {
	m := newSecret()
	out := []byte(m)
	for i := range csrfLength {
		sum := strings.IndexByte(csrfLetters, m[i]) + strings.IndexByte(csrfLetters, secret[i])
		out = append(out, csrfLetters[sum%len(csrfLetters)])
	}
	return string(out)
}

// unmask returns the secret that a text is or stands for, or why it is neither.
func unmask(text string) (secret, reason string) {
	if len(text) != csrfLength && len(text) != 2*csrfLength {
		return "", "has incorrect length"
	}
	if strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(csrfLetters, r) }) >= 0 {
		return "", "has invalid characters"
	}
	if len(text) == csrfLength {
		return text, ""
	}
	out := make([]byte, csrfLength)
	for i := range out {
		d := strings.IndexByte(csrfLetters, text[csrfLength+i]) - strings.IndexByte(csrfLetters, text[i])
		out[i] = csrfLetters[(d+len(csrfLetters))%len(csrfLetters)]
	}
	return string(out), ""
}

// isForm reports whether the body is a form of a page.
func isForm(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "application/x-www-form-urlencoded"
}

// cut shortens text that came from outside, before it goes into an answer.
func cut(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
