// Package soak lets a Caddy with this module live through chaos, and holds it to
// its promises all along: proxies fail in every way and recover, the
// configuration changes under load, Caddy is killed and started again, the disk
// fills, clients come and go, and several of these at once.
//
// What happens, and when, comes from a seed alone (plan_test.go): SOAK_SEED
// repeats a run. SOAK_TIME is how long one takes.
package soak

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"

	// What is compiled into the program, so that go test knows that a result of
	// before says nothing of it once that has changed.
	_ "github.com/caddy-proxypool/proxypool"
)

func TestMain(m *testing.M) { caddytest.Main(m) }

// shortSeed and shortTime are of the round that is part of every full test run.
const (
	shortSeed = 20261126
	shortTime = 40 * time.Second
)

// TestSoak is the whole of it. It runs where E2E_REAL or SOAK_TIME is set.
func TestSoak(t *testing.T) {
	seed, length := uint64(shortSeed), shortTime
	switch text := os.Getenv("SOAK_TIME"); {
	case text != "":
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("reading SOAK_TIME: %v", err)
		}
		seed = rand.Uint64()
	case os.Getenv("E2E_REAL") == "":
		t.Skip("skipped: the soak runs where E2E_REAL=1 or SOAK_TIME is set")
	}
	if text := os.Getenv("SOAK_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("reading SOAK_SEED: %v", err)
		}
	}
	t.Logf("SOAK_SEED=%d SOAK_TIME=%v", seed, length)
	s := newSoak(t, seed)
	for n, r := range newPlan(seed, length, s.world.canFill).rounds {
		if s.live(n, r); t.Failed() {
			break
		}
	}
	s.end()
}
