package soak

import (
	"os"
	"syscall"
	"testing"
)

// storeDir is a directory for the store: a small file system of its own, which
// can be filled, where that may be mounted.
func storeDir(t *testing.T) (dir string, canFill bool) {
	t.Helper()
	dir = t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m")
	if err == nil {
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				t.Errorf("unmounting: %v", err)
			}
		})
		return dir, true
	}
	if os.Getenv("E2E_REQUIRE") != "" {
		t.Fatalf("mounting a file system, which needs root: %v", err)
	}
	t.Logf("left out: the disk does not fill, because mounting a small one needs root: %v", err)
	return dir, false
}
