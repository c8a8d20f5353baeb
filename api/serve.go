package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of connections. Those of one request are its route's.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	headerBytes   = 64 << 10
)

// Serve answers on l until ctx ends. Then it takes no more connections, lets requests that are being answered come to
// their end for up to drain, and returns nil; those that are not done by then are cut off, which is logged.
func (s *Server) Serve(ctx context.Context, l net.Listener, drain time.Duration) error {
	watching, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { s.readiness.watch(watching) })
	defer wait.Wait()
	defer stop()
	h := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       DefaultTimeout, // until its route says how long it may take
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // what clients do wrong to connections
	}
	ended := make(chan error, 1)
	wait.Go(func() { ended <- h.Serve(l) })
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := h.Shutdown(limited); err != nil {
		s.log.LogAttrs(limited, slog.LevelWarn, "requests were cut off", slog.Duration("after", drain))
		if err := h.Close(); err != nil {
			return err
		}
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
