package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncFolder makes all files below a folder durable, at once.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}
