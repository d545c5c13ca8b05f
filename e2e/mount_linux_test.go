package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// TestDiskFaults has a small file system of its own for each fault.
func TestDiskFaults(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{
		"full":                       {makes: fillDisk, says: "the disk is full: make room on it"},
		"full before the start":      {makes: fillDisk, fresh: true, says: "the disk is full: make room on it"},
		"full before a second start": {makes: fillDisk, early: true, says: "make sure that it works and is not full"},
		"read-only":                  {makes: readOnly, early: true, says: "it is mounted read-only: mount it for writing"},
		"read-only and empty":        {makes: readOnly, fresh: true, says: "it is mounted read-only: mount it for writing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2, 2, 12)
			w.file = filepath.Join(mountTmpfs(t), "proxy_pool.db")
			f.try(t, w)
		})
	}
}

const tmpfsSize = 2 << 20

// mountTmpfs mounts a file system that has little room.
func mountTmpfs(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		caddytest.Lacks(t, "root, to mount a file system")
	}
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", tmpfsSize))
	if errors.Is(err, syscall.EPERM) {
		caddytest.Lacks(t, "the right to mount a file system: "+err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir
}

// fillDisk leaves no room on the file system.
func fillDisk(t *testing.T, w *world) (end func()) {
	t.Helper()
	ballast, err := os.Create(filepath.Join(filepath.Dir(w.file), "ballast"))
	w.must(err)
	for err == nil {
		_, err = ballast.Write(make([]byte, 4<<10))
	}
	w.must(ballast.Close())
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() { w.must(os.Remove(ballast.Name())) }
}

// readOnly makes the file system read-only, as far as nobody writes to it.
func readOnly(t *testing.T, w *world) (end func()) {
	t.Helper()
	remount := func(flags uintptr) {
		t.Helper()
		w.must(syscall.Mount("", filepath.Dir(w.file), "", syscall.MS_REMOUNT|flags, ""))
	}
	remount(syscall.MS_RDONLY)
	return func() { remount(0) }
}
