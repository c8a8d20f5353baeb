//go:build !unix

package keyring

import "io/fs"

// open reports whether others may read the file, which its mode does not say here.
func open(fs.FileMode) bool { return false }
