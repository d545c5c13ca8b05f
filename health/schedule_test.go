package health

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/pool"
)

func TestChecksAreSpreadOverTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 60, 0, nil)
		start := time.Now()
		w.start()
		w.pass(3*time.Minute - time.Millisecond)
		for i := range 60 {
			checks := w.fake[fmt.Sprint("p", i)].checks()
			if len(checks) != 3 {
				t.Errorf("p%d was checked %d times in 3 minutes", i, len(checks))
				continue
			}
			want := time.Duration(i) * time.Second
			if late := checks[0].Sub(start) - want; late < 0 || late > 200*time.Millisecond {
				t.Errorf("p%d was first checked after %v, want %v", i, checks[0].Sub(start), want)
			}
			for j := range 2 {
				if gap := checks[j+1].Sub(checks[j]); gap < time.Minute || gap > time.Minute+300*time.Millisecond {
					t.Errorf("p%d was checked again after %v", i, gap)
				}
			}
		}
	})
}

func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 50, 0, func(c *pool.Config, s *Settings) { s.Concurrency = 4 })
		for _, f := range w.fake {
			f.be(2*time.Second, nil)
		}
		w.start()
		w.CheckAll(context.Background(), "")
		w.pass(2 * time.Minute)
		if w.net.most != 4 {
			t.Errorf("%d checks at once, want 4", w.net.most)
		}
	})
}

// TestOneScheduler counts goroutines: not one for each proxy.
func TestOneScheduler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		w := newWorld(t, 10_000, 0, nil)
		w.start()
		w.pass(10 * time.Second)
		if more := runtime.NumGoroutine() - before; more > 1 {
			t.Errorf("%d goroutines for 10,000 proxies", more)
		}
		if got := len(w.fake["p100"].checks()); got != 1 {
			t.Errorf("p100 was checked %d times", got)
		}
	})
}

func TestDownIsCheckedOnTheRecoverySchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 0, nil)
		w.start()
		w.pass(40 * time.Second)
		f := w.fake["p0"]
		f.be(0, map[string]int{"api.example.com:443": -1, "www.example.net:443": -1})
		n := len(f.checks())
		down := time.Now()
		if err := w.proxy("p0").Do("mark-down"); err != nil {
			t.Fatal(err)
		}
		w.pass(3 * time.Minute)
		var after []int
		for _, at := range f.checks()[n:] {
			s := int(at.Sub(down).Round(time.Second) / time.Second)
			if len(after) == 0 || after[len(after)-1] != s { // two URLs each
				after = append(after, s)
			}
		}
		if diff := cmp.Diff([]int{5, 15, 35, 75, 135}, after); diff != "" {
			t.Error(diff)
		}
		f.be(0, nil)
		w.pass(time.Minute)
		if got := w.proxy("p0").Snapshot().Status; got != pool.StatusHealthy {
			t.Errorf("p0 is %s", got)
		}
	})
}

func TestDisabledIsNotChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 0, nil)
		if err := w.proxy("p0").Do("disable"); err != nil {
			t.Fatal(err)
		}
		w.start()
		w.pass(3 * time.Minute)
		results := w.CheckAll(context.Background(), "main")
		if got := len(w.fake["p0"].checks()); got != 0 {
			t.Errorf("%d checks", got)
		}
		if diff := cmp.Diff(Results{Total: 1, Healthy: 1}, results); diff != "" {
			t.Error(diff)
		}
		if err := w.proxy("p0").Do("enable"); err != nil {
			t.Fatal(err)
		}
		w.pass(2 * time.Second)
		if got := len(w.fake["p0"].checks()); got != 1 {
			t.Errorf("%d checks after it was enabled", got)
		}
	})
}

func TestNoProbesNoChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 0, func(_ *pool.Config, s *Settings) { s.Probes = nil })
		w.start()
		w.pass(3 * time.Minute)
		if w.Check(context.Background(), w.proxy("p0")) {
			t.Error("a pool without probes is said to be checked")
		}
		if diff := cmp.Diff(Results{Total: 2, Healthy: 2}, w.CheckAll(context.Background(), "")); diff != "" {
			t.Error(diff)
		}
		if w.fake["p0"].connects() != 0 {
			t.Error("connected")
		}
	})
}

// TestMeteredIsPutOff by each request that goes well.
func TestMeteredIsPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1, nil)
		w.start()
		f := w.fake["p0"]
		w.pass(time.Second)
		if got := len(f.urls()); got == 0 {
			t.Fatal("it was not checked at the start")
		}
		checked := func() int { return w.checkedTimes("p0") }
		before := checked()
		for range 30 {
			w.pass(5 * time.Minute)
			if err := w.get(); err != nil {
				t.Fatal(err)
			}
		}
		if got := checked() - before; got != 0 {
			t.Errorf("%d checks although requests went well", got)
		}
		w.pass(9*time.Minute + 58*time.Second)
		if got := checked() - before; got != 0 {
			t.Errorf("%d checks before metered_interval", got)
		}
		w.pass(4 * time.Second)
		if got := checked() - before; got != 1 {
			t.Errorf("%d checks after metered_interval", got)
		}
	})
}

// checkedTimes counts the requests of checks alone: those for getMe.
func (w *world) checkedTimes(name string) int {
	f := w.fake[name]
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, u := range f.asked {
		if u == "https://api.example.com/getMe" {
			n++
		}
	}
	return n
}

// TestMeteredReusesAStandingConnection: a request left one.
func TestMeteredReusesAStandingConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1, func(c *pool.Config, _ *Settings) { c.Checks.MeteredInterval = 30 * time.Second })
		w.start()
		w.pass(5 * time.Minute)
		if got := w.checkedTimes("p0"); got < 10 {
			t.Errorf("%d checks", got)
		}
		if got := w.fake["p0"].connects(); got != 1 {
			t.Errorf("%d connects for them, want 1", got)
		}
	})
}

func TestWakeLooksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0, func(c *pool.Config, _ *Settings) { c.Checks.RecoveryInterval = 150 * time.Millisecond })
		w.start()
		w.pass(30*time.Second + 10*time.Millisecond)
		n := len(w.fake["p0"].checks())
		if err := w.proxy("p0").Do("mark-down"); err != nil {
			t.Fatal(err)
		}
		w.pass(300 * time.Millisecond)
		if got := len(w.fake["p0"].checks()) - n; got != 1 {
			t.Errorf("%d checks 300 ms after it went down", got)
		}
	})
}

// BenchmarkSchedule is one look at 10,000 proxies, of which none is due. The
// scheduler looks at most ten times a second, so that 1 ms is 1 % of a core.
func BenchmarkSchedule(b *testing.B) {
	c := benchmarked(10_000)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		c.dispatch(c.pools[0], now)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(minPause)*100, "%core")
}

// BenchmarkTick is what is looked after once a second.
func BenchmarkTick(b *testing.B) {
	c := benchmarked(10_000)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		c.pools[0].Pool.Tick(now)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(tickEvery)*100, "%core")
}

func benchmarked(n int) *Checker {
	config := pool.Config{Name: "main", Checks: pool.Checks{Interval: time.Minute, RecoveryInterval: 5 * time.Second, Passes: 1}}
	for i := range n {
		config.Proxies = append(config.Proxies, pool.ProxyConfig{Name: fmt.Sprint("p", i), MaxFailures: 3})
	}
	state := pool.NewState()
	pl := pool.New(config, state)
	for _, p := range pl.Proxies() {
		p.PlanCheck(time.Now().Add(30 * time.Second))
	}
	return New([]Settings{{Pool: pl, Probes: []Probe{probe(state, "https://api.example.com/")}, Concurrency: 64}})
}

// TestSchedulerIsCheap fails where looking after 10,000 proxies needs more than
// 1 % of a core, whatever else the machine does.
func TestSchedulerIsCheap(t *testing.T) {
	if raceDetector {
		t.Skip("times mean nothing with the race detector")
	}
	c := benchmarked(10_000)
	share := func(every time.Duration, look func()) float64 {
		best := time.Hour
		for range 20 {
			start := time.Now()
			look()
			best = min(best, time.Since(start))
		}
		return best.Seconds() / every.Seconds()
	}
	now := time.Now()
	dispatch := share(minPause, func() { c.dispatch(c.pools[0], now) })
	tick := share(tickEvery, func() { c.pools[0].Pool.Tick(now) })
	if dispatch+tick > 0.01 {
		t.Errorf("%.2f %% of a core for dispatching, %.2f %% for looking after", dispatch*100, tick*100)
	}
}
