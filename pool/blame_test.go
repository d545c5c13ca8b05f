package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhoseFailureAConnectIs(t *testing.T) {
	tests := []struct {
		name         string
		err          error
		proxy, route int32
	}{
		{"the proxy's", refused, 1, 0},
		{"the route's", noTunnel, 0, 1},
		{"wrapped", fmt.Errorf("dialling: %w", refused), 1, 0},
		{"of an unknown kind", errors.New("what"), 0, 1},
		{"nobody's", context.Canceled, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.fake["A"].be(behaviour{err: tt.err})
				if o := w.get(); o.Body != "B" {
					t.Errorf("%d %q %v", o.Status, o.Trail, o.err)
				}
				proxy, route := w.proxy("A").State.failures.Load(), w.route("A").failures.Load()
				if proxy != tt.proxy || route != tt.route {
					t.Errorf("%d failures of the proxy, %d of the route, want %d and %d", proxy, route, tt.proxy, tt.route)
				}
			})
		})
	}
}

func TestWhoseFailureAnAnswerIs(t *testing.T) {
	const plain = "api.example.com:80"
	tests := []struct {
		name         string
		answer       func(*fakeConn, *http.Request) (*http.Response, error)
		trail        string
		proxy, route int32
	}{
		{"the connection breaks", breaks, "A:conn_reset B:ok", 0, 1},
		{"it breaks before the request", refuses, "A:conn_closed B:ok", 0, 1},
		{"the proxy wants a password", proxySays(407), "A:proxy_auth B:ok", 1, 0},
		{"the proxy knows another password, says tinyproxy", proxySays(401), "A:proxy_auth B:ok", 1, 0},
		{"the proxy wants money", proxySays(402), "A:proxy_payment B:ok", 1, 0},
		{"the proxy wants time", proxySays(429), "A:proxy_rate_limited B:ok", 1, 0},
		{"the proxy refuses", proxySays(403), "A:proxy_answer B:ok", 0, 1},
		{"the proxy cannot reach it", proxySays(502), "A:proxy_answer B:ok", 0, 1},
		{"the target's own error", status(500), "A:ok", 0, 0},
		{"the target's own 429", status(429), "A:ok", 0, 0},
		{"the target's own 407", status(407), "A:ok", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.fake["A"].be(behaviour{answer: tt.answer})
				o := w.getFrom(plain)
				if o.Trail != tt.trail {
					t.Errorf("trail %q, want %q", o.Trail, tt.trail)
				}
				proxy, route := w.proxy("A").State.failures.Load(), w.target(plain).route(w.proxy("A")).failures.Load()
				if proxy != tt.proxy || route != tt.route {
					t.Errorf("%d failures of the proxy, %d of the route, want %d and %d", proxy, route, tt.proxy, tt.route)
				}
			})
		})
	}
}

// TestProxyAnswersTakeItDown: that the proxy can be dialled, which is all that a
// connect to an http target tells, is no success of one that refuses to work.
func TestProxyAnswersTakeItDown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{answer: proxySays(407)})
		for range 3 {
			w.pass(time.Second)
			w.getFrom("api.example.com:80")
		}
		w.wantStatus("A", StatusDown)
	})
}

// TestProxyAnswersFailTheRoute: an answer of the proxy's own ends as any other
// does, and is no success of the route. One that fails is not well again by it.
func TestProxyAnswersFailTheRoute(t *testing.T) {
	const plain = "api.example.com:80"
	for name, says := range map[string]func(*fakeConn, *http.Request) (*http.Response, error){
		"with a body": proxySays(502),
		"without": func(c *fakeConn, req *http.Request) (*http.Response, error) {
			resp, err := proxySays(502)(c, req)
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body = http.NoBody
			return resp, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.fake["A"].be(behaviour{answer: says})
				for range 3 {
					w.pass(time.Second)
					w.wantTrail(w.getFrom(plain), http.StatusOK, "A:proxy_answer B:ok")
				}
				w.wantTrail(w.getFrom(plain), http.StatusOK, "B:ok")
				w.pass(time.Minute)
				w.wantTrail(w.getFrom(plain), http.StatusOK, "A:proxy_answer B:ok") // its time has come
				w.wantTrail(w.getFrom(plain), http.StatusOK, "B:ok")
				w.fake["A"].be(behaviour{answer: ok})
				w.pass(time.Hour)
				w.wantTrail(w.getFrom(plain), http.StatusOK, "A:ok")
				w.wantTrail(w.getFrom(plain), http.StatusOK, "A:ok")
			})
		})
	}
}

func TestBrokenAnswerIsTheRoutes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{answer: breaksOff})
		for i := range 3 {
			w.pass(2 * time.Second)
			o := w.get()
			if o.Body != "ha!unexpected EOF" || o.trace.Err != reasonBroken {
				t.Errorf("body %q, error %q", o.Body, o.trace.Err)
			}
			if got := int(w.route("A").failures.Load()); got != i+1 {
				t.Errorf("%d failures of the route after %d broken answers", got, i+1)
			}
		}
		w.wantTrail(w.get(), 200, "B:ok")
		w.wantStatus("A", StatusHealthy)
		if row := w.row("A"); row.Requests != 3 || row.Failed != 3 {
			t.Errorf("%d requests, %d failed", row.Requests, row.Failed)
		}
	})
}

func TestClientThatGoesAwayIsNobodysFailure(t *testing.T) {
	tests := []struct {
		name  string
		be    behaviour
		begun bool // the answer has begun when the client goes
	}{
		{"while connecting", behaviour{delay: time.Second}, false},
		{"while waiting for the answer", behaviour{answer: silent}, false},
		{"while waiting, HTTP/2", behaviour{answer: silent, h2: true}, false},
		{"in the middle of the answer", behaviour{answer: breaksOff}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A"), nil)
				w.fake["A"].be(tt.be)
				req := w.request(http.MethodGet, "")
				ctx, cancel := context.WithCancel(req.Context())
				time.AfterFunc(500*time.Millisecond, cancel)
				o := w.begin(req.WithContext(ctx), api)
				if tt.begun {
					w.pass(time.Second)
					readAll(t, o.resp.Body)
				} else if o.Status != 499 || o.Failed != reasonClientGone {
					t.Errorf("%d %q", o.Status, o.Failed)
				}
				w.pass(10 * time.Second)
				if n := w.proxy("A").State.failures.Load() + w.route("A").failures.Load(); n != 0 {
					t.Errorf("%d failures", n)
				}
				if row := w.row("A"); row.Failed != 0 {
					t.Errorf("%d attempts failed", row.Failed)
				}
				w.tick(time.Minute)
				if n := w.fake["A"].open(); n != 0 {
					t.Errorf("%d connections after keepalive", n)
				}
			})
		})
	}
}

// TestBadRequestIsNobodysFailure: one that cannot be sent is tried once, and
// leaves a connection that carries many as it is, fresh or kept.
func TestBadRequestIsNobodysFailure(t *testing.T) {
	tests := []struct {
		reason string
		status int
	}{
		{"bad_request", 400},
		{reasonRequestHeaderTooLarge, 431},
	}
	for _, tt := range tests {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s h2 %v", tt.reason, h2), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					w := newWorld(t, named("A B"), nil)
					impossible := func(*fakeConn, *http.Request) (*http.Response, error) {
						return nil, &sendFault{reason: tt.reason, unsent: true, bad: true}
					}
					for range 3 {
						w.fake["A"].be(behaviour{h2: h2, answer: impossible})
						o := w.get()
						w.wantTrail(o, tt.status, "A:"+tt.reason)
						if !o.err.Unsent {
							t.Error("told to be sent")
						}
						w.fake["A"].be(behaviour{h2: h2})
						w.wantTrail(w.get(), 200, "A:ok")
					}
					if n := w.proxy("A").State.failures.Load() + w.route("A").failures.Load(); n != 0 {
						t.Errorf("%d failures", n)
					}
					if row := w.row("A"); row.Requests != 3 || row.Failed != 0 {
						t.Errorf("%d requests, %d failed", row.Requests, row.Failed)
					}
					if n := w.fake["A"].dialled(); h2 && n != 1 {
						t.Errorf("%d connections", n)
					}
				})
			})
		}
	}
}

// TestOneEventCountsOnce breaks 64 requests at one moment.
func TestOneEventCountsOnce(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2 %v", h2), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A"), nil)
				w.fake["A"].be(behaviour{h2: h2, delay: 10 * time.Millisecond, answer: silent})
				var wg sync.WaitGroup
				for range 64 {
					wg.Go(func() { w.post("once") })
					w.pass(5 * time.Millisecond)
				}
				w.pass(100 * time.Millisecond)
				w.fake["A"].breakAll()
				wg.Wait()
				if got := w.route("A").failures.Load(); got != 1 {
					t.Errorf("%d failures of the route, want 1", got)
				}
				if row := w.row("A"); row.FailureCount != 0 || row.Failed != 64 || row.FailingFor != nil {
					t.Errorf("row %+v", row)
				}
			})
		})
	}
}

// TestOneDeadProxyIsOneFailure: connects that began before the last counted
// failure learned nothing new.
func TestOneDeadProxyIsOneFailure(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) { c.Options.HedgeDelay = Off })
		w.fake["A"].be(behaviour{delay: 300 * time.Millisecond, err: refused})
		for range 64 {
			go w.get()
			w.pass(time.Millisecond)
		}
		w.pass(time.Second)
		if got := w.row("A").FailureCount; got != 1 {
			t.Errorf("%d failures, want 1", got)
		}
		w.get() // began after it
		if got := w.row("A").FailureCount; got != 2 {
			t.Errorf("%d failures, want 2", got)
		}
	})
}

func TestRouteFailsForItsTargetOnly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{on: map[string]error{api: noTunnel}})
		for i := range 5 {
			w.pass(100 * time.Millisecond)
			o := w.get()
			if want := "A:tunnel_refused B:ok"; i < 3 && o.Trail != want {
				t.Errorf("request %d: %q", i, o.Trail)
			} else if i >= 3 && o.Trail != "B:ok" {
				t.Errorf("request %d: %q", i, o.Trail)
			}
		}
		w.wantTrail(w.getFrom("other.example.com:443"), 200, "A:ok")
		row := w.row("A")
		if row.Status != StatusHealthy || !row.Usable || len(row.FailingFor) != 1 || row.FailingFor[0] != api {
			t.Errorf("row %+v", row)
		}
		w.wantEvents()
	})
}

func TestRouteSuccessResetsItsCount(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.failRoute("A", 2)
		w.wantTrail(w.get(), 200, "A:ok")
		w.failRoute("A", 2)
		w.wantTrail(w.get(), 200, "A:ok")
	})
}

func TestClientGoneWhileOthersWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.fake["A"].be(behaviour{h2: true, answer: after(2*time.Second, ok)})
		req := w.request(http.MethodGet, "")
		ctx, cancel := context.WithCancel(req.Context())
		gone := w.later(func() outcome { return w.send(req.WithContext(ctx), api) })
		stays := w.later(w.get)
		w.pass(500 * time.Millisecond)
		cancel()
		synctest.Wait()
		w.wantTrail(<-gone, 499, "A:client_gone")
		w.wantTrail(<-stays, 200, "A:ok") // on the same connection
		if got := w.fake["A"].open(); got != 1 {
			t.Errorf("%d connections", got)
		}
	})
}
