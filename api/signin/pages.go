package signin

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/signin/password"
)

//go:embed pages
var embedded embed.FS

var pages = template.Must(template.ParseFS(embedded, "pages/*.html"))

// page is what the templates show.
type page struct {
	Title, Problem string
	Token          string // against forged requests
	Next           string
	Name           string
	Confirm        bool // the present password is asked for
	MinLength      int
	Provider       *button
}

// button leads to the identity provider.
type button struct{ Name, Start string }

// show answers with a page, which nobody may keep or put into a frame.
func (h *Handlers) show(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.MinLength = password.MinLength
	if name != "message.html" {
		p.Token = mask(h.secret(w, r))
	}
	if h.c.Provider != nil {
		p.Provider = &button{h.c.ProviderName, oidcPath + "?" + url.Values{"next": {p.Next}}.Encode()}
	}
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, p); err != nil {
		api.WriteError(w, r, err)
		return
	}
	o := w.Header()
	o.Set("Content-Type", "text/html; charset=utf-8")
	o.Set("Content-Security-Policy", h.policy)
	o.Set("X-Frame-Options", "DENY")
	o.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that has gone has gone
}

// message answers with a page that says what went wrong.
func (h *Handlers) message(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	h.show(w, r, status, "message.html", page{Title: title, Problem: text})
}

// send redirects the browser to a place that was checked.
func send(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusFound)
}
