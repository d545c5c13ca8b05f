package sqlite

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// TestInterruptedWrite: however early or late a write runs out of time, the next
// one goes well.
func TestInterruptedWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	s, err := Open(t.Context(), path, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 400 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Microsecond)
		_ = s.Write(ctx, &pool.Batch{ID: int64(2*i + 1), Usage: []pool.UsageCell{{Pool: "p", Proxy: "a", Target: "t", Quarter: 1}}})
		cancel()
	}
	batch := &pool.Batch{ID: 1 << 40, Usage: []pool.UsageCell{{Pool: "p", Proxy: "a", Target: "t", Quarter: 1}}}
	if err := s.Write(t.Context(), batch); err != nil {
		t.Fatalf("writing after writes that were interrupted: %v", err)
	}
}

// TestLockIsNoLink: what somebody else put in the lock's place is not written to.
func TestLockIsNoLink(t *testing.T) {
	dir := t.TempDir()
	victim, path := filepath.Join(dir, "victim"), filepath.Join(dir, "books.db")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, path+".lock"); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), path, func(string) {}); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("got %v, %v", s, err)
	}
	if got, err := os.ReadFile(victim); string(got) != "precious" {
		t.Errorf("the file behind the link holds %q, %v", got, err)
	}
}

// TestDamagedFilesAreBounded: a disk that damages every file is not filled with them.
func TestDamagedFilesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	for i := range maxAside {
		name := path + ".damaged-" + time.Unix(int64(i), 0).UTC().Format("20060102T150405Z")
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("garbage", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, func(string) {}); err == nil || !strings.Contains(err.Error(), "move those away") {
		t.Errorf("got %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(got), "garbage") {
		t.Errorf("the damaged file is gone: %v", err)
	}
}
