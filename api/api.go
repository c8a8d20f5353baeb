package api

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openlectern/lectern/fault"
)

// Config says what a server serves and whom it believes. Only Store is necessary.
type Config struct {
	Store      Store
	Auth       Auth                   // nil: nobody can sign in
	Parts      []func(*Router)        // further routes: api/signin, api/authz
	Checks     []Check                // of /readyz; the first is the database's, and bars requests while it fails
	Collectors []prometheus.Collector // of /metrics, besides those of this package

	// Public is where browsers find the server: scheme and host of every absolute link. nil means that links have no host.
	Public  *url.URL
	Trusted []netip.Prefix // proxies whose X-Forwarded-For and X-Request-Id are believed
	Origins []string       // of clients on other hosts that may call with credentials, such as https://apps.example.org

	AdminConsole, Authoring fs.FS // built stock clients; nil for none

	MetricsFrom  []netip.Prefix // may read /metrics, besides loopback
	MetricsToken string         // lets others read it, too; "" is none

	Log     *slog.Logger // nil discards
	Version string       // of the program, for the document
}

// Server is the handler of all addresses. It is safe for concurrent use.
type Server struct {
	http.Handler
	Router    *Router
	readiness *readiness
	log       *slog.Logger
}

// New makes the server. What cannot be made of the configuration is Usage.
func New(c Config) (*Server, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Auth == nil {
		c.Auth = nobody{}
	}
	origins := map[string]bool{}
	for _, o := range c.Origins {
		u, err := ParseOrigin("--allow-origin", o)
		if err != nil {
			return nil, err
		}
		origins[origin(u)] = true
	}
	rd := &readiness{checks: c.Checks, first: make(chan struct{})}
	m, err := newMetrics(rd, c.Collectors)
	if err != nil {
		return nil, err
	}
	rt := &Router{
		auth: c.Auth, ready: rd.database, resources: map[string]*resource{},
		operators: &operators{nets: c.MetricsFrom, token: c.MetricsToken},
	}
	rt.document = newDocument(rt, c.Public, c.Version)
	rd.routes(rt)
	m.routes(rt)
	rt.document.routes(rt)
	start{c, rt}.routes(rt)
	for _, part := range c.Parts {
		part(rt)
	}
	if err := mounts(rt, &c, origins); err != nil {
		return nil, err
	}
	rt.build()
	return &Server{
		Handler:   &front{log: c.Log, public: c.Public, trusted: c.Trusted, origins: origins, metrics: m, next: rt},
		Router:    rt,
		readiness: rd,
		log:       c.Log,
	}, nil
}

// Refresh looks at once whether the database can be worked on, which else happens every other second; until it was looked
// at once, requests are answered with 503.
func (s *Server) Refresh(ctx context.Context) { s.readiness.refresh(ctx) }

// Ready returns why requests cannot be served, nil when they can.
func (s *Server) Ready() error { return s.readiness.database() }

// FirstReady returns a channel that is closed when requests can be served for the first time.
func (s *Server) FirstReady() <-chan struct{} { return s.readiness.first }

// ParseOrigin reads where browsers find a site: http or https, a host, and no path. In what it returns, scheme and host
// are as browsers write them.
func ParseOrigin(flag, text string) (*url.URL, error) {
	bad := func(reason string) (*url.URL, error) {
		return nil, fault.Errorf(fault.Usage, flag, "%q %s", text, reason).WithNext("write it like https://studio.example.org")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return bad("is no address that begins with https:// or http://")
	case u.User != nil, u.RawQuery != "", u.Fragment != "", u.Path != "" && u.Path != "/":
		return bad("has more than a host, and a port perhaps")
	}
	host := strings.ToLower(u.Host)
	if port := u.Port(); port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
		host = strings.TrimSuffix(host, ":")
	}
	return &url.URL{Scheme: u.Scheme, Host: host}, nil
}
