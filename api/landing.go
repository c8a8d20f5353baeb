package api

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
)

// Files of our own, for pages and for the logo that the stock clients show.
const (
	assetPath   = "/assets/"
	logo        = "logo.svg"
	personImage = "person.svg"
)

//go:embed assets pages
var embedded embed.FS

var landingPage = template.Must(template.ParseFS(embedded, "pages/landing.html"))

// PagePolicy is the Content-Security-Policy of Lectern's own pages: they load nothing but their own style and pictures.
const PagePolicy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// landing is what is at / until the console comes.
func (s start) landing(w http.ResponseWriter, r *http.Request) {
	data := struct {
		AdminConsole, Authoring bool
		Login                   string
		Problem                 *problemBody
	}{s.AdminConsole != nil, s.Authoring != nil, LoginPath, nil}
	if err := s.router.ready(); err != nil {
		said := told(err)
		data.Problem = &said
	}
	var b bytes.Buffer
	if err := landingPage.Execute(&b, data); err != nil {
		WriteError(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", PagePolicy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	_, _ = w.Write(b.Bytes())
}
