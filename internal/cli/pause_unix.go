//go:build unix

package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// pauses returns a function that waits while somebody has asked by SIGUSR1 to pause, until it comes again.
func pauses() (wait func(context.Context) error, end func()) {
	asked := make(chan os.Signal, 8)
	signal.Notify(asked, syscall.SIGUSR1)
	return func(ctx context.Context) error {
		select {
		case <-asked:
		default:
			return nil
		}
		select {
		case <-asked:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, func() { signal.Stop(asked) }
}
