package cli

import "runtime"

// roomy lets a server's garbage grow to some 32 MiB before it is collected, whatever else it holds. A small site's few
// megabytes would else be gone through several times a second under load, while requests wait for a processor. It returns
// the function that ends it. Who sets GOGC or GOMEMLIMIT knows better.
func (c *cli) roomy() (end func()) {
	const room = 32 << 20
	if c.env.Getenv("GOGC") != "" || c.env.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	// The collector runs when the heap has doubled. What is never written to counts for it and takes no memory.
	held := make([]byte, room)
	return func() { runtime.KeepAlive(held) }
}
