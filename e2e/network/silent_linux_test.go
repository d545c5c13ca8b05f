package network

import (
	"net/http"
	"testing"
	"time"
)

// everyKind is some load of each kind.
func everyKind() []clients {
	const pause = 20 * time.Millisecond
	return []clients{{kind: get, n: 6, pause: pause}, {kind: post, n: 4, pause: pause}, {kind: tunnel, n: 4, pause: pause}}
}

// TestSilentlyDropped: a proxy from which nothing more is heard, not even a
// refusal.
func TestSilentlyDropped(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terms{cheap: near, http2: http2})
			l := w.put(everyKind()...)
			pass(3 * time.Second)
			cut := time.Now()
			w.cheap.wire.set(weather{cut: true})
			w.eventually("the proxy is down", 25*time.Second, func() bool { return w.status()["Cheap"].Status == "down" })
			down := time.Now()
			w.cheap.wire.set(near)
			w.eventually("it is used again", 15*time.Second, func() bool {
				return l.result(func(a asked) bool { return a.began.After(down) && a.carrier() == "Cheap" }).good != nil
			})
			back := time.Now()
			pass(2 * time.Second)
			l.stop()
			l.tell(t, "silent "+name)
			t.Logf("down after %v, used again %v after it was heard of again", down.Sub(cut), back.Sub(down))
			l.noPostTwice(t)
			l.onlyCaughtFail(t, cut, 0)
			l.spares(t)
			if gap := l.result(ofKind(get)).longestWithout(cut.Add(-time.Second), cut.Add(10*time.Second)); gap > 3*time.Second {
				t.Errorf("no GET was answered for %v", gap)
			}
		})
	}
}

// caught is how long after a way died requests are sent into it: until a probe
// has found out.
const caught = 3 * time.Second

// onlyCaughtFail checks that nothing failed but what nobody may repeat: POSTs and
// tunnels that were sent into a way before anybody could know that it is dead, and
// long answers that had begun. For tunnels nobody can know it for longer where they are
// granted all the same.
func (l *load) onlyCaughtFail(t *testing.T, dead time.Time, tunnels time.Duration) {
	t.Helper()
	r := l.result(func(a asked) bool {
		until := caught
		if a.kind == tunnel {
			until = tunnels
		}
		switch {
		case a.began.After(dead.Add(until)) || a.began.Add(a.took).Before(dead):
			return true
		case a.kind == get:
			return !a.long || a.code != http.StatusOK || a.err == nil
		default:
			return false
		}
	})
	if len(r.bad) > 0 || len(r.good) == 0 {
		t.Errorf("%d of %d requests failed:%s", len(r.bad), len(r.all), some(r.bad))
	}
}
