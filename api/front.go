package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"time"
)

// front is what every request passes before it comes to the router.
type front struct {
	log     *slog.Logger
	public  *url.URL
	trusted []netip.Prefix
	origins map[string]bool // of other sites whose pages may call
	metrics *metrics
	next    http.Handler
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i := &info{start: time.Now(), route: notFound, log: f.log, public: f.public}
	f.whence(i, r)
	if i.id == "" {
		i.id = newID()
	}
	r = r.WithContext(context.WithValue(r.Context(), infoKey{}, i))
	rec := &recorder{ResponseWriter: w}
	rec.Header().Set("X-Request-Id", i.id)
	// Until its route says otherwise. A connection keeps the deadline of the request before, so each has to set one.
	_ = http.NewResponseController(w).SetWriteDeadline(i.start.Add(DefaultTimeout + grace))
	f.metrics.begin()
	defer func() { f.metrics.end(r.Method, i.route, rec.code(), time.Since(i.start)) }()
	defer f.access(i, rec, r)
	defer f.rescue(i, rec, r)
	secure(rec.Header())
	if f.cors(rec, r) {
		return
	}
	f.next.ServeHTTP(rec, r)
}

// rescue turns a panic into an answer, and a line in the log that has the same id.
func (f *front) rescue(i *info, w *recorder, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		panic(v)
	}
	f.log.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String(keyID, i.id), slog.String(keyRoute, i.route),
		slog.String(keyError, fmt.Sprint(v)), slog.String(keyStack, string(debug.Stack())))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // half an answer is on its way: the client must not take it for a whole one
	}
	WriteJSON(w, r, http.StatusInternalServerError, Problemf(http.StatusInternalServerError, "Internal Server Error (request %s)", i.id))
}

// access writes the one line of the request. It has no query, as people search for names there.
func (f *front) access(i *info, w *recorder, r *http.Request) {
	level := slog.LevelInfo
	switch {
	case w.code() >= http.StatusInternalServerError && w.code() != http.StatusServiceUnavailable:
		level = slog.LevelError
	case i.quiet:
		level = slog.LevelDebug
	}
	if !f.log.Enabled(r.Context(), level) {
		return
	}
	path := cut(r.URL.Path, 200)
	if i.secret {
		path = i.route
	}
	f.log.LogAttrs(r.Context(), level, "request",
		slog.String(keyID, i.id), slog.String(keyMethod, cut(r.Method, 20)), slog.String(keyPath, path), slog.String(keyRoute, i.route),
		slog.Int(keyStatus, w.code()), slog.Int64(keyBytes, w.bytes),
		slog.Float64(keyTime, float64(time.Since(i.start).Microseconds())/1000),
		slog.String(keyClient, i.client.String()), slog.String(keyUser, i.user))
}

// recorder notes what is answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController find what the writer below can do.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
