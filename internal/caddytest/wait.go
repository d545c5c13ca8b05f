package caddytest

import (
	"testing"
	"time"
)

// Eventually waits until a condition holds, and fails the test where it does not
// in time.
func Eventually(t testing.TB, what string, within time.Duration, condition func() bool) {
	t.Helper()
	if !ComesTrue(within, condition) {
		t.Fatalf("not within %v: %s", within, what)
	}
}

// ComesTrue reports whether a condition holds in time.
func ComesTrue(within time.Duration, condition func() bool) bool {
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
