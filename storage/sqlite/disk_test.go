//go:build linux

package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/pool"
)

// mountDisk mounts a small disk in memory.
func mountDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		caddytest.Lacks(t, fmt.Sprintf("a small disk, which root may mount: %v", err))
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
	})
	return dir
}

// fillDisk leaves no room on a disk, and returns the file that takes it.
func fillDisk(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "other-data")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 16, 4096, 1} {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
	return name
}

// TestFullDisk fills the disk at different moments, and makes room again.
func TestFullDisk(t *testing.T) {
	dir := mountDisk(t, "3m")
	path := filepath.Join(dir, "proxy_pool.db")
	store := openAt(t, path)
	last := int64(0)
	for round := range 6 {
		filled := fillDisk(t, dir)
		var err error
		for range 200 {
			// What is in the -wal file already can be written over for a while.
			if err = store.Write(t.Context(), batch(last+1)); err != nil {
				break
			}
			last++
		}
		wantError(t, err, false, "the disk", "full")
		if n := lastBatch(t, store); n != last {
			t.Fatalf("round %d: %d batches while the disk is full, expected %d", round, n, last)
		}
		if err := os.Remove(filled); err != nil {
			t.Fatal(err)
		}
		// The same batch is tried again.
		writeBatches(t, store, last+1, last+3)
		last += 3
		if n := lastBatch(t, store); n != last {
			t.Fatalf("round %d: %d batches, expected %d", round, n, last)
		}
		if round%2 == 1 {
			closed(t, store)
			store = openAt(t, path)
		}
	}
	closed(t, store)
	if files := damagedFiles(t, path); len(files) != 0 {
		t.Errorf("set aside: %v", files)
	}
}

// TestClosedOnFullDisk cannot complete the file when it is closed.
func TestClosedOnFullDisk(t *testing.T) {
	dir := mountDisk(t, "3m")
	path := filepath.Join(dir, "proxy_pool.db")
	store := openAt(t, path)
	writeBatches(t, store, 1, 15)
	filled := fillDisk(t, dir)
	if err := store.Close(); err != nil {
		t.Logf("closing: %v", err)
	}
	if err := os.Remove(filled); err != nil {
		t.Fatal(err)
	}
	store = openAt(t, path)
	defer closed(t, store)
	if n := lastBatch(t, store); n != 15 {
		t.Errorf("%d batches, expected 15", n)
	}
}

// TestOpenOnFullDisk begins where there is no room at all.
func TestOpenOnFullDisk(t *testing.T) {
	dir := mountDisk(t, "2m")
	path := filepath.Join(dir, "proxy_pool.db")
	filled := fillDisk(t, dir)
	refused(t, path, "full")
	if err := os.Remove(filled); err != nil {
		t.Fatal(err)
	}
	made(t, path, 2)
	filled = fillDisk(t, dir)
	refused(t, path, "full")
	if err := os.Remove(filled); err != nil {
		t.Fatal(err)
	}
	store := openAt(t, path)
	defer closed(t, store)
	if n := lastBatch(t, store); n != 2 {
		t.Errorf("%d batches, expected 2", n)
	}
}

// TestReadOnlyDisk opens a store on a disk that may not be written to.
func TestReadOnlyDisk(t *testing.T) {
	dir := mountDisk(t, "3m")
	path := filepath.Join(dir, "state", "proxy_pool.db")
	made(t, path, 2)
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=3m"); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	refused(t, path, "mounted read-only")
	refused(t, filepath.Join(dir, "new", "proxy_pool.db"), "mounted read-only")
	remount(0)
	store := openAt(t, path)
	defer closed(t, store)
	if n := lastBatch(t, store); n != 2 {
		t.Errorf("%d batches, expected 2", n)
	}
	if err := store.Write(t.Context(), &pool.Batch{ID: 3}); err != nil {
		t.Error(err)
	}
}

// TestGrowingDisk begins on disks that are too small for many batches, so that
// they are full at all kinds of moments, and gives them more room.
func TestGrowingDisk(t *testing.T) {
	for size := 256; size <= 1024; size += 128 {
		t.Run(fmt.Sprintf("%dk", size), func(t *testing.T) {
			dir := mountDisk(t, fmt.Sprintf("%dk", size))
			path := filepath.Join(dir, "proxy_pool.db")
			store := openAt(t, path)
			last := int64(0)
			var err error
			for err == nil && last < 10_000 {
				if err = store.Write(t.Context(), batch(last+1)); err == nil {
					last++
				}
			}
			wantError(t, err, false, "the disk", "full")
			if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=4m"); err != nil {
				t.Fatal(err)
			}
			writeBatches(t, store, last+1, last+2)
			if n := lastBatch(t, store); n != last+2 {
				t.Errorf("%d batches, expected %d", n, last+2)
			}
			closed(t, store)
		})
	}
}

// asNobody does something as a user without rights. Only the thread it runs on
// changes, and ends with it.
func asNobody(t *testing.T, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		do()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good, so that the thread is not used again
		if err := syscall.Setfsuid(65534); err != nil {
			t.Errorf("becoming nobody: %v", err)
			return
		}
		do()
	}()
	<-done
}

func TestNoPermission(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "proxy_pool.db")
	made(t, path, 1)
	for name, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o555, path: 0o444} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{path, filepath.Join(dir, "other.db"), filepath.Join(dir, "deeper", "proxy_pool.db")} {
		asNobody(t, func() {
			store, err := openStore(path)
			if err == nil {
				t.Errorf("%s was opened", path)
				store.Close()
				return
			}
			if !strings.Contains(err.Error(), "let the user that Caddy runs as write there") {
				t.Errorf("error %q, expected what to do", err)
			}
		})
	}
}
