package api

import (
	"net/http"
	"strings"
)

// apiPolicy is for answers that are no pages: they load nothing and are shown nowhere.
const apiPolicy = "default-src 'none'; frame-ancestors 'none'"

// secure sets what every answer carries. Handlers of pages replace the policy by one of their own.
func secure(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	// Pages of the same origin see the whole address: the stock clients know by it that they come back from the sign-in
	// page (stock-clients.md §2), and checks against CSRF read it over https.
	h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	h.Set("Content-Security-Policy", apiPolicy)
}

// What pages of other origins may send (stock-clients.md §2, CORS).
var (
	corsMethods = strings.Join([]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions}, ", ")
	corsHeaders = strings.Join([]string{
		"accept", "authorization", "content-type", "content-disposition", "content-range", "use-jwt-cookie", "x-csrftoken", "x-meilisearch-client", "x-request-id",
	}, ", ")
)

// cors lets pages of the configured origins read answers, of errors too, and answers their preflights; done is true then.
// Other origins get no word about it, and so nothing that a browser would hand on.
func (f *front) cors(w http.ResponseWriter, r *http.Request) (done bool) {
	if len(f.origins) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	from := r.Header.Get("Origin")
	if !f.origins[from] {
		return false
	}
	h.Set("Access-Control-Allow-Origin", from)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "X-Request-Id")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
