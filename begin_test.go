package proxypool

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestRequestsWaitForTheStart: the servers may start before the app does, and
// what it knows from before, such as a budget that is spent, must hold for the
// first request already.
func TestRequestsWaitForTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan struct{})
		a := &App{begun: begun}
		waits := func(ctx context.Context) time.Duration {
			start := time.Now()
			a.begin(ctx)
			return time.Since(start)
		}
		if got := waits(t.Context()); got != beginWithin {
			t.Errorf("waited %s for an app that does not start, want %s", got, beginWithin)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := waits(impatient); got != time.Second {
			t.Errorf("waited %s for a client that left after a second", got)
		}
		time.AfterFunc(2*time.Second, func() { close(begun) })
		if got := waits(t.Context()); got != 2*time.Second {
			t.Errorf("waited %s for a start after 2s", got)
		}
		if got := waits(t.Context()); got != 0 {
			t.Errorf("waited %s after the start", got)
		}
	})
}
