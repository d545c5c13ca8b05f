// Package e2e runs the real program: Caddy with this module compiled in, on
// real files, between clients, proxies and origins that count. It is ended in
// every way that processes end, and its files meet every fault that files meet.
//
// SOAK=1 makes the short rounds long.
package e2e

import (
	"os"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"

	// What is compiled into the program, so that go test knows that a result of
	// before says nothing of it once that has changed.
	_ "github.com/caddy-proxypool/proxypool"
)

func TestMain(m *testing.M) { caddytest.Main(m) }

// soaking reports whether there is time for the long rounds.
func soaking() bool { return os.Getenv("SOAK") != "" }

// process is a running Caddy, and what these tests ask it.
type process struct {
	*caddytest.Process
	t *testing.T
}

type (
	setup = caddytest.Setup
	used  = caddytest.Used
)

func start(t *testing.T, s setup) *process {
	t.Helper()
	return &process{caddytest.Start(t, s), t}
}
