// Package upstream meets the real world: Debian's proxies with the configurations
// of docs/upstream-proxies.md, and the clients that people use, with Caddy between
// them. It runs with make e2e.
package upstream

import (
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"

	// What is compiled into the program, so that go test knows that a result of
	// before says nothing of it once that has changed.
	_ "github.com/caddy-proxypool/proxypool"
)

func TestMain(m *testing.M) { caddytest.Main(m) }
