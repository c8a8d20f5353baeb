package cli

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/roleshift"
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
	hideUnflagged, oldNames bool
	metricsFrom             []string
	metricsToken            string // a file
	logFormat               string
	drain                   time.Duration
	uploadSpace             int64 // MiB
	recognising
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
	fl.StringVar(&f.public, "public-url", "", "where browsers find the server, as a `URL` without a path ($LECTERN_PUBLIC_URL, default http://localhost and the port)")
	fl.StringSliceVar(&f.proxies, "trusted-proxies", nil, "`networks` of proxies whose X-Forwarded-For and X-Request-Id are believed")
	fl.StringSliceVar(&f.origins, "allow-origin", nil, "further `origins` of clients that may call with the user's cookies, such as https://apps.example.org")
	fl.StringVar(&f.adminConsole, "admin-console", "", "`folder` of the built admin console, served at /admin-console/")
	fl.StringVar(&f.authoring, "authoring", "", "`folder` of the built authoring client, served at /authoring/")
	f.recognising.add(fl)
	fl.BoolVar(&f.hideUnflagged, "authz-hide-unflagged", false, "let /api/authz/v1 give and take roles, and allow anything, in courses whose flag for authoring is on only")
	fl.BoolVar(&f.oldNames, "authz-old-names", false, "let /api/authz/v1 send the fields that were renamed or dropped since openedx-authz 1.23, too")
	fl.StringSliceVar(&f.metricsFrom, "metrics-from", nil, "`networks` that may read /metrics, besides this machine")
	fl.StringVar(&f.metricsToken, "metrics-token", "", "`file` with a token that lets anybody read /metrics")
	fl.Int64Var(&f.uploadSpace, "upload-space", app.DefaultUploads>>20, "`MiB` that the files may take together that jobs were given; each may have 4096")
	fl.StringVar(&f.logFormat, "log-format", "text", "how the log on the standard error is written: `text` or json")
	fl.DurationVar(&f.drain, "drain", 20*time.Second, "how `long` requests may go on when the server is told to end")
	return cmd
}

func (c *cli) serve(ctx context.Context, f serving) (err error) {
	defer c.roomy()()
	log, err := c.logger(f.logFormat)
	if err != nil {
		return err
	}
	if f.drain < 0 {
		return usage("--drain", "it is negative")
	}
	if f.uploadSpace <= 0 || f.uploadSpace > math.MaxInt64>>20 {
		return usage("--upload-space", "%d MiB is no room", f.uploadSpace)
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
	if f.public == "" {
		f.public = c.env.Getenv("LECTERN_PUBLIC_URL")
	}
	if conf.Public, err = publicURL(f.public, l.Addr()); err != nil {
		return err
	}
	var statements atomic.Uint64
	open := c.config(making)
	open.Uploads = f.uploadSpace << 20
	open.OnStatement = func(string) { statements.Add(1) }
	a, err := app.OpenAnyAge(ctx, open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	b, err := c.assemble(a, &f, conf, &statements)
	if err != nil {
		return err
	}
	d := served{Listening: b.public.String()}
	if a.Ready(ctx) == nil {
		text, err := a.FirstLink(ctx)
		if err != nil {
			return err
		}
		d.SignIn = linkTo(b.public, text)
		there, err := a.HasPermissions(ctx)
		if err == nil && there {
			err = b.engine.Refresh(ctx) // it knows the first user, too
		}
		if err != nil {
			return err
		}
	}
	b.server.Refresh(ctx)
	return c.run(ctx, b, a, l, &f, d)
}

// run says where the server is, what is not as it should be, and serves.
func (c *cli) run(ctx context.Context, b *assembled, a *app.App, l net.Listener, f *serving, d served) error {
	notReady := b.server.Ready()
	if err := c.print(d); err != nil {
		return err
	}
	if notReady != nil {
		c.warn("not ready: %v", notReady)
		if next := nextOf(notReady); next != "" {
			c.warn("  next: %s", next)
		}
	}
	if insecure(b.public) {
		c.warn("%s is plain http on another name than localhost: passwords and cookies can be read on the way, and browsers drop cookies that are meant for https", b.public)
		c.warn("  next: put a proxy with a certificate before the server, and say so: --public-url https://%s --trusted-proxies ADDRESS", b.public.Hostname())
	}
	b.log.LogAttrs(ctx, slog.LevelInfo, "listening", slog.String("url", b.public.String()), slog.String("address", l.Addr().String()))
	background, stop := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() { c.beside(background, b, a, notReady != nil) })
	err := b.server.Serve(ctx, l, f.drain)
	stop()
	wait.Wait()
	return err
}

// beside does what goes on while requests are answered, until ctx ends.
func (c *cli) beside(ctx context.Context, b *assembled, a *app.App, late bool) {
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() { watch(ctx, b, a) })
	select {
	case <-ctx.Done():
		return
	case <-b.server.FirstReady():
	}
	if late {
		if err := c.sayFirst(ctx, a, b.public); err != nil {
			c.warn("no first user could be made: %v", err)
		}
		_ = b.engine.Refresh(ctx) // it knows the first user sooner than by watching
	}
	wait.Go(func() { c.watchRoles(ctx, b, a) })
	wait.Go(func() { work(ctx, b, a) })
	wait.Go(func() {
		a.CountRefusals(ctx, refusalsPause, func(err error) {
			b.log.LogAttrs(ctx, slog.LevelWarn, "refusals of old courses wait to be written", slog.String("error", err.Error()))
		})
	})
	b.people.KeepSwept(ctx, func(err error) {
		b.log.LogAttrs(ctx, slog.LevelWarn, "old sessions stay", slog.String("error", err.Error()))
	})
}

// rolesPause is how often a server looks whether roles stand where the authoring flag says: it reads all of them.
const rolesPause = 5 * time.Minute

// refusalsPause is how often a server writes down whom it has refused old courses.
const refusalsPause = time.Minute

// watchRoles tells of roles on the wrong side of the flag, and of what was done about them.
func (c *cli) watchRoles(ctx context.Context, b *assembled, a *app.App) {
	a.As(app.System()).WatchRoles(ctx, rolesPause, func(drift []roleshift.Drift, runs []roleshift.Run, err error) {
		if err != nil {
			b.log.LogAttrs(ctx, slog.LevelWarn, "roles could not be compared with the flag", slog.String("error", err.Error()))
			return
		}
		b.log.LogAttrs(ctx, slog.LevelWarn, "roles do not stand where the authoring flag says: lectern authz reconcile",
			slog.Int("scopes", len(drift)), slog.Int("runs", len(runs)))
	})
}

// watch keeps what permissions are decided by current until ctx ends. It goes on where there are no tables yet.
func watch(ctx context.Context, b *assembled, a *app.App) {
	for ctx.Err() == nil {
		if err := a.Watch(ctx, authz.DefaultPause); err != nil && b.server.Ready() == nil {
			b.log.LogAttrs(ctx, slog.LevelWarn, "permissions cannot be read", slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
		case <-time.After(authz.DefaultPause):
		}
	}
}
