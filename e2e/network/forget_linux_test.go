package network

import (
	"testing"
	"time"
)

// TestForgottenConnections: a translator of addresses that forgets connections
// drops their packets, and lets new connections pass. The first request that meets
// one waits a second for its answer, and then goes on over a fresh one.
func TestForgottenConnections(t *testing.T) {
	t.Parallel()
	const limit = 4 * time.Second
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run("restarts, "+name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terms{cheap: near, http2: http2})
			l := w.put(everyKind()...)
			pass(3 * time.Second)
			dead := time.Now()
			w.cheap.wire.forgetAll()
			pass(8 * time.Second)
			l.stop()
			l.tell(t, "restarted NAT "+name)
			l.noPostTwice(t)
			l.onlyCaughtFail(t, dead, 0)
			l.allWithin(t, limit, dead.Add(-time.Second))
			l.spares(t)
		})
		t.Run("forgets what is idle, "+name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terms{cheap: near, http2: http2})
			w.cheap.wire.forgetIdle(2 * time.Second)
			for range 3 {
				l := w.put(clients{kind: get, n: 4, pause: 100 * time.Millisecond})
				pass(2 * time.Second)
				l.stop()
				l.tell(t, "forgetful NAT "+name)
				l.noErrors(t)
				l.allWithin(t, limit, l.began)
				l.spares(t)
				pass(3 * time.Second)
			}
		})
	}
}
