// Package caddytest runs the real program in tests: Caddy with this module
// compiled in, on real files and sockets, under load.
package caddytest

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
)

// Main is the body of a TestMain: it runs the tests, and removes what was built
// for them.
func Main(m *testing.M) {
	if runtime.GOOS == "windows" {
		fmt.Println("skipped: these tests end processes with signals")
		return
	}
	dir, err := os.MkdirTemp("", "proxypool-test-")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var buildDir string

// Binary is the path of Caddy, built by the first test that needs it.
var Binary = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	path := filepath.Join(buildDir, "caddy")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/caddy-proxypool/proxypool/cmd/caddy").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building Caddy: %w\n%s", err, out)
	}
	return path, nil
})
