// Package e2e runs the real program: Caddy with this module compiled in, on
// real files, between clients, proxies and origins that count. It is ended in
// every way that processes end, and its files meet every fault that files meet.
//
// SOAK=1 makes the short rounds long.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	// What is compiled into the program, so that go test knows that a result of
	// before says nothing of it once that has changed.
	_ "github.com/caddy-proxypool/proxypool"
)

func TestMain(m *testing.M) {
	if runtime.GOOS == "windows" {
		fmt.Println("skipped: these tests end processes with signals")
		return
	}
	dir, err := os.MkdirTemp("", "proxypool-e2e-")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// soaking reports whether there is time for the long rounds.
func soaking() bool { return os.Getenv("SOAK") != "" }

var buildDir string

// binary is Caddy, built by the first test that needs it.
var binary = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	path := filepath.Join(buildDir, "caddy")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "../cmd/caddy").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building Caddy: %w\n%s", err, out)
	}
	return path, nil
})

// eventually waits until a condition holds, and fails the test where it does not
// in time.
func eventually(t *testing.T, what string, within time.Duration, condition func() bool) {
	t.Helper()
	if !comesTrue(within, condition) {
		t.Fatalf("not within %v: %s", within, what)
	}
}

// comesTrue reports whether a condition holds in time.
func comesTrue(within time.Duration, condition func() bool) bool {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(within); ; <-ticker.C {
		if condition() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
