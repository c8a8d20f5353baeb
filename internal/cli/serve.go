package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/fault"
)

// served is the document that serve prints when it takes requests: the lines that scripts wait for, or JSON.
type served struct {
	Listening string  `json:"listening"`
	SignIn    *string `json:"sign_in"` // the link that makes the first administrator; null where there are users
}

func (d served) text(w *textWriter) {
	w.line("listening on %s", d.Listening)
	if d.SignIn != nil {
		w.line("sign in once at %s", *d.SignIn)
	}
}

// serving are the flags of serve.
type serving struct {
	listen, public          string
	proxies, origins        []string
	adminConsole, authoring string
	metricsFrom             []string
	metricsToken            string // a file
	logFormat               string
	drain                   time.Duration
}

func (c *cli) serveCommand() *cobra.Command {
	var f serving
	cmd := &cobra.Command{
		Use:   "serve [--listen ADDR] [--public-url URL]",
		Short: "Serve the REST API and the stock clients",
		Long: `Serve answers over HTTP: sign-in, permissions, health, metrics, and the built stock clients of Open edX, each from a
folder. Its first line on the standard output is "listening on URL". Where the database has no user yet, the next is
"sign in once at URL": that link makes the first administrator, once, within an hour.

On a database that is not ready, as its tables are of another age, serve starts and says on /readyz which command to run;
when that is done, it goes on by itself. Several may serve one database.

It ends when it is told to (SIGTERM, SIGINT): requests that are being answered come to their end first.`,
		Args: cobra.NoArgs,
		Example: `  lectern serve
  lectern serve --listen :8080 --public-url https://studio.example.org --trusted-proxies 10.0.0.0/8
  lectern serve --admin-console ~/frontend-app-admin-console/dist`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.serve(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.listen, "listen", "localhost:8080", "`address` to listen on, host:port; port 0 takes a free one")
	fl.StringVar(&f.public, "public-url", "", "where browsers find the server, as a `URL` without a path (default http://localhost and the port)")
	fl.StringSliceVar(&f.proxies, "trusted-proxies", nil, "`networks` of proxies whose X-Forwarded-For and X-Request-Id are believed")
	fl.StringSliceVar(&f.origins, "allow-origin", nil, "further `origins` of clients that may call with the user's cookies, such as https://apps.example.org")
	fl.StringVar(&f.adminConsole, "admin-console", "", "`folder` of the built admin console, served at /admin-console/")
	fl.StringVar(&f.authoring, "authoring", "", "`folder` of the built authoring client, served at /authoring/")
	fl.StringSliceVar(&f.metricsFrom, "metrics-from", nil, "`networks` that may read /metrics, besides this machine")
	fl.StringVar(&f.metricsToken, "metrics-token", "", "`file` with a token that lets anybody read /metrics")
	fl.StringVar(&f.logFormat, "log-format", "text", "how the log on the standard error is written: `text` or json")
	fl.DurationVar(&f.drain, "drain", 20*time.Second, "how `long` requests may go on when the server is told to end")
	return cmd
}

func (c *cli) serve(ctx context.Context, f serving) (err error) {
	log, err := c.logger(f.logFormat)
	if err != nil {
		return err
	}
	if f.drain < 0 {
		return usage("--drain", "it is negative")
	}
	conf := api.Config{Log: log, Version: c.env.version(), Origins: f.origins}
	if conf.Trusted, err = api.ParsePrefixes("--trusted-proxies", f.proxies); err != nil {
		return err
	}
	if conf.MetricsFrom, err = api.ParsePrefixes("--metrics-from", f.metricsFrom); err != nil {
		return err
	}
	if conf.MetricsToken, err = readToken(f.metricsToken); err != nil {
		return err
	}
	clients := clientFolders{}
	defer func() { err = errors.Join(err, clients.close()) }()
	if conf.AdminConsole, err = clients.open("--admin-console", f.adminConsole); err != nil {
		return err
	}
	if conf.Authoring, err = clients.open("--authoring", f.authoring); err != nil {
		return err
	}
	l, err := listen(ctx, f.listen)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // Serve has closed it, unless it was not reached
	if conf.Public, err = publicURL(f.public, l.Addr()); err != nil {
		return err
	}
	a, err := app.OpenAnyAge(ctx, c.config(making))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	conf.Store = a
	conf.Checks = []api.Check{{Name: "database", Probe: a.Ready}}
	s, err := api.New(conf)
	if err != nil {
		return err
	}
	s.Refresh(ctx)
	if err := c.print(served{Listening: conf.Public.String()}); err != nil {
		return err
	}
	if err := s.Ready(); err != nil {
		c.warn("not ready: %v", err)
		if next := nextOf(err); next != "" {
			c.warn("  next: %s", next)
		}
	}
	if insecure(conf.Public) {
		c.warn("%s is plain http on another name than localhost: passwords and cookies can be read on the way, and browsers drop cookies that are meant for https", conf.Public)
		c.warn("  next: put a proxy with a certificate before the server, and say so: --public-url https://%s --trusted-proxies ADDRESS", conf.Public.Hostname())
	}
	return s.Serve(ctx, l, f.drain)
}

// warn says on the standard error what is not as it should be, though the server runs.
func (c *cli) warn(format string, args ...any) {
	fmt.Fprintf(c.env.Stderr, "lectern: "+format+"\n", args...)
}

func nextOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Next
	}
	return ""
}

func (c *cli) logger(format string) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	var w io.Writer = c.env.Stderr
	if c.global.quiet {
		o.Level = slog.LevelError
	}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, usage("--log-format", "%q is neither text nor json", format)
}

// listen takes the address. The name localhost means one address, lest another program has the port on the other.
func listen(ctx context.Context, address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usage("--listen", "%q is no address with a port", address).WithNext("write it like localhost:8080, or like :8080 for all addresses of this machine")
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "--listen", "cannot listen on %s: %w", address, err).
			WithNext("see which program has the port, or take a free one: --listen localhost:0")
	}
	return l, nil
}

// publicURL is what a person says, or else localhost with the port of the listener.
func publicURL(said string, at net.Addr) (*url.URL, error) {
	if said != "" {
		return api.ParseOrigin("--public-url", said)
	}
	ap, err := netip.ParseAddrPort(at.String())
	if err != nil {
		return nil, fmt.Errorf("address of the listener: %w", err)
	}
	host := "localhost"
	if !ap.Addr().IsLoopback() && !ap.Addr().IsUnspecified() {
		host = ap.Addr().String()
	}
	return api.ParseOrigin("--listen", "http://"+net.JoinHostPort(host, fmt.Sprint(ap.Port())))
}

// insecure reports whether browsers refuse cookies that are marked for secure connections only.
func insecure(u *url.URL) bool {
	host := u.Hostname()
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || u.Scheme == "https" {
		return false
	}
	a, err := netip.ParseAddr(host)
	return err != nil || !a.IsLoopback()
}

func readToken(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(b))
	if len(token) < 16 {
		return "", usage("--metrics-token", "the token in %s has less than 16 characters", file).WithNext("make one with: openssl rand -hex 32")
	}
	return token, nil
}

// clientFolders are the folders of built clients, opened so that nothing outside them can be reached.
type clientFolders struct{ roots []*os.Root }

// open returns the files of a folder, nil for none given.
func (r *clientFolders) open(flag, dir string) (fs.FS, error) {
	if dir == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.Errorf(fault.Usage, flag, "cannot open %s: %w", filepath.ToSlash(dir), err).WithNext("give the folder dist of a built client")
	}
	r.roots = append(r.roots, root)
	return root.FS(), nil
}

func (r *clientFolders) close() error {
	var err error
	for _, root := range r.roots {
		err = errors.Join(err, root.Close())
	}
	return err
}
