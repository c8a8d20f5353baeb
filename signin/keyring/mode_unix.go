//go:build unix

package keyring

import "io/fs"

// open reports whether others than the owner may read or write a file of that mode.
func open(mode fs.FileMode) bool { return mode.Perm()&0o077 != 0 }
