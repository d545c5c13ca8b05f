package pool

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func (w *world) visit(name string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return w.proxy(name).Visit(ctx, w.target(api), w.request(http.MethodGet, ""))
}

// TestVisitUsesAConnectionOfItsOwn through a free proxy, and leaves it not open.
func TestVisitUsesAConnectionOfItsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.get()
		if code, err := w.visit("A"); code != 200 || err != nil {
			t.Fatal(code, err)
		}
		if dials, open := w.fake["A"].dialled(), w.fake["A"].open(); dials != 2 || open != 1 {
			t.Errorf("%d connects, %d connections are open", dials, open)
		}
		if row := w.row("A"); row.Requests != 1 {
			t.Errorf("a check counts as a request: %d", row.Requests)
		}
	})
}

// TestVisitReusesAStandingConnection through a metered proxy, whichever there
// is, and leaves one for the next.
func TestVisitReusesAStandingConnection(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2 %v", h2), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, []proxySpec{{"A", 10, 1}}, nil)
				w.fake["A"].be(behaviour{h2: h2})
				w.get()
				for range 3 {
					w.pass(time.Second)
					if code, err := w.visit("A"); code != 200 || err != nil {
						t.Fatal(code, err)
					}
				}
				w.get()
				if dials, open := w.fake["A"].dialled(), w.fake["A"].open(); dials != 1 || open != 1 {
					t.Errorf("%d connects, %d connections are open", dials, open)
				}
			})
		})
	}
}

// TestVisitOnAStaleConnection: that it was closed while it was idle says
// nothing of the proxy.
func TestVisitOnAStaleConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{"A", 10, 1}}, nil)
		w.get()
		stale := w.fake["A"].conns[0]
		w.fake["A"].be(behaviour{answer: func(c *fakeConn, req *http.Request) (*http.Response, error) {
			if c == stale {
				return breaks(c, req)
			}
			return ok(c, req)
		}})
		w.pass(time.Second)
		if code, err := w.visit("A"); code != 200 || err != nil {
			t.Errorf("%d, %v", code, err)
		}
	})
}

func TestVisitFails(t *testing.T) {
	tests := []struct {
		name   string
		be     behaviour
		reason string
	}{
		{"refused", behaviour{err: refused}, "dial_refused"},
		{"no tunnel", behaviour{err: noTunnel}, "tunnel_refused"},
		{"broken", behaviour{answer: breaks}, "conn_reset"},
		{"silent", behaviour{answer: silent}, "canceled"},
		{"the proxy's answer", behaviour{answer: proxySays(407)}, "proxy_auth"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, []proxySpec{{"A", 10, 1}}, nil)
				w.fake["A"].be(tt.be)
				_, err := w.visit("A")
				if err == nil || Reason(err) != tt.reason {
					t.Errorf("error %v, reason %q", err, Reason(err))
				}
				if n := w.row("A").FailureCount + int(w.route("A").failures.Load()); n != 0 {
					t.Errorf("a visit blames: %d failures", n)
				}
				if got := w.fake["A"].open(); got != 0 && tt.reason != "proxy_auth" {
					t.Errorf("%d connections are open", got)
				}
			})
		})
	}
}

func TestVisitReadsNoMoreThanItNeeds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{"A", 10, 1}}, nil)
		endless := strings.NewReader(strings.Repeat("x", 1<<20))
		w.fake["A"].be(behaviour{answer: func(c *fakeConn, _ *http.Request) (*http.Response, error) {
			return c.respond(200, endless), nil
		}})
		if code, err := w.visit("A"); code != 200 || err != nil {
			t.Fatal(code, err)
		}
		if read := 1<<20 - endless.Len(); read > maxCheckBody {
			t.Errorf("read %d bytes", read)
		}
		if got := w.fake["A"].open(); got != 0 {
			t.Errorf("%d connections are kept", got)
		}
	})
}

// TestCheckDue: when the next check is due after what happened before.
func TestCheckDue(t *testing.T) {
	const m = time.Minute
	tests := []struct {
		name    string
		cost    float64
		metered time.Duration
		before  func(*world)
		want    time.Duration
	}{
		{"free, after a check", 0, 10 * m, func(w *world) { w.check("A", true, 0) }, m},
		{"free, whatever is forwarded", 0, 10 * m, func(w *world) { w.check("A", true, 0); w.pass(30 * time.Second); w.get() }, m / 2},
		{"metered, after a check", 1, 10 * m, func(w *world) { w.check("A", true, 0) }, 10 * m},
		{"metered, put off by a request", 1, 10 * m, func(w *world) { w.check("A", true, 0); w.pass(5 * m); w.get() }, 10 * m},
		{"metered, after a failure", 1, 10 * m, func(w *world) { w.check("A", false, 0) }, m},
		{"metered, down", 1, 10 * m, func(w *world) { w.fail("A", 3) }, 5 * time.Second},
		{"metered, sooner than the others", 1, m / 2, func(w *world) { w.check("A", true, 0) }, m / 2},
		{"metered, after a failure that does not count", 1, 10 * m, func(w *world) { w.get(); w.check("A", false, 0) }, m},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, []proxySpec{{"A", 10, tt.cost}}, func(c *Config) { c.Checks.MeteredInterval = tt.metered })
				tt.before(w)
				got := time.Until(time.Unix(0, w.proxy("A").CheckDue())).Round(10 * time.Millisecond)
				if got != tt.want {
					t.Errorf("due in %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// TestVisitKeepsItsTargetKnown, and is no reason to probe its routes.
func TestVisitKeepsItsTargetKnown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{"A", 10, 1}}, nil)
		target := w.target(api)
		for i := range maxTargets + 10 {
			w.pass(time.Second)
			if _, err := w.visit("A"); err != nil {
				t.Fatal(err)
			}
			w.target(fmt.Sprintf("t%d.example.com:443", i))
		}
		if target.Evicted() {
			t.Error("the target of checks was forgotten")
		}
		if target.asked.Load() != 0 || w.state.lastTarget.Load() != nil {
			t.Error("a check counts as a request")
		}
	})
}

// TestAskWritesOnceASecond at most: all requests share the word.
func TestAskWritesOnceASecond(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		target := w.target(api)
		start := time.Now()
		for _, passed := range []time.Duration{0, time.Second / 2, time.Second} {
			target.ask(start.Add(passed))
			if got := target.asked.Load(); got != start.UnixNano() {
				t.Errorf("written after %v", passed)
			}
		}
		target.ask(start.Add(time.Second + 1))
		if target.asked.Load() == start.UnixNano() {
			t.Error("not written after more than a second")
		}
	})
}

// TestConnectionOfAMeteredProbeIsKept, that of a lost race is not.
func TestConnectionOfAMeteredProbeIsKept(t *testing.T) {
	for asProbe, want := range map[bool]int{true: 1, false: 0} {
		inBubble(t, func(t *testing.T) {
			w := newWorld(t, []proxySpec{{"A", 10, 1}}, nil)
			w.connect(w.proxy("A"), asProbe)
			if got := w.fake["A"].open(); got != want {
				t.Errorf("probe %v: %d connections are open, want %d", asProbe, got, want)
			}
		})
	}
}
