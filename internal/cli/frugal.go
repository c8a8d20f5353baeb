package cli

import (
	"os"
	"runtime/debug"
	"sync"
)

// frugal keeps the memory of a long operation, whose live data are about 150 MB for 100,000 entities, from growing to
// twice that before it is collected. It returns the function that ends it. Who sets GOMEMLIMIT knows better, and so does
// nobody about an archive beyond all measure, which would make the collector run all the time.
func (c *cli) frugal(archive string) (end func()) {
	const limit, beyond = 200 << 20, 4 << 30
	info, err := os.Stat(archive)
	if err != nil || info.Size() > beyond || c.env.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	thrift.Lock()
	defer thrift.Unlock()
	if thrift.users++; thrift.users == 1 {
		thrift.before = debug.SetMemoryLimit(limit)
	}
	return func() {
		thrift.Lock()
		defer thrift.Unlock()
		if thrift.users--; thrift.users == 0 {
			debug.SetMemoryLimit(thrift.before)
		}
	}
}

// thrift counts who is frugal, as the limit is the whole process's.
var thrift struct {
	sync.Mutex // guards all
	users      int
	before     int64
}
