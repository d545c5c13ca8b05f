package pool

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// settledMedian makes the route's usual answer time known.
func (w *world) settledMedian(name string, d time.Duration) {
	w.route(name).answerTime.ns.Store(int64(d))
}

// fallSilent has a connection stand through A that answered once, and makes A
// take requests without a word from now on.
func (w *world) fallSilent(next behaviour) {
	w.get()
	if next.answer == nil {
		next.answer = silent
	}
	w.fake["A"].be(next)
}

// TestSilence: when the probe is made, seen by a connect through A.
func TestSilence(t *testing.T) {
	tests := []struct {
		median, want time.Duration
	}{
		{0, 5 * time.Second}, // nothing known
		{100 * time.Millisecond, time.Second},
		{500 * time.Millisecond, 2 * time.Second},
		{time.Minute, 5 * time.Second},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.median), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.fallSilent(behaviour{})
				w.settledMedian("A", tt.median)
				w.later(w.get)
				w.pass(tt.want - 20*time.Millisecond)
				if got := w.fake["A"].dialled(); got != 1 {
					t.Errorf("a probe was made before %v", tt.want)
				}
				w.pass(40 * time.Millisecond)
				if got := w.fake["A"].dialled(); got != 2 {
					t.Errorf("%d probes after %v", got-1, tt.want)
				}
			})
		})
	}
}

func TestMedianOfAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		for i := range 200 {
			d := 400 * time.Millisecond
			if i%5 == 0 {
				d = 30 * time.Second // long polling, now and then
			}
			w.fake["A"].be(behaviour{answer: after(d, ok)})
			w.get()
		}
		if got := w.route("A").silence(); got < 1400*time.Millisecond || got > 1800*time.Millisecond {
			t.Errorf("silent after %v, want about four times 400 ms", got)
		}
	})
}

// TestDeadRoute: those that are safe to repeat move on, the others wait on, and
// the route has failed once.
func TestDeadRoute(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2 %v", h2), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), func(c *Config) { c.Options.ResponseTimeout = 20 * time.Second })
				w.fake["A"].be(behaviour{h2: h2})
				w.get()
				dead := behaviour{h2: h2, answer: silent, ping: func(ctx context.Context) error {
					<-ctx.Done()
					return ctx.Err()
				}}
				w.fake["A"].be(dead)
				w.settledMedian("A", 10*time.Millisecond)
				var gets, posts []<-chan outcome
				for range 32 {
					gets = append(gets, w.later(w.get))
					posts = append(posts, w.later(func() outcome { return w.post("x") }))
				}
				dead.delay = forever
				w.fake["A"].be(dead)
				for _, over := range gets {
					o := <-over
					if o.Status != 200 || o.Body != "B" || o.took > 2100*time.Millisecond {
						t.Errorf("GET: %d %q after %v", o.Status, o.Trail, o.took)
					}
				}
				for _, over := range posts {
					o := <-over
					if o.Status != 504 || o.Failed != reasonTimeout || (o.took-20*time.Second).Abs() > time.Second {
						t.Errorf("POST: %d %q after %v", o.Status, o.Trail, o.took)
					}
				}
				if got := w.route("A").failures.Load(); got != 1 {
					t.Errorf("%d failures of the route, want 1", got)
				}
				if most := w.origin.most(); most > 2 {
					t.Errorf("one arrived %d times", most)
				}
			})
		})
	}
}

// TestDeadRouteAfterALargeUpload: what can't be sent again waits on as a POST
// does, because the answer may come all the same.
func TestDeadRouteAfterALargeUpload(t *testing.T) {
	for size, want := range map[int]string{4: "A:silent B:ok", 5: "A:ok"} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), func(c *Config) { c.Options.ReplayBuffer = 4 })
				w.fallSilent(behaviour{delay: forever, answer: func(c *fakeConn, req *http.Request) (*http.Response, error) {
					if err := c.arrive(req); err != nil {
						return nil, err
					}
					return after(10*time.Second, func(c *fakeConn, _ *http.Request) (*http.Response, error) {
						return c.respond(200, strings.NewReader("late")), nil
					})(c, req)
				}})
				w.settledMedian("A", time.Millisecond)
				w.wantTrail(w.send(w.request(http.MethodPut, strings.Repeat("x", size)), api), 200, want)
				if got := w.route("A").failures.Load(); want != "A:ok" && got != 1 {
					t.Errorf("%d failures of the route, want 1", got)
				}
			})
		})
	}
}

// TestDeadConnection: where the route stands and nothing that is sent on the
// connection arrives, what is safe to repeat goes on over a fresh one, once, and
// others that are as old are let go. Nobody has failed.
func TestDeadConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) { c.Options.ResponseTimeout = 20 * time.Second })
		w.useThree("A")
		w.fake["A"].be(behaviour{answer: silent, unheard: true})
		w.settledMedian("A", time.Millisecond)
		get, post := w.later(w.get), w.later(func() outcome { return w.post("x") })
		w.pass(900 * time.Millisecond)
		w.fake["A"].be(behaviour{answer: after(100*time.Millisecond, ok), unheard: true})
		o := <-get
		w.wantTrail(o, 200, "A:stale A:ok")
		w.wantTook(o, 1100*time.Millisecond)
		w.wantTrail(w.get(), 200, "A:ok")
		if got := w.route("A").failures.Load(); got != 0 {
			t.Errorf("%d failures of the route", got)
		}
		w.route("A").prune(time.Now().UnixNano())
		if got := w.fake["A"].open(); got != 3 { // that of the POST, the probe's and the fresh one
			t.Errorf("%d connections are open", got)
		}
		if o := <-post; o.Status != 504 || (o.took-20*time.Second).Abs() > time.Second || w.origin.most() > 2 {
			t.Errorf("POST: %d %q after %v", o.Status, o.Trail, o.took)
		}
	})
}

// TestProbeIsWhole: it has to notice where large packets don't pass, which costs
// more where bytes are paid for.
func TestProbeIsWhole(t *testing.T) {
	for price, want := range map[float64]bool{0: true, 1: false} {
		inBubble(t, func(t *testing.T) {
			w := newWorld(t, []proxySpec{{"A", 10, price}}, nil)
			w.get()
			if w.fake["A"].askedWhole() {
				t.Error("a request's own connection takes a whole handshake")
			}
			w.fake["A"].be(behaviour{answer: after(8*time.Second, ok)})
			w.get()
			if got := w.fake["A"].askedWhole(); w.fake["A"].dialled() < 2 || got != want {
				t.Errorf("at %g $/GB: whole %v in %d dials, want %v", price, got, w.fake["A"].dialled(), want)
			}
		})
	}
}

// TestSlowTargetOnALiveConnection: the same where what is sent does arrive.
func TestSlowTargetOnALiveConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.get()
		w.fake["A"].be(behaviour{answer: after(10*time.Second, ok)})
		w.settledMedian("A", time.Millisecond)
		o := w.get()
		w.wantTrail(o, 200, "A:ok")
		w.wantTook(o, 10*time.Second)
	})
}

// TestConnectionsOfADeadRoute: while a probe is overdue the others are in doubt,
// and when it did not stand they are let go.
func TestConnectionsOfADeadRoute(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) { c.Options.HedgeDelay = 100 * time.Millisecond })
		w.useThree("A")
		w.fake["A"].be(behaviour{delay: forever, answer: silent})
		w.settledMedian("A", time.Millisecond)
		over := w.later(w.get)
		w.pass(1150 * time.Millisecond)
		if got := w.route("A").idle.count.Load(); got != 2 {
			t.Fatalf("%d idle connections", got)
		}
		o := w.get()
		w.wantTrail(o, 200, "B:ok")
		w.wantTook(o, 0)
		w.wantTrail(<-over, 200, "A:silent B:ok")
		if got := w.fake["A"].open(); got != 0 {
			t.Errorf("%d connections of a dead route are open", got)
		}
	})
}

// TestOneProbeForAll: how many connects 32 silent requests cause.
func TestOneProbeForAll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.fake["A"].be(behaviour{answer: after(20*time.Second, ok)})
		var over []<-chan outcome
		for range 32 {
			over = append(over, w.later(w.get))
			w.pass(20 * time.Millisecond)
		}
		connects := w.fake["A"].dialled()
		w.settledMedian("A", 10*time.Millisecond)
		for _, o := range over {
			if got := <-o; got.Status != 200 {
				t.Errorf("%d %q", got.Status, got.Trail)
			}
		}
		// 5, 10 s after the first of them, and again after the last.
		if got := w.fake["A"].dialled() - connects; got > 6 {
			t.Errorf("%d probes, want one for all that wait", got)
		}
	})
}

// TestSlowTarget: a probe that stands proves the route; its connection is kept,
// and the next probe waits twice as long.
func TestSlowTarget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fallSilent(behaviour{answer: after(30*time.Second, ok)})
		w.settledMedian("A", 250*time.Millisecond)
		var probes []time.Duration
		over := w.later(w.get)
		start := time.Now()
		for n := w.fake["A"].dialled(); time.Since(start) < 29*time.Second; w.pass(50 * time.Millisecond) {
			for ; n < w.fake["A"].dialled(); n++ {
				probes = append(probes, time.Since(start).Round(100*time.Millisecond))
			}
		}
		w.wantTrail(<-over, 200, "A:ok")
		if len(probes) < 4 || probes[0] != time.Second {
			t.Fatalf("probes %v", probes)
		}
		for i := 2; i < len(probes); i++ {
			before, wait := probes[i-1]-probes[i-2], probes[i]-probes[i-1]
			if ratio := wait.Seconds() / before.Seconds(); i > 2 && (ratio < 1.8 || ratio > 2.2) {
				t.Errorf("probes %v: the wait is no twice the one before", probes)
			}
		}
		if n := w.route("A").failures.Load(); n != 0 || w.fake["B"].dialled() != 0 {
			t.Errorf("%d failures", n)
		}
		dials := w.fake["A"].dialled()
		w.fake["A"].be(behaviour{})
		w.get()
		w.get()
		if w.fake["A"].dialled() != dials {
			t.Error("the probe's connection was not kept")
		}
	})
}

func TestResponseTimeout(t *testing.T) {
	tests := []struct {
		name     string
		timeout  time.Duration
		probe    behaviour
		method   string
		status   int
		trail    string
		took     time.Duration
		failures int32
	}{
		{"after a probe that stood", 8 * time.Second, behaviour{}, "GET", 504, "A:response_timeout", 8 * time.Second, 0},
		{"without a probe, safe", 3 * time.Second, behaviour{}, "GET", 200, "A:response_timeout B:ok", 3 * time.Second, 1},
		{"without a probe, unsafe", 3 * time.Second, behaviour{}, "POST", 504, "A:response_timeout", 3 * time.Second, 1},
		{"after a probe that did not, unsafe", 8 * time.Second, behaviour{delay: forever}, "POST", 504, "A:response_timeout", 8 * time.Second, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), func(c *Config) { c.Options.ResponseTimeout = tt.timeout })
				w.fallSilent(tt.probe)
				w.settledMedian("A", 10*time.Second)
				o := w.send(w.request(tt.method, "x"), api)
				w.wantTrail(o, tt.status, tt.trail)
				w.wantTook(o, tt.took)
				if got := w.route("A").failures.Load(); got != tt.failures {
					t.Errorf("%d failures of the route, want %d", got, tt.failures)
				}
				if w.row("A").FailureCount != 0 {
					t.Error("the proxy is blamed")
				}
			})
		})
	}
}

func TestNoResponseTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), func(c *Config) { c.Options.ResponseTimeout = 0 })
		w.fake["A"].be(behaviour{answer: after(3*time.Hour, ok)})
		w.wantTrail(w.get(), 200, "A:ok")
	})
}

// TestProbeTime: as long as a hedge waits, or as a connect may take where there
// is no hedging.
func TestProbeTime(t *testing.T) {
	tests := []struct {
		name  string
		hedge time.Duration
		cost  float64
		want  time.Duration
	}{
		{"auto", Auto, 0, 250 * time.Millisecond},
		{"as configured", 700 * time.Millisecond, 0, 700 * time.Millisecond},
		{"the next is dearer", Auto, 1, 2 * time.Second},
		{"off", Off, 0, 5 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, []proxySpec{{"A", 10, 0}, {"B", 20, tt.cost}}, func(c *Config) { c.Options.HedgeDelay = tt.hedge })
				w.fallSilent(behaviour{delay: forever})
				w.proxy("A").State.connectTime.observe(time.Millisecond)
				w.settledMedian("A", time.Millisecond)
				o := w.get()
				w.wantTrail(o, 200, "A:silent B:ok")
				w.wantTook(o, time.Second+tt.want)
			})
		})
	}
}

// TestSlowClientIsNoSilence: while the upload waits for the client, nobody else
// is slow.
func TestSlowClientIsNoSilence(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) { c.Options.ResponseTimeout = 10 * time.Second })
		w.get()
		w.settledMedian("A", time.Millisecond)
		req := w.request(http.MethodPut, "")
		req.Body, req.ContentLength = &slowReader{parts: []string{"a", "b", "c"}, pause: 40 * time.Second}, -1
		o := w.send(req, api)
		w.wantTrail(o, 200, "A:ok")
		if got := w.fake["A"].dialled(); got != 1 {
			t.Errorf("%d probes", got-1)
		}
	})
}

// TestSilenceAfterAnUpload counts from when the body last moved.
func TestSilenceAfterAnUpload(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fallSilent(behaviour{delay: forever})
		w.settledMedian("A", time.Millisecond)
		req := w.request(http.MethodPut, "")
		req.Body, req.ContentLength = &slowReader{parts: []string{"a", "b"}, pause: 3 * time.Second}, -1
		o := w.send(req, api)
		if o.Body != "B" || o.took != 7250*time.Millisecond {
			t.Errorf("%d %q after %v", o.Status, o.Trail, o.took)
		}
	})
}

// TestPingTellsASlowTargetFromADeadRoute on HTTP/2, without another connection.
func TestPingTellsASlowTargetFromADeadRoute(t *testing.T) {
	for _, dead := range []bool{false, true} {
		t.Run(fmt.Sprintf("dead %v", dead), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.fake["A"].be(behaviour{h2: true})
				w.get()
				w.settledMedian("A", time.Millisecond)
				var mu sync.Mutex
				pings := 0
				w.fake["A"].be(behaviour{h2: true, answer: after(10*time.Second, ok), ping: func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					pings++
					if dead {
						return errors.New("broken pipe")
					}
					return nil
				}})
				o := w.get()
				if want := map[bool]string{true: "A:silent B:ok", false: "A:ok"}[dead]; o.Trail != want {
					t.Errorf("trail %q, want %q", o.Trail, want)
				}
				mu.Lock()
				defer mu.Unlock()
				if pings == 0 || w.fake["A"].dialled() != 1 {
					t.Errorf("%d pings, %d connects", pings, w.fake["A"].dialled())
				}
			})
		})
	}
}
