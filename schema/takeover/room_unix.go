//go:build linux || darwin || freebsd

package takeover

import "syscall"

// room returns how many bytes are free in a folder for this user.
func room(folder string) (int64, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, false
	}
	return int64(uint64(s.Bavail) * uint64(s.Bsize)), true
}
