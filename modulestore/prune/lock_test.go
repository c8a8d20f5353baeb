//go:build unix

package prune

import (
	"syscall"
	"testing"

	"github.com/openlectern/lectern/fault"
)

// TestLockGoesAtOnce gives an archive free when it is closed, though something else has its file open, as a child that is just being
// started does.
func TestLockGoesAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(dir); !fault.Is(err, fault.Conflict) {
		t.Errorf("locked twice: %v", err)
	}
	held, err := lock.(interface {
		SyscallConn() (syscall.RawConn, error)
	}).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	other := -1
	if err := held.Control(func(fd uintptr) { other, err = syscall.Dup(int(fd)) }); err != nil || other < 0 {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(other) }() // nothing was written
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := lockFolder(dir)
	if err != nil {
		t.Fatalf("locked after it was closed: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
