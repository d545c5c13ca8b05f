package pool

import (
	"fmt"
	"math/rand"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestUnsentFailsOver: before any byte of the request was written, every
// failure fails over, whatever the method.
func TestUnsentFailsOver(t *testing.T) {
	ways := map[string]behaviour{
		"the proxy refuses":       {err: refused},
		"the tunnel is refused":   {err: noTunnel},
		"the connect takes long":  {delay: forever},
		"broken before the write": {answer: refuses},
	}
	for name, way := range ways {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut} {
			t.Run(name+" "+method, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					w := newWorld(t, named("A B"), nil)
					w.fake["A"].be(way)
					req := w.request(method, "hello")
					o := w.send(req, api)
					if o.Status != 200 || o.Body != "B" {
						t.Fatalf("%d %q %v", o.Status, o.Trail, o.err)
					}
					if n := w.origin.arrived(req.Header.Get("Id")); n != 1 || w.origin.body[req.Header.Get("Id")] != "hello" {
						t.Errorf("arrived %d times, with %q", n, w.origin.body)
					}
				})
			})
		}
	}
}

// TestForgedProxyAnswer: a target that answers as if it were the proxy sees a
// request that must not be sent twice once, however many proxies there are.
func TestForgedProxyAnswer(t *testing.T) {
	forged := func(c *fakeConn, req *http.Request) (*http.Response, error) {
		return status(http.StatusProxyAuthRequired, "Proxy-Made", "1")(c, req)
	}
	tests := []struct {
		method, trail   string
		status, arrived int
	}{
		{http.MethodGet, "A:proxy_auth B:proxy_auth C:proxy_auth", 502, 3},
		{http.MethodPost, "A:proxy_auth", 502, 1},
	}
	for _, tt := range tests {
		t.Run(tt.method, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B C"), nil)
				for _, f := range w.fake {
					f.be(behaviour{answer: forged})
				}
				req := w.request(tt.method, "hello")
				o := w.send(req, "api.example.com:80")
				w.wantTrail(o, tt.status, tt.trail)
				if n := w.origin.arrived(req.Header.Get("Id")); n != tt.arrived || o.err.Unsent {
					t.Errorf("arrived %d times, told to be unsent: %v", n, o.err.Unsent)
				}
			})
		})
	}
}

func TestWhatIsSentTwice(t *testing.T) {
	tests := []struct {
		method, key string
		unsafe      bool
		twice       bool
	}{
		{method: http.MethodGet, twice: true},
		{method: http.MethodHead, twice: true},
		{method: http.MethodOptions, twice: true},
		{method: http.MethodTrace, twice: true},
		{method: http.MethodPut, twice: true},
		{method: http.MethodDelete, twice: true},
		{method: http.MethodPost},
		{method: http.MethodPatch},
		{method: "PROPFIND"},
		{method: http.MethodPost, key: "Idempotency-Key", twice: true},
		{method: http.MethodPost, unsafe: true, twice: true},
		{method: http.MethodPatch, unsafe: true, twice: true},
	}
	for _, tt := range tests {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.method, tt.key, tt.unsafe, h2), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					w := newWorld(t, named("A B"), func(c *Config) { c.Options.RetryUnsafe = tt.unsafe })
					w.fake["A"].be(behaviour{answer: breaks, h2: h2})
					req := w.request(tt.method, "hello")
					if tt.key != "" {
						req.Header.Set(tt.key, "k")
					}
					o := w.send(req, api)
					arrived := w.origin.arrived(req.Header.Get("Id"))
					if tt.twice {
						w.wantTrail(o, 200, "A:conn_reset B:ok")
					} else {
						w.wantTrail(o, 502, "A:conn_reset")
					}
					if (arrived == 2) != tt.twice || arrived > 2 {
						t.Errorf("arrived %d times", arrived)
					}
					if !tt.twice && o.err.Unsent {
						t.Error("the error says that nothing was sent")
					}
				})
			})
		}
	}
}

// TestStaleConnection: one that was kept and that the other side had closed is
// nobody's failure; the attempt is repeated on a fresh one of the same proxy.
func TestStaleConnection(t *testing.T) {
	tests := []struct {
		name    string
		method  string
		answer  func(*fakeConn, *http.Request) (*http.Response, error)
		status  int
		trail   string
		arrived int
	}{
		{"GET", http.MethodGet, breaks, 200, "A:stale A:ok", 2},
		{"POST that was not sent", http.MethodPost, refuses, 200, "A:stale A:ok", 1},
		{"POST that was sent", http.MethodPost, breaks, 502, "A:stale", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				// Two kept connections, both stale.
				first := w.later(func() outcome { return w.begin(w.request(http.MethodGet, ""), api) })
				second := w.later(func() outcome { return w.begin(w.request(http.MethodGet, ""), api) })
				readAll(t, (<-first).resp.Body)
				readAll(t, (<-second).resp.Body)
				if got := w.route("A").idle.count.Load(); got != 2 {
					t.Fatalf("%d kept connections", got)
				}
				w.pass(time.Second)
				stale := w.fake["A"].conns
				w.fake["A"].be(behaviour{answer: func(c *fakeConn, req *http.Request) (*http.Response, error) {
					if c == stale[0] || c == stale[1] {
						return tt.answer(c, req)
					}
					return ok(c, req)
				}})
				req := w.request(tt.method, "body")
				w.wantTrail(w.send(req, api), tt.status, tt.trail)
				if got := w.origin.arrived(req.Header.Get("Id")); got != tt.arrived {
					t.Errorf("arrived %d times, want %d", got, tt.arrived)
				}
				if n := w.route("A").failures.Load() + w.proxy("A").State.failures.Load(); n != 0 {
					t.Errorf("%d failures", n)
				}
				if got := w.row("A").Failed; got != 0 {
					t.Errorf("%d failed attempts", got)
				}
				if got := w.state.Counts().Failovers; got != (Counts{}.Failovers) {
					t.Errorf("failovers %v, want none: it is the same proxy", got)
				}
			})
		})
	}
}

func TestStaleThenUnreachable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.get()
		w.pass(time.Second)
		w.fake["A"].be(behaviour{answer: breaks, err: refused})
		w.wantTrail(w.get(), 200, "A:stale A:dial_refused B:ok")
	})
}

// TestBreakLongAfterTheRequestIsNotStale: the connection had carried answers,
// but it was not idle when it broke.
func TestBreakLongAfterTheRequestIsNotStale(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.get()
		w.fake["A"].be(behaviour{answer: after(3*time.Second, breaks)})
		w.wantTrail(w.get(), 200, "A:conn_reset B:ok")
		if got := w.route("A").failures.Load(); got != 1 {
			t.Errorf("%d failures of the route", got)
		}
	})
}

// TestNoPostArrivesTwice sends through proxies that fail in every way, changing
// all the time, and counts at the origin.
func TestNoPostArrivesTwice(t *testing.T) {
	for seed := range int64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				rnd := rand.New(rand.NewSource(seed))
				w := newWorld(t, named("A B C D E"), func(c *Config) { c.Options.ResponseTimeout = 10 * time.Second })
				ways := []behaviour{
					{}, {}, {delay: 20 * time.Millisecond}, {h2: true}, {err: refused}, {err: noTunnel}, {delay: forever},
					{answer: silent}, {answer: silent, h2: true}, {answer: breaks}, {answer: breaks, h2: true}, {answer: refuses},
					{answer: breaksOff}, {answer: after(6*time.Second, ok)}, {answer: proxySays(407)}, {answer: proxySays(502)},
					{delay: time.Second, answer: after(time.Second, breaks)},
				}
				var wg sync.WaitGroup
				for range 200 {
					for _, f := range w.fake {
						if rnd.Intn(4) == 0 {
							f.be(ways[rnd.Intn(len(ways))])
						}
						if rnd.Intn(10) == 0 {
							f.breakAll()
						}
					}
					wg.Go(func() { w.post(strings.Repeat("x", 1000)) })
					w.pass(time.Duration(rnd.Intn(300)) * time.Millisecond)
					w.Pool.Tick(time.Now())
				}
				wg.Wait()
				if most := w.origin.most(); most != 1 {
					t.Errorf("a POST arrived %d times", most)
				}
			})
		})
	}
}

// TestNonsenseIsNotStale: what a kept connection answers may be wrong without
// its having been closed; that is the route's failure.
func TestNonsenseIsNotStale(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.get()
		w.fake["A"].be(behaviour{answer: func(*fakeConn, *http.Request) (*http.Response, error) {
			return nil, &sendFault{reason: "malformed_response"}
		}})
		w.wantTrail(w.get(), http.StatusOK, "A:malformed_response B:ok")
		if got := w.route("A").failures.Load(); got != 1 {
			t.Errorf("%d failures of the route, want 1", got)
		}
	})
}
