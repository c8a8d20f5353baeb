// Package frugal suits the garbage collector to one long operation on an archive: rare collections while the memory is
// small, and a bound that it does not grow over while it is large. It is for a program that does one such thing at a
// time, as a command does; a server has other things in memory.
package frugal

import (
	"runtime/debug"
	"sync"
)

const (
	limit   = 200 << 20 // bytes: the live data are about 150 MB for 100,000 entities, and would grow to twice that
	beyond  = 4 << 30   // bytes of an archive that may need more: at its limit the collector would run all the time
	percent = 400       // of garbage on what is live, as long as the limit allows it: four times fewer collections
)

// Begin begins an operation on an archive of that many bytes and returns the function that ends it. Who sets GOGC or
// GOMEMLIMIT in the environment knows better. It is safe for concurrent use: the first begins, and the last ends it.
func Begin(getenv func(string) string, archive int64) (end func()) {
	if archive > beyond || getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	now.Lock()
	defer now.Unlock()
	if now.users++; now.users == 1 {
		now.limit = debug.SetMemoryLimit(limit)
		if now.garbage = getenv("GOGC") == ""; now.garbage {
			now.percent = debug.SetGCPercent(percent)
		}
	}
	return sync.OnceFunc(func() {
		now.Lock()
		defer now.Unlock()
		if now.users--; now.users > 0 {
			return
		}
		debug.SetMemoryLimit(now.limit)
		if now.garbage {
			debug.SetGCPercent(now.percent)
		}
	})
}

// now is who is frugal, and what was set before.
var now struct {
	sync.Mutex // guards all
	users      int
	limit      int64
	garbage    bool // the percent was changed too
	percent    int
}
