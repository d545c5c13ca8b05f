package pool

import (
	"testing"
	"time"
)

// TestHasten: where all proxies were down for long, so that their checks are a
// minute apart, a request that finds none has them checked at once, but no more
// often than each recovery_interval.
func TestHasten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		due := func(name string) time.Duration {
			return time.Duration(w.proxy(name).CheckDue() - time.Now().UnixNano())
		}
		for range 10 {
			w.check("A", false, time.Second)
			w.check("B", false, time.Second)
		}
		if due("A") < 50*time.Second || due("B") < 50*time.Second {
			t.Fatalf("the next checks are in %v and %v; that is soon already", due("A"), due("B"))
		}
		o := w.get()
		if o.Status != 503 || o.err.RetryAfter > 5*time.Second {
			t.Errorf("%d with Retry-After %v, want 503 and 5 s at most", o.Status, o.err.RetryAfter)
		}
		if due("A") > 0 || due("B") > 0 {
			t.Errorf("after a request the next checks are in %v and %v", due("A"), due("B"))
		}
		w.check("A", false, time.Second)
		w.check("B", false, time.Second)
		if o := w.get(); o.err.RetryAfter != 5*time.Second {
			t.Errorf("Retry-After is %v, want that of the next time that a request has them checked", o.err.RetryAfter)
		}
		if due("A") < 50*time.Second {
			t.Errorf("a second request, too soon, brought the check to %v from now", due("A"))
		}
		w.pass(5 * time.Second)
		w.get()
		if due("A") > 0 {
			t.Errorf("a recovery interval later it did not: %v", due("A"))
		}
		w.check("B", true, time.Second)
		w.check("A", false, time.Second)
		w.pass(5 * time.Second)
		w.get()
		if due("A") <= 0 {
			t.Error("a request that found a proxy hastened the check of another")
		}
	})
}

// TestHastenIsBounded: of thousands that are down the first few are checked.
func TestHastenIsBounded(t *testing.T) {
	pl := manyProxies(100)
	now := time.Now()
	for _, p := range pl.Proxies() {
		p.State.gate.Store(gateDown)
		p.State.nextCheck.Store(now.Add(time.Minute).UnixNano())
	}
	pl.Proxies()[0].State.gate.Or(gateDisabled)
	pl.hasten(now)
	var hurried []int
	for i, p := range pl.Proxies() {
		if p.CheckDue() <= now.UnixNano() {
			hurried = append(hurried, i)
		}
	}
	if len(hurried) != hastened || hurried[0] != 1 || hurried[hastened-1] != hastened {
		t.Errorf("those at %v are checked, want the first %d that may be", hurried, hastened)
	}
}
