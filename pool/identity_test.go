package pool

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestOldAddressCountsForNothing: whatever began over the address that a proxy
// had before tells nothing of the one that it has now.
func TestOldAddressCountsForNothing(t *testing.T) {
	tests := map[string]func(w *world, old *Proxy){
		"failures of the proxy": func(_ *world, old *Proxy) { old.blame(time.Now(), "dial_refused") },
		"failures of the route": func(w *world, old *Proxy) { old.blameRoute(w.route("A"), time.Now(), "tunnel_refused") },
		"a block":               func(w *world, old *Proxy) { old.block(w.route("A"), time.Now().Add(time.Hour), "403") },
		"a failed check":        func(_ *world, old *Proxy) { old.Checked(CheckResult{Start: time.Now(), Reason: "check: timeout"}) },
		"a passed check": func(_ *world, old *Proxy) {
			old.Checked(CheckResult{Start: time.Now(), OK: true, Duration: time.Minute})
		},
		"a success": func(_ *world, old *Proxy) { old.succeeded(time.Now()) },
	}
	for name, late := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, []proxySpec{{"A", 10, 5}, {"B", 20, 0}}, nil)
				old := w.proxy("A")
				w.reload(func(c *Config) { c.Proxies[0].Identity = "new" })
				look := func() Row {
					row := w.row("A")
					row.Proxy = nil
					return row
				}
				before := look()
				for range 4 {
					w.pass(time.Millisecond)
					late(w, old)
				}
				if diff := cmp.Diff(before, look()); diff != "" {
					t.Errorf("row (-before +after):\n%s", diff)
				}
				w.wantOrder("A B")
			})
		})
	}
}

// TestOldAddressForgivesNothing: nor do its successes clear failures.
func TestOldAddressForgivesNothing(t *testing.T) {
	tests := map[string]func(w *world, old *Proxy){
		"a success":             func(_ *world, old *Proxy) { old.succeeded(time.Now()) },
		"a success of a route":  func(w *world, old *Proxy) { old.routeSucceeded(w.route("A")) },
		"a connect that stands": func(w *world, old *Proxy) { w.connect(old, false) },
		"a passed check":        func(_ *world, old *Proxy) { old.Checked(CheckResult{Start: time.Now(), OK: true}) },
	}
	for name, late := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				old := w.proxy("A")
				w.reload(func(c *Config) { c.Proxies[0].Identity = "new" })
				w.fail("A", 2)
				w.failRoute("A", 3)
				w.pass(time.Second)
				late(w, old)
				row := w.row("A")
				if row.FailureCount != 2 || row.FailingFor == nil || w.proxy("A").State.connectTime.value() != 0 {
					t.Errorf("row %+v", row)
				}
			})
		})
	}
}

// connect makes one connection to the api that nobody takes.
func (w *world) connect(p *Proxy, asProbe bool) {
	wake := make(chan struct{}, 1)
	c := p.connect(w.route(p.Name), &w.options, wanted{probe: asProbe}, wake)
	<-wake
	c.leave(wake)
}

// TestOldConnectFailsLate: it began before the reload, and is over after it.
func TestOldConnectFailsLate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) { c.Proxies[0].MaxFailures = 1 })
		w.fake["A"].be(behaviour{delay: 3 * time.Second, err: refused})
		over := w.later(w.get)
		w.pass(500 * time.Millisecond)
		w.reload(func(c *Config) { c.Proxies[0].Identity = "new" })
		w.pass(4 * time.Second)
		w.wantTrail(<-over, 200, "A:overdue B:ok")
		w.wantStatus("A", StatusHealthy)
	})
}

// TestOldCheckPutsNothingOff: the new address is checked at once, whatever a
// check of the old one says meanwhile, and by nobody who only knows the old one.
func TestOldCheckPutsNothingOff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		old := w.proxy("A")
		w.reload(func(c *Config) { c.Proxies[0].Identity = "new" })
		old.Checked(CheckResult{Start: time.Now(), OK: true})
		if due := w.proxy("A").CheckDue(); due > time.Now().UnixNano() {
			t.Errorf("due in %v", time.Until(time.Unix(0, due)))
		}
		if old.BeginCheck() {
			t.Error("the old address is checked")
		}
		if !w.proxy("A").BeginCheck() {
			t.Error("the new address is not checked")
		}
	})
}
