package pool

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// reload makes a second pool over the same state, as a reload does before the
// first one is cleaned up, and sends through it from now on.
func (w *world) reload(change func(*Config)) (before *Pool) {
	before = w.Pool
	config := w.config
	config.Proxies = append([]ProxyConfig(nil), config.Proxies...)
	if change != nil {
		change(&config)
	}
	w.Pool = New(config, w.state)
	w.Adopt()
	w.pass(time.Millisecond)
	return before
}

func TestReloadKeepsWhatIsKnown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{"A", 10, 5}, {"B", 20, 0}, {"C", 30, 0}, {"D", 40, 0}, {"E", 50, 0}}, nil)
		w.get()
		w.route("A").account.Count(1<<30, 0)
		w.check("A", true, time.Second)
		w.fail("B", 3)
		w.do("C", "disable")
		w.proxy("D").block(w.route("D"), time.Now().Add(time.Hour), "403")
		w.failRoute("E", 3)
		rows := func() []Row {
			var rows []Row
			for _, p := range w.Pool.Proxies() {
				row := p.Snapshot()
				row.Proxy = nil
				rows = append(rows, row)
			}
			return rows
		}
		before := rows()
		w.wantEvents("B healthy>down: dial_refused", "D healthy>blocked: 403")
		w.reload(nil)
		if diff := cmp.Diff(before, rows()); diff != "" {
			t.Errorf("rows (-before +after):\n%s", diff)
		}
		w.wantTrail(w.get(), 200, "A:ok")
		if got := w.fake["A"].dialled(); got != 1 {
			t.Error("the standing connection is gone")
		}
		w.wantEvents()
	})
}

func TestReloadChangesTheOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.get()
		w.reload(func(c *Config) { c.Proxies[1].Priority = 1 })
		w.wantTrail(w.get(), 200, "B:ok")
	})
}

// TestChangedIdentity: where the URL of a name changed, health, blocks and
// damping begin anew and it is checked at once; counters stay.
func TestChangedIdentity(t *testing.T) {
	for _, cost := range []float64{0, 5} {
		inBubble(t, func(t *testing.T) {
			due := 0
			w := newWorld(t, []proxySpec{{"A", 10, cost}, {"B", 20, 0}}, func(c *Config) { c.OnDue = func() { due++ } })
			w.get()
			for range 3 {
				w.check("A", true, 3*time.Second)
			}
			w.proxy("A").block(w.route("A"), time.Now().Add(time.Hour), "403")
			w.failRoute("A", 3)
			for range 3 {
				w.relapse("A")
			}
			w.do("B", "disable")
			due = 0
			changed := time.Now()
			w.reload(func(c *Config) { c.Proxies[0].Identity, c.Proxies[1].Identity = "new", "new" })
			row := w.row("A")
			if row.Status != StatusHealthy || !row.Usable || row.FailureCount != 0 || row.BlockedFor != nil || row.FailingFor != nil || row.LastError != "" {
				t.Errorf("health has not begun anew: %+v", row)
			}
			if row.Requests != 1 {
				t.Errorf("%d requests, want 1", row.Requests)
			}
			if w.proxy("A").CheckDue() > changed.UnixNano() || due == 0 {
				t.Errorf("checked at %v, changed at %v, the checker was woken %d times", row.NextCheck, changed, due)
			}
			if w.row("B").Active {
				t.Error("disabled no more")
			}
			if got := w.fake["A"].open(); got != 0 {
				t.Errorf("%d connections of the old address are open", got)
			}
			w.relapse("A")
			w.wantStatus("A", StatusHealthy) // no damping
			dials := w.fake["A"].dialled()
			w.wantTrail(w.get(), 200, "A:ok")
			if w.fake["A"].dialled() == dials {
				t.Error("no connection was made to the new address")
			}
		})
	}
}

// TestOldConnectionsAreNotKeptForANewIdentity, although a request of the old
// configuration ends only now.
func TestOldConnectionsAreNotKeptForANewIdentity(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			w := newWorld(t, named("A"), nil)
			w.fake["A"].be(behaviour{h2: h2, answer: after(3*time.Second, ok)})
			over := w.later(w.get)
			w.pass(time.Second)
			w.reload(func(c *Config) { c.Proxies[0].Identity = "new" })
			w.wantTrail(<-over, 200, "A:ok")
			if got := w.fake["A"].open(); got != 0 {
				t.Errorf("h2 %v: %d connections", h2, got)
			}
		})
	}
}

// TestConnectionsOfTwoIdentitiesNeverMix, while configurations overlap: each
// works, and leaves nothing to the other.
func TestConnectionsOfTwoIdentitiesNeverMix(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			w := newWorld(t, named("A"), nil)
			w.fake["A"].be(behaviour{h2: h2})
			before := w.reload(func(c *Config) { c.Proxies[0].Identity = "new" })
			w.Pool = before
			for want := range 3 {
				w.pass(time.Millisecond)
				w.wantTrail(w.get(), 200, "A:ok")
				if dials, open := w.fake["A"].dialled(), w.fake["A"].open(); dials != want+1 || open != 0 {
					t.Errorf("h2 %v: %d connects, %d connections are open", h2, dials, open)
				}
			}
		})
	}
}

func TestNewChangesNothingBeforeAdopt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{"A", 10, 10}, {"B", 20, 0}}, nil)
		w.fail("A", 3)
		config := w.config
		config.Proxies = []ProxyConfig{w.config.Proxies[0]}
		config.Proxies[0].Identity, config.Proxies[0].CostPerGB = "new", 1
		New(config, w.state) // validated, and thrown away
		w.wantStatus("A", StatusDown)
		w.route("A").account.Count(1<<30, 0)
		if cost := w.proxy("A").State.ledger.totals().Cost; cost != 10e9 {
			t.Errorf("booked %d", cost)
		}
	})
}

func TestProxyThatLeavesKeepsItsHistory(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.get()
		w.fail("A", 3)
		w.reload(func(c *Config) { c.Proxies = c.Proxies[1:] })
		if got := w.fake["A"].open(); got != 0 {
			t.Errorf("%d connections of one that left", got)
		}
		w.wantTrail(w.get(), 200, "B:ok")
		w.reload(nil)
		if row := w.row("A"); row.Status != StatusDown || row.Requests != 1 {
			t.Errorf("row %+v", row)
		}
	})
}

func TestRequestsOfTheOldConfigurationFinish(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{delay: 500 * time.Millisecond, answer: after(time.Second, breaks)})
		w.fake["B"].be(behaviour{delay: 500 * time.Millisecond})
		over := w.later(w.get)
		w.pass(100 * time.Millisecond)
		w.reload(func(c *Config) { c.Proxies = c.Proxies[:1] })
		w.wantTrail(<-over, 200, "A:conn_reset B:ok")
	})
}

// TestClosedState: requests that run finish, and nothing is kept.
func TestClosedState(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			w := newWorld(t, named("A B"), nil)
			w.fake["A"].be(behaviour{h2: h2})
			w.get()
			w.fake["A"].be(behaviour{h2: h2, answer: after(3*time.Second, ok)})
			onKept := w.later(w.get)
			connecting := make(chan outcome, 1)
			w.fake["A"].be(behaviour{h2: h2, delay: time.Second, answer: after(3*time.Second, ok)})
			go func() { connecting <- w.send(w.request(http.MethodGet, ""), "other.example.com:443") }()
			w.pass(500 * time.Millisecond)
			w.state.Close()
			for _, over := range []<-chan outcome{onKept, connecting} {
				if o := <-over; o.Status != 200 {
					t.Errorf("h2 %v: %d %q", h2, o.Status, o.Trail)
				}
			}
			w.pass(time.Second)
			for name, f := range w.fake {
				if got := f.open(); got != 0 {
					t.Errorf("h2 %v: %d connections of %s are open", h2, got, name)
				}
			}
		})
	}
}

func TestCloseEndsConnectsThatNobodyWaitsFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{delay: forever})
		w.wantTrail(w.get(), 200, "A:overdue B:ok")
		w.state.Close()
		w.pass(time.Millisecond)
		if n := len(w.state.running); n != 0 {
			t.Errorf("%d connects go on", n)
		}
		if row := w.row("A"); row.FailureCount != 0 || row.Failed != 0 {
			t.Errorf("row %+v", row)
		}
	})
}

func TestStatesOfProxiesThatLeftAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		for i := range maxRetired + 10 {
			w.state.proxy(string(rune('a'+i%26))+time.Duration(i).String(), time.Now())
		}
		w.reload(nil)
		if n := len(w.state.proxies); n > maxRetired+1 {
			t.Errorf("%d states", n)
		}
		w.wantTrail(w.get(), 200, "A:ok")
	})
}

// TestRestingState: of a pool that left the configuration nothing is kept, not
// even what comes to stand later, until the pool comes back.
func TestRestingState(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			w := newWorld(t, named("A B"), nil)
			w.fake["A"].be(behaviour{h2: h2})
			w.get()
			w.fake["A"].be(behaviour{h2: h2, answer: after(900*time.Millisecond, ok)})
			onKept := w.later(w.get)
			w.fake["A"].be(behaviour{h2: h2, delay: 900 * time.Millisecond})
			connecting := w.later(func() outcome { return w.getFrom("other.example.com:443") })
			overtaken := w.later(func() outcome {
				w.connect(w.proxy("A"), false)
				return outcome{Status: 200}
			})
			w.pass(500 * time.Millisecond)
			w.state.Rest()
			for _, over := range []<-chan outcome{onKept, connecting, overtaken} {
				if o := <-over; o.Status != 200 {
					t.Errorf("h2 %v: %d %q", h2, o.Status, o.Trail)
				}
			}
			w.pass(time.Second)
			for name, f := range w.fake {
				if got := f.open(); got != 0 {
					t.Errorf("h2 %v: %d connections of %s are open", h2, got, name)
				}
			}
			w.reload(nil)
			w.fake["A"].be(behaviour{h2: h2})
			w.wantTrail(w.get(), 200, "A:ok")
			if got := w.fake["A"].open(); got != 1 {
				t.Errorf("h2 %v: %d connections are open after the pool came back", h2, got)
			}
		})
	}
}

// TestForgottenProxiesLeaveNothing: neither their routes, nor the connection of
// a request that still runs.
func TestForgottenProxiesLeaveNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		target := w.target(api)
		var states []*ProxyState
		identity := "x"
		for i := range maxRetired + 10 {
			s := w.state.proxy(fmt.Sprint("P", i), time.Now())
			s.identity.Store(&identity)
			target.route(&Proxy{State: s})
			states = append(states, s)
		}
		w.reload(nil)
		routes, recognised := 0, 0
		for _, s := range states {
			if target.known(s) != nil {
				routes++
			}
			if s.isIdentity(identity) {
				recognised++
			}
		}
		if routes != maxRetired || recognised != maxRetired {
			t.Errorf("%d routes, connections of %d proxies are kept", routes, recognised)
		}
	})
}
