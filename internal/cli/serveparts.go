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

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/fault"
)

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
