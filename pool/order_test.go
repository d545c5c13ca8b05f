package pool

import (
	"fmt"
	"math/rand"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOrder(t *testing.T) {
	tests := []struct {
		name    string
		proxies []proxySpec
		fail    map[string]int
		want    string
	}{
		{"priority before all", []proxySpec{{"A", 30, 0}, {"B", 10, 9}, {"C", 20, 1}}, nil, "B C A"},
		{"then cost", []proxySpec{{"A", 10, 3}, {"B", 10, 0.5}, {"C", 10, 0}}, nil, "C B A"},
		{"then failures", []proxySpec{{"A", 10, 0}, {"B", 10, 0}, {"C", 10, 0}}, map[string]int{"A": 2, "B": 1}, "C B A"},
		{"then place", []proxySpec{{"C", 10, 0}, {"A", 10, 0}, {"B", 10, 0}}, nil, "C A B"},
		{"failures change no rank", []proxySpec{{"A", 10, 0}, {"B", 20, 0}}, map[string]int{"A": 2}, "A B"},
		{"failures change no cost", []proxySpec{{"A", 10, 0}, {"B", 10, 5}}, map[string]int{"A": 2}, "A B"},
		{"equal failures leave the place", []proxySpec{{"A", 10, 0}, {"B", 10, 0}}, map[string]int{"A": 1, "B": 1}, "A B"},
		{"down is not used", []proxySpec{{"A", 10, 0}, {"B", 10, 0}}, map[string]int{"A": 3}, "B"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, tt.proxies, nil)
				for name, n := range tt.fail {
					w.fail(name, n)
				}
				w.wantOrder(tt.want)
			})
		})
	}
}

func TestOrderPassesOverTheUnusable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B C D E F"), nil)
		w.do("A", "disable")
		w.do("B", "mark-down")
		w.failRoute("C", 3)
		w.proxy("D").block(w.route("D"), time.Now().Add(time.Minute), "403")
		for range 3 {
			w.check("E", true, 3*time.Second)
		}
		w.wantStatus("E", StatusDegraded)
		w.wantOrder("E F")
		// What holds for one target holds for that target alone.
		var none places
		if p := w.choose(w.target("other.example.com:443"), &none, time.Now().UnixNano()); p.Name != "C" {
			t.Errorf("another target goes through %s, want C", p.Name)
		}
	})
}

func TestPreferHealthy(t *testing.T) {
	for _, prefer := range []bool{false, true} {
		t.Run(fmt.Sprint(prefer), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, []proxySpec{{"A", 10, 0}, {"B", 20, 0}, {"C", 30, 9}}, func(c *Config) { c.PreferHealthy = prefer })
				for range 3 {
					w.check("A", true, 3*time.Second)
				}
				w.wantStatus("A", StatusDegraded)
				w.wantOrder(map[bool]string{false: "A B C", true: "B C A"}[prefer])
			})
		})
	}
}

// TestRoundRobin counts who carries the requests, also where each needs a
// connect, during which the pool is asked for the next proxy again and again.
func TestRoundRobin(t *testing.T) {
	for _, proxies := range []string{"A B", "A B C", "A B C D"} {
		for _, keepalive := range []time.Duration{Off, 55 * time.Second} {
			t.Run(fmt.Sprintf("%s keepalive %v", proxies, keepalive), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					specs := named(proxies)
					for i := range specs {
						specs[i].priority = 10
					}
					w := newWorld(t, specs, func(c *Config) {
						c.Order = OrderRoundRobin
						c.Options.Keepalive = keepalive
					})
					for _, f := range w.fake {
						f.be(behaviour{delay: 10 * time.Millisecond})
					}
					carried := make(map[string]int)
					for range 12 {
						carried[w.get().Body]++
						w.pass(time.Millisecond)
					}
					for _, name := range strings.Fields(proxies) {
						if carried[name] != 12/len(specs) {
							t.Errorf("carried %v, want each the same", carried)
							break
						}
					}
				})
			})
		}
	}
}

func TestRoundRobinStaysInItsRank(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{"A", 10, 0}, {"B", 10, 0}, {"C", 20, 0}}, func(c *Config) { c.Order = OrderRoundRobin })
		w.fail("A", 1) // fewer failures come before whose turn it is
		for range 4 {
			if got := w.get().Body; got != "B" {
				t.Errorf("through %s, want B", got)
			}
		}
	})
}

func TestLeastLatency(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		specs := []proxySpec{{"A", 10, 0}, {"B", 10, 0}, {"C", 10, 0}, {"D", 20, 0}}
		w := newWorld(t, specs, func(c *Config) { c.Order = OrderLeastLatency })
		w.check("A", true, 300*time.Millisecond)
		w.check("B", true, 100*time.Millisecond)
		w.check("C", true, 200*time.Millisecond)
		w.check("D", true, time.Millisecond)
		w.wantOrder("B C A D")
		w.fail("B", 1)
		w.wantOrder("C A B D")
	})
}

func TestMaxTries(t *testing.T) {
	tests := []struct {
		max  int
		want string
	}{
		{0, "A:dial_refused B:dial_refused C:dial_refused D:ok"},
		{1, "A:dial_refused"},
		{2, "A:dial_refused B:dial_refused"},
		{4, "A:dial_refused B:dial_refused C:dial_refused D:ok"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.max), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B C D"), func(c *Config) { c.Options.MaxTries = tt.max })
				for _, name := range []string{"A", "B", "C"} {
					w.fake[name].be(behaviour{err: refused})
				}
				o := w.get()
				if o.Trail != tt.want {
					t.Errorf("trail %q, want %q", o.Trail, tt.want)
				}
				if o.trace.Attempts() != len(strings.Fields(tt.want)) {
					t.Errorf("%d attempts", o.trace.Attempts())
				}
			})
		})
	}
}

func TestMaxTriesBoundsHedges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B C"), func(c *Config) { c.Options.MaxTries = 2 })
		w.fake["A"].be(behaviour{delay: forever})
		w.fake["B"].be(behaviour{delay: forever})
		o := w.get()
		if o.Status != http.StatusGatewayTimeout || w.fake["C"].dialled() != 0 {
			t.Errorf("%d %q, %d connects through C", o.Status, o.Trail, w.fake["C"].dialled())
		}
	})
}

func TestPlaces(t *testing.T) {
	var set places
	rnd := rand.New(rand.NewSource(1))
	want := make(map[int]bool)
	for range 300 {
		n := rnd.Intn(1000)
		set.add(n)
		want[n] = true
	}
	clone := set.clone()
	clone.add(1001)
	for n := range 1100 {
		if set.has(n) != want[n] {
			t.Fatalf("has(%d) is %v", n, set.has(n))
		}
	}
	if !clone.has(1001) {
		t.Error("the clone lacks what was added to it")
	}
}

func manyProxies(n int) *Pool {
	config := Config{Name: "main", Order: OrderFirst}
	for i := range n {
		config.Proxies = append(config.Proxies, ProxyConfig{
			Name: fmt.Sprint("p", i), Priority: 10 * (i % 7), MaxFailures: 3, Dialer: &fakeProxy{},
		})
	}
	return New(config, NewState())
}

func TestChoosingAllocatesNothing(t *testing.T) {
	for _, order := range []Order{OrderFirst, OrderRoundRobin, OrderLeastLatency} {
		pl := manyProxies(60)
		pl.Order = order
		target := pl.State().Target(TargetKey{Scheme: "https", Addr: api}, nil)
		for _, p := range pl.Proxies() {
			target.route(p)
		}
		pl.Proxies()[0].State.gate.Store(gateDown)
		now := time.Now().UnixNano()
		if n := testing.AllocsPerRun(1000, func() {
			var tried places
			p := pl.choose(target, &tried, now)
			tried.add(p.place)
			pl.choose(target, &tried, now)
		}); n != 0 {
			t.Errorf("%s: %v allocations", order, n)
		}
	}
}

// TestChoosingTakesTheSameTime compares 5 and 10,000 proxies of which the first
// is usable, with room for a noisy machine.
func TestChoosingTakesTheSameTime(t *testing.T) {
	for _, order := range []Order{OrderFirst, OrderRoundRobin, OrderLeastLatency} {
		t.Run(string(order), func(t *testing.T) { choosingTakesTheSameTime(t, order) })
	}
}

func choosingTakesTheSameTime(t *testing.T, order Order) {
	t.Helper()
	took := func(n int) time.Duration {
		pl := manyProxies(n)
		pl.Order = order
		target := pl.State().Target(TargetKey{Scheme: "https", Addr: api}, nil)
		var runs []time.Duration
		for range 15 {
			start := time.Now()
			for range 2000 {
				var tried places
				pl.choose(target, &tried, 1)
			}
			runs = append(runs, time.Since(start))
		}
		return slices.Min(runs)
	}
	few, many := took(5), took(10_000)
	if many > 5*few {
		t.Errorf("%v with 5 proxies, %v with 10,000", few, many)
	}
}

func BenchmarkChoose(b *testing.B) {
	for _, order := range []Order{OrderFirst, OrderLeastLatency} {
		for _, n := range []int{5, 10_000} {
			b.Run(fmt.Sprint(order, "/", n), func(b *testing.B) { benchmarkChoose(b, order, n) })
		}
	}
}

func benchmarkChoose(b *testing.B, order Order, n int) {
	pl := manyProxies(n)
	pl.Order = order
	target := pl.State().Target(TargetKey{Scheme: "https", Addr: api}, nil)
	b.ReportAllocs()
	for b.Loop() {
		var tried places
		if pl.choose(target, &tried, time.Now().UnixNano()) == nil {
			b.Fatal("none")
		}
	}
}

// TestSortingIsNotOld: with least_latency it counts soon which proxy became the
// quickest.
func TestSortingIsNotOld(t *testing.T) {
	pl := manyProxies(2)
	pl.Order = OrderLeastLatency
	a, b := pl.Proxies()[0], pl.Proxies()[1]
	a.Priority, b.Priority = 10, 10
	pl.ranks = rankProxies([]*Proxy{a, b})
	chosen := func(now int64) *Proxy {
		var tried places
		return pl.choose(nil, &tried, now)
	}
	a.State.responseTime.Store(int64(time.Second))
	b.State.responseTime.Store(int64(2 * time.Second))
	now := time.Now().UnixNano()
	if got := chosen(now); got != a {
		t.Errorf("%s was chosen first, not the quicker one", got.Name)
	}
	b.State.responseTime.Store(int64(time.Millisecond))
	if got := chosen(now + int64(sortEvery)); got != b {
		t.Errorf("%s was chosen %v after the other one became quicker", got.Name, sortEvery)
	}
	if got := chosen(now - int64(time.Hour)); got != b {
		t.Errorf("%s was chosen when the clock had been put back", got.Name)
	}
}
