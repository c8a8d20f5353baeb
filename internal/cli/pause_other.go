//go:build !unix

package cli

import "context"

// pauses returns a function that never waits: such systems have no signal for it.
func pauses() (wait func(context.Context) error, end func()) {
	return func(context.Context) error { return nil }, func() {}
}
