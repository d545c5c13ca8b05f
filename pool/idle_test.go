package pool

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

func TestKeepalive(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2 %v", h2), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A"), nil)
				w.fake["A"].be(behaviour{h2: h2})
				w.get()
				w.tick(54 * time.Second)
				w.get()
				if got := w.fake["A"].dialled(); got != 1 {
					t.Errorf("%d connects within keepalive", got)
				}
				w.tick(57 * time.Second)
				if got := w.fake["A"].open(); got != 0 {
					t.Errorf("%d connections after keepalive", got)
				}
				if list := w.route("A").shared.Load(); h2 && len(*list) != 0 {
					t.Errorf("%d connections that are closed are still listed", len(*list))
				}
				w.get()
				if got := w.fake["A"].dialled(); got != 2 {
					t.Errorf("%d connects", got)
				}
			})
		})
	}
}

func TestKeepaliveIsLookedAtWithoutATick(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2 %v", h2), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A"), nil)
				w.fake["A"].be(behaviour{h2: h2})
				w.get()
				w.pass(56 * time.Second)
				w.get()
				if got := w.fake["A"].dialled(); got != 2 {
					t.Errorf("%d connects", got)
				}
			})
		})
	}
}

func TestKeepaliveOff(t *testing.T) {
	for _, keepalive := range []time.Duration{0, Off} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v h2 %v", keepalive, h2), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					w := newWorld(t, named("A"), func(c *Config) { c.Options.Keepalive = keepalive })
					w.fake["A"].be(behaviour{h2: h2, delay: time.Millisecond})
					for range 3 {
						w.wantTrail(w.get(), 200, "A:ok")
						if got := w.fake["A"].open(); got != 0 {
							t.Errorf("%d connections are open", got)
						}
					}
					if got := w.fake["A"].dialled(); got != 3 {
						t.Errorf("%d connects", got)
					}
				})
			})
		}
	}
}

func TestBusyConnectionsAreNotIdle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), func(c *Config) { c.Options.ResponseTimeout = 0 })
		w.fake["A"].be(behaviour{h2: true, answer: after(2*time.Minute, ok)})
		over := w.later(w.get)
		w.tick(119 * time.Second)
		if got := w.fake["A"].open(); got == 0 {
			t.Error("closed while a request was on it")
		}
		w.pass(2 * time.Second)
		w.wantTrail(<-over, 200, "A:ok")
	})
}

func TestYoungestIsUsedFirst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.fake["A"].be(behaviour{answer: after(time.Second, ok)})
		first := w.later(w.get)
		w.pass(100 * time.Millisecond)
		second := w.later(w.get)
		<-first
		<-second
		for range 60 { // one after the other needs one connection, the other goes
			w.get()
			w.tick(time.Second)
		}
		if got := w.fake["A"].open(); got != 1 {
			t.Errorf("%d connections are open", got)
		}
	})
}

func TestDeadConnectionsAreNotKept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.get()
		w.fake["A"].breakAll()
		w.tick(time.Second)
		if got := w.route("A").idle.count.Load(); got != 0 || w.route("A").standing() {
			t.Errorf("%d dead connections are kept", got)
		}
		w.wantTrail(w.get(), 200, "A:ok")
	})
}

// TestUnreadAnswer: a connection whose answer was not read to its end is no use
// on HTTP/1.1, and as good as before on HTTP/2.
func TestUnreadAnswer(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2 %v", h2), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A"), nil)
				w.fake["A"].be(behaviour{h2: h2})
				o := w.begin(w.request(http.MethodGet, ""), api)
				w.pass(time.Millisecond)
				_ = o.resp.Body.Close()
				if got := w.fake["A"].open(); (got == 1) != h2 {
					t.Errorf("%d connections are open", got)
				}
				w.tick(57 * time.Second)
				if got := w.fake["A"].open(); got != 0 {
					t.Errorf("%d connections after keepalive", got)
				}
				w.get()
				if row := w.row("A"); row.Failed != 0 || w.route("A").failures.Load() != 0 {
					t.Error("somebody is blamed")
				}
			})
		})
	}
}

func TestHTTP2IsShared(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.fake["A"].be(behaviour{h2: true, places: 3})
		w.get()
		w.fake["A"].be(behaviour{h2: true, places: 3, answer: after(time.Second, ok)})
		var over []<-chan outcome
		for range 7 {
			over = append(over, w.later(w.get))
		}
		for _, o := range over {
			w.wantTrail(<-o, 200, "A:ok")
		}
		if got := w.fake["A"].open(); got != 3 {
			t.Errorf("%d connections for 7 requests, 3 on each", got)
		}
	})
}

// TestConnectionWithoutAnyPlace: it stands, and takes no request.
func TestConnectionWithoutAnyPlace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{h2: true, places: -1})
		w.wantTrail(w.get(), 200, "A:conn_closed B:ok")
	})
}

// TestBackToTheCheapOne: idle connections through dearer proxies are closed when
// a cheaper one becomes usable, but one of a metered proxy.
func TestBackToTheCheapOne(t *testing.T) {
	returns := map[string]func(*world){
		"enabled":       func(w *world) { w.do("A", "enable") },
		"unblocked":     func(w *world) { w.do("A", "unblock") },
		"marked":        func(w *world) { w.do("A", "mark-healthy") },
		"check":         func(w *world) { w.check("A", true, 0) },
		"block is over": func(w *world) { w.tick(11 * time.Second) },
		"route probed":  func(w *world) { w.tick(6 * time.Second) },
	}
	leaves := map[string]func(*world){
		"enabled":       func(w *world) { w.do("A", "disable") },
		"unblocked":     func(w *world) { w.proxy("A").block(w.route("A"), time.Now().Add(time.Hour), "403") },
		"marked":        func(w *world) { w.fail("A", 3) },
		"check":         func(w *world) { w.fail("A", 3) },
		"block is over": func(w *world) { w.proxy("A").block(w.route("A"), time.Now().Add(10*time.Second), "403") },
		"route probed":  func(w *world) { w.failRoute("A", 3) },
	}
	for how := range returns {
		t.Run(how, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, []proxySpec{{"A", 10, 0}, {"B", 20, 0}, {"M", 30, 5}, {"S", 10, 0}}, nil)
				w.do("S", "disable")
				leaves[how](w)
				w.useThree("B")
				w.do("B", "disable")
				w.useThree("M")
				w.do("B", "enable")
				w.useThree("B")
				if b, m := w.fake["B"].open(), w.fake["M"].open(); b != 3 || m != 1 {
					t.Fatalf("%d and %d connections", b, m)
				}
				w.pass(time.Millisecond)
				returns[how](w)
				w.pass(time.Millisecond)
				if b, m := w.fake["B"].open(), w.fake["M"].open(); b != 0 || m != 1 {
					t.Errorf("%d and %d connections, want 0 and 1", b, m)
				}
				w.wantTrail(w.get(), 200, "A:ok")
			})
		})
	}
}

// useThree leaves three idle connections.
func (w *world) useThree(name string) {
	var wg sync.WaitGroup
	w.fake[name].be(behaviour{answer: after(100*time.Millisecond, ok)})
	for range 3 {
		wg.Go(func() { w.get() })
	}
	wg.Wait()
	w.pass(time.Millisecond)
	w.fake[name].be(behaviour{})
}

func TestConnectionsInFlightAreLetGoWhenDone(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2 %v", h2), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.do("A", "disable")
				w.fake["B"].be(behaviour{h2: h2, answer: after(3*time.Second, ok)})
				over := w.later(w.get)
				w.pass(time.Second)
				w.do("A", "enable")
				if got := w.fake["B"].open(); got != 1 {
					t.Error("a connection was closed under a request")
				}
				w.wantTrail(<-over, 200, "B:ok")
				if got := w.fake["B"].open(); got != 0 {
					t.Errorf("%d connections are kept", got)
				}
			})
		})
	}
}

// TestNoReturnToWhatIsNotUsable: the connections in use are left alone.
func TestNoReturnToWhatIsNotUsable(t *testing.T) {
	tests := map[string]func(*world){
		"still down": func(w *world) {
			w.proxy("A").block(w.route("A"), time.Now().Add(2*time.Second), "403")
			w.do("A", "mark-down")
		},
		"still failing for the target": func(w *world) {
			other := w.target("other.example.com:443").route(w.proxy("A"))
			w.proxy("A").block(other, time.Now().Add(2*time.Second), "403")
			w.failRoute("A", 3)
			w.fake["A"].be(behaviour{err: noTunnel})
		},
		"still blocked by the target": func(w *world) {
			w.proxy("A").block(w.route("A"), time.Now().Add(time.Hour), "403")
			w.do("A", "disable")
			w.pass(time.Second)
			w.do("A", "enable")
		},
	}
	for name, leave := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				leave(w)
				w.useThree("B")
				w.tick(3 * time.Second)
				if got := w.fake["B"].open(); got != 3 {
					t.Errorf("%d of 3 connections are left", got)
				}
			})
		})
	}
}
