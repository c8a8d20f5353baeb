package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// Keys of attributes in the log.
const (
	keyID     = "id"
	keyMethod = "method"
	keyRoute  = "route"
	keyPath   = "path"
	keyStatus = "status"
	keyBytes  = "bytes"
	keyTime   = "ms"
	keyClient = "client"
	keyUser   = "user"
	keyError  = "error"
	keyStack  = "stack"
)

// info is what the layers of one request tell each other. One goroutine at a time uses it.
type info struct {
	id            string
	client        netip.Addr // of the person, where a trusted proxy says so
	peer          netip.Addr // of the connection
	forwarded     bool       // a proxy that is not trusted says it speaks for somebody else
	start         time.Time
	route         string // pattern, for labels
	user          string
	secret, quiet bool
	log           *slog.Logger
	public        *url.URL
}

type infoKey struct{}

// of returns the info of a request; for one that did not pass the server's front it is an empty one, so that handlers
// can be tested by themselves.
func of(r *http.Request) *info {
	if i, ok := r.Context().Value(infoKey{}).(*info); ok {
		return i
	}
	return &info{log: slog.New(slog.DiscardHandler)}
}

func from(ctx context.Context) *info {
	if i, ok := ctx.Value(infoKey{}).(*info); ok {
		return i
	}
	return &info{log: slog.New(slog.DiscardHandler)}
}

// RequestID returns the id of the request that a context belongs to, as logs and the header X-Request-Id have it.
func RequestID(ctx context.Context) string { return from(ctx).id }

// Client returns the address that a request comes from: the connection's, or what a trusted proxy says.
func Client(ctx context.Context) netip.Addr { return from(ctx).client }

// Absolute returns the absolute URL of a path of this server. It is made from the public URL of the configuration, never
// from the request's Host header.
func Absolute(ctx context.Context, path string) string {
	u := from(ctx).public
	if u == nil {
		return path
	}
	return origin(u) + path
}

// origin is scheme and authority of a URL, as browsers write it.
func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// newID makes an id for a request.
func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // cannot fail
	return hex.EncodeToString(b[:])
}

const maxID = 64

// goodID reports whether an id that a proxy gave can go into logs and headers.
func goodID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}
