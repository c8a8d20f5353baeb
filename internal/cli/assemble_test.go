package cli

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/app"
)

// TestEveryRoute walks all addresses of the server as it is put together: each is in the document, and says who may come
// in; those that ask for a person say what the person needs, and those that do not are the ones known here.
func TestEveryRoute(t *testing.T) {
	t.Parallel()
	a, err := app.OpenAnyAge(t.Context(), app.Config{DB: filepath.Join(t.TempDir(), "lectern.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	c := newCLI(Env{Getenv: func(string) string { return "" }})
	b, err := c.assemble(a, &serving{}, api.Config{Public: &url.URL{Scheme: "http", Host: "localhost"}}, new(atomic.Uint64))
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range api.Undocumented(b.server.Router) {
		t.Error(wrong)
	}
	var open []string
	for _, r := range b.server.Router.Routes() {
		switch {
		case r.Access == api.SignedIn && r.Needs == "":
			t.Errorf("%s %s does not say what a person needs", r.Method, r.Path)
		case r.Access != api.SignedIn:
			open = append(open, r.Method+" "+r.Path)
		}
	}
	// What is added here is open to the whole network: it must not show or change anything of anybody.
	known := strings.Fields(`
		GET/ GET/.well-known/jwks.json GET/api/lectern/v1/about GET/api/mfe_config/v1 GET/api/notifications/count/ GET/api/openapi.json
		GET/assets/ GET/csrf/api/v1/token GET/favicon.ico GET/healthz GET/login POST/login POST/login_refresh GET/logout POST/logout GET/metrics GET/readyz
		GET/signin/once/{token} GET/signin/password POST/signin/password`)
	for i := range open {
		open[i] = strings.ReplaceAll(open[i], " ", "")
	}
	for _, o := range open {
		if !slices.Contains(known, o) {
			t.Errorf("%s is open to strangers, and not known to be", o)
		}
	}
	for _, k := range known {
		if !slices.Contains(open, k) {
			t.Errorf("%s is not open any more: take it from the list", k)
		}
	}
}
