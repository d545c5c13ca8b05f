package pool

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestHedgeDelay: when the next proxy's connect starts.
func TestHedgeDelay(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name   string
		usual  time.Duration // connect time of A; 0 = unknown
		hedge  time.Duration
		priceB float64
		want   time.Duration // until B's connect starts
	}{
		{"auto, unknown", 0, Auto, 0, time.Second},
		{"auto, twice the usual", 300 * ms, Auto, 0, 600 * ms},
		{"auto, not below 250 ms", 10 * ms, Auto, 0, 250 * ms},
		{"auto, not above 2 s", 1900 * ms, Auto, 0, 2 * time.Second},
		{"as configured", 300 * ms, 100 * ms, 0, 100 * ms},
		{"to a metered one", 300 * ms, 100 * ms, 1, 2 * time.Second},
		{"at once", 300 * ms, 0, 0, 0},
		{"off", 300 * ms, Off, 0, 5 * time.Second}, // A's connect_timeout
		{"off, but not to a metered one", 300 * ms, Off, 1, 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, []proxySpec{{"A", 10, 0}, {"B", 20, tt.priceB}}, func(c *Config) {
					c.Options.HedgeDelay = tt.hedge
					c.Options.Keepalive = Off
				})
				if tt.usual > 0 {
					w.proxy("A").State.connectTime.observe(tt.usual)
				}
				w.fake["A"].be(behaviour{delay: forever})
				o := w.get()
				w.wantTook(o, tt.want)
				if o.Status != 200 || o.Body != "B" {
					t.Errorf("%d %q", o.Status, o.Trail)
				}
			})
		})
	}
}

func TestHedgeMeteredDelayHoldsWhereTheNextIsDearer(t *testing.T) {
	tests := []struct {
		name string
		a, b float64
		want time.Duration
	}{
		{"dearer", 1, 2, 2 * time.Second},
		{"the same", 2, 2, time.Second},
		{"cheaper", 3, 2, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, []proxySpec{{"A", 10, tt.a}, {"B", 20, tt.b}}, nil)
				w.fake["A"].be(behaviour{delay: forever})
				w.wantTook(w.get(), tt.want)
			})
		})
	}
}

func TestFirstToStandWins(t *testing.T) {
	tests := []struct {
		name  string
		a, b  time.Duration
		trail string
		took  time.Duration
	}{
		{"the first, in time", 900 * time.Millisecond, 0, "A:ok", 900 * time.Millisecond},
		{"the first, late", 1200 * time.Millisecond, 500 * time.Millisecond, "B:overdue A:ok", 1200 * time.Millisecond},
		{"the second", 3 * time.Second, 500 * time.Millisecond, "A:overdue B:ok", 1500 * time.Millisecond},
	}
	for _, tt := range tests {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, h2 %v", tt.name, h2), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					w := newWorld(t, named("A B"), nil)
					w.fake["A"].be(behaviour{delay: tt.a, h2: h2})
					w.fake["B"].be(behaviour{delay: tt.b, h2: h2})
					req := w.request(http.MethodPost, "once")
					o := w.send(req, api)
					w.wantTrail(o, 200, tt.trail)
					w.wantTook(o, tt.took)
					w.pass(5 * time.Second)
					if n := w.origin.arrived(req.Header.Get("Id")); n != 1 {
						t.Errorf("the request arrived %d times", n)
					}
				})
			})
		}
	}
}

func TestHedgeOfTheHedge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B C D"), nil)
		w.fake["A"].be(behaviour{delay: forever})
		w.fake["B"].be(behaviour{delay: 500 * time.Millisecond, err: refused})
		w.fake["C"].be(behaviour{delay: forever})
		o := w.get()
		// B after 1 s, C as soon as B failed (A is overdue), D a second later.
		w.wantTrail(o, 200, "B:dial_refused A:overdue C:overdue D:ok")
		w.wantTook(o, 2500*time.Millisecond)
		if o.trace.Hedges != 3 || o.trace.Attempts() != 4 {
			t.Errorf("%d hedges, %d attempts", o.trace.Hedges, o.trace.Attempts())
		}
	})
}

func TestLoserCounts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{delay: 3 * time.Second, err: refused})
		w.wantTrail(w.get(), 200, "A:overdue B:ok")
		if got := w.row("A").FailureCount; got != 0 {
			t.Errorf("%d failures before its end", got)
		}
		w.pass(3 * time.Second)
		if row := w.row("A"); row.FailureCount != 1 || row.Failed != 1 || row.LastError != "dial_refused" {
			t.Errorf("row %+v", row)
		}
	})
}

func TestLoserEndsAtConnectTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{delay: forever})
		w.get()
		w.pass(3900 * time.Millisecond)
		if got := w.row("A").FailureCount; got != 0 {
			t.Errorf("%d failures before connect_timeout", got)
		}
		w.pass(200 * time.Millisecond)
		if row := w.row("A"); row.FailureCount != 1 || row.LastError != "dial_timeout" {
			t.Errorf("row %+v", row)
		}
	})
}

// TestLosersConnection is kept where it is free, and closed where it costs.
func TestLosersConnection(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		for _, cost := range []float64{0, 1} {
			t.Run(fmt.Sprintf("h2 %v, %v $/GB", h2, cost), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					w := newWorld(t, []proxySpec{{"A", 10, cost}, {"B", 20, 0}}, nil)
					w.fake["A"].be(behaviour{delay: 2 * time.Second, h2: h2})
					w.wantTrail(w.get(), 200, "A:overdue B:ok")
					w.pass(2 * time.Second)
					kept := 1 - int(cost)
					if got := w.fake["A"].open(); got != kept {
						t.Errorf("%d connections, want %d", got, kept)
					}
					if kept == 1 {
						o := w.get()
						w.wantTrail(o, 200, "A:ok")
						w.wantTook(o, 0)
						if o.trace.Connect != 0 || w.fake["A"].dialled() != 1 {
							t.Error("connected again")
						}
					}
				})
			})
		}
	}
}

// TestWhileAConnectIsOverdue further requests start with the next proxy at once.
func TestWhileAConnectIsOverdue(t *testing.T) {
	tests := []struct {
		name   string
		a      behaviour
		priceB float64
		addr   string
		before time.Duration // it is not overdue yet
		after  time.Duration
	}{
		{"to the same target", behaviour{delay: forever}, 0, api, 900 * time.Millisecond, 1100 * time.Millisecond},
		{"the proxy itself is not reached", behaviour{reach: forever, delay: forever}, 0, "other.example.com:443", 900 * time.Millisecond, 1100 * time.Millisecond},
		{"the next is dearer", behaviour{delay: forever}, 1, api, 1900 * time.Millisecond, 2100 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, []proxySpec{{"A", 10, 0}, {"B", 20, tt.priceB}}, nil)
				w.fake["A"].be(tt.a)
				w.later(w.get)
				w.pass(tt.before)
				dials := w.fake["A"].dialled()
				early := w.later(func() outcome { return w.getFrom(tt.addr) })
				if w.fake["A"].dialled() == dials {
					t.Error("a request does not try a proxy that is not overdue")
				}
				w.pass(tt.after - tt.before)
				o := w.getFrom(tt.addr)
				w.wantTrail(o, 200, "B:ok")
				w.wantTook(o, 0)
				<-early
			})
		})
	}
}

// TestOverdueForOneTarget: where the proxy itself was reached, only the target
// is in doubt.
func TestOverdueForOneTarget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{delay: forever})
		w.later(w.get)
		w.pass(1500 * time.Millisecond)
		w.fake["A"].be(behaviour{})
		w.wantTrail(w.getFrom("other.example.com:443"), 200, "A:ok")
	})
}

// TestOvertakenByALaterConnect: one connect that lost a packet is no reason to
// pass over a proxy through which later ones come to stand.
func TestOvertakenByALaterConnect(t *testing.T) {
	for name, late := range map[string]behaviour{
		"on the way to the proxy":  {reach: forever, delay: forever},
		"on the way to the target": {delay: forever},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), func(c *Config) { c.Options.Keepalive = Off })
				w.fake["A"].be(late)
				first := w.later(w.get)
				w.pass(500 * time.Millisecond)
				w.fake["A"].be(behaviour{delay: 100 * time.Millisecond})
				w.get()
				w.pass(time.Second)
				w.wantTrail(w.get(), 200, "A:ok")
				w.wantTrail(<-first, 200, "A:overdue B:ok")

				w.fake["A"].be(late) // but where a later one is overdue too
				second := w.later(w.get)
				w.pass(1500 * time.Millisecond)
				w.wantTrail(w.get(), 200, "B:ok")
				<-second
			})
		})
	}
}

// TestProbeIsOvertakenByProbesAlone: what a request needs may pass where what a
// probe asks for does not.
func TestProbeIsOvertakenByProbesAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) { c.Options.Keepalive = Off })
		p, r := w.proxy("A"), w.route("A")
		w.fake["A"].be(behaviour{delay: forever})
		c := p.connect(r, &w.options, wanted{probe: true}, make(chan struct{}, 1))
		w.pass(500 * time.Millisecond)
		w.fake["A"].be(behaviour{})
		w.wantTrail(w.get(), 200, "A:ok")
		w.pass(time.Second)
		w.wantTrail(w.get(), 200, "B:ok")
		again := p.connect(r, &w.options, wanted{probe: true}, make(chan struct{}, 1))
		w.pass(10 * time.Millisecond)
		w.wantTrail(w.get(), 200, "A:ok")
		c.leave(nil)
		again.leave(nil)
	})
}

func TestOverdueWhereAllOthersAreToo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{delay: forever})
		w.fake["B"].be(behaviour{delay: forever})
		w.later(w.get)
		w.pass(3 * time.Second)
		w.fake["A"].be(behaviour{})
		if o := w.get(); o.Status != 200 || o.Body != "A" {
			t.Errorf("%d %q", o.Status, o.Trail)
		}
	})
}

// TestStandingConnectionsAreNoReasonToPassOver: a request that finds one does
// not wait for the connect that is overdue.
func TestStandingConnectionsAreNoReasonToPassOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		a := w.begin(w.request(http.MethodGet, ""), api)
		w.fake["A"].be(behaviour{delay: forever})
		w.later(w.get)
		w.pass(1500 * time.Millisecond)
		readAll(t, a.resp.Body) // its connection stands now
		w.wantTrail(w.get(), 200, "A:ok")
	})
}

func TestNoHedgeOnStandingConnections(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.get()
		w.fake["A"].be(behaviour{delay: forever, answer: after(900*time.Millisecond, ok)})
		w.wantTrail(w.get(), 200, "A:ok")
		if w.fake["B"].dialled() != 0 || w.fake["A"].dialled() != 1 {
			t.Error("connected although a connection stands")
		}
	})
}

// TestHTTP2ConnectsAreShared: once a target is known to take many requests on
// one connection, those who need one wait for the same.
func TestHTTP2ConnectsAreShared(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), func(c *Config) { c.Options.Keepalive = time.Second })
		w.fake["A"].be(behaviour{h2: true, delay: 100 * time.Millisecond})
		w.get()
		w.tick(2 * time.Second)
		var over []<-chan outcome
		for range 50 {
			over = append(over, w.later(w.get))
		}
		for _, o := range over {
			w.wantTrail(<-o, 200, "A:ok")
		}
		if got := w.fake["A"].dialled(); got != 2 {
			t.Errorf("%d connects, want 2", got)
		}
	})
}

// TestMoreRequestsThanPlaces: those for whom a shared connection has no place
// make another one through the same proxy.
func TestMoreRequestsThanPlaces(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{"A", 10, 0}, {"B", 20, 5}}, nil)
		w.fake["A"].be(behaviour{h2: true})
		w.get()
		w.fake["A"].breakAll()
		w.tick(time.Second)
		w.fake["A"].be(behaviour{h2: true, places: 10, delay: 100 * time.Millisecond, answer: after(time.Second, ok)})
		var over []<-chan outcome
		for range 25 {
			over = append(over, w.later(w.get))
		}
		for _, o := range over {
			w.wantTrail(<-o, 200, "A:ok")
		}
		if got := w.fake["A"].dialled(); got != 4 {
			t.Errorf("%d connects, want 1 and 3", got)
		}
	})
}

// TestTargetThatNoLongerSpeaksHTTP2 gives those who waited for one connection
// one each.
func TestTargetThatNoLongerSpeaksHTTP2(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{h2: true})
		w.get()
		w.fake["A"].breakAll()
		w.tick(time.Second)
		w.fake["A"].be(behaviour{delay: 100 * time.Millisecond})
		var over []<-chan outcome
		for range 10 {
			over = append(over, w.later(w.get))
		}
		for _, o := range over {
			got := <-o
			w.wantTrail(got, 200, "A:ok")
			if got.took > 300*time.Millisecond {
				t.Errorf("took %v", got.took)
			}
		}
	})
}

func TestUpgradesGoOverHTTP1(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.fake["A"].be(behaviour{h2: true})
		w.get()
		req := w.request(http.MethodGet, "")
		req.Header.Set("Upgrade", "websocket")
		w.fake["A"].be(behaviour{h2: true, answer: switching})
		o := w.begin(req, api)
		conns := w.fake["A"].conns
		if o.Status != 101 || len(conns) != 2 || conns[1].h2 {
			t.Fatalf("%d over %d connections", o.Status, len(conns))
		}
		if _, own := o.resp.Body.(*fakeBody); !own {
			t.Errorf("the body of a 101 is a %T", o.resp.Body)
		}
		if conns[1].isClosed() || w.route("A").idle.count.Load() != 0 {
			t.Error("the connection is closed or kept, although it belongs to the body")
		}
	})
}

// TestClientGoneWhileConnecting: the trail names the proxies that were under way,
// and none of them was failed over from.
func TestClientGoneWhileConnecting(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B C"), func(c *Config) { c.Options.HedgeDelay = 100 * time.Millisecond })
		for _, name := range []string{"A", "B"} {
			w.fake[name].be(behaviour{delay: forever})
		}
		req := w.request(http.MethodGet, "")
		ctx, cancel := context.WithTimeout(req.Context(), 150*time.Millisecond)
		defer cancel()
		w.wantTrail(w.send(req.WithContext(ctx), api), 499, "A:client_gone B:client_gone")
		if got := w.fake["C"].dialled(); got != 0 {
			t.Errorf("%d connects for a client that is gone", got)
		}
		if got := w.counted(); got != "499:1 hedges:1" {
			t.Errorf("counted as %q", got)
		}
	})
}
