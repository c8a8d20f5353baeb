//go:build unix

package lease

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// fateOf finds out whether the process that had the id when it began at ticks still runs.
func fateOf(pid int, ticks string) fate {
	// A process of another user takes no signal, and yet there is one. Not by /proc, which may hide those of others.
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return gone
	}
	began, ended := started(pid)
	if ended || began != "" && ticks != "" && began != ticks {
		return gone // dead and not yet waited for, or the id is another's now
	}
	return running
}

// started returns when a process began, in clock ticks since the machine did ("" where /proc does not say), and whether it
// has ended and only waits to be collected.
func started(pid int) (ticks string, ended bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}
	// The second field is a name in parentheses that may hold anything; the third follows it.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	const state, start = 3, 22
	if len(f) <= start-state {
		return "", false
	}
	s := string(f[0])
	return string(f[start-state]), s == "Z" || s == "X"
}
