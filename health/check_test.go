package health

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	first  = "api.example.com:443"
	second = "www.example.net:443"
)

// TestVerdict: the first URL that passes is the verdict.
func TestVerdict(t *testing.T) {
	tests := []struct {
		name     string
		statuses map[string]int
		delay    time.Duration
		reason   string // "" = passes
		urls     string
	}{
		{"the first passes", nil, 0, "", "https://api.example.com/getMe"},
		{"another expected status", map[string]int{first: 401}, 0, "", "https://api.example.com/getMe"},
		{"the second passes", map[string]int{first: 500}, 0, "", "https://api.example.com/getMe https://www.example.net/"},
		{"the second is reached", map[string]int{first: -1}, 0, "", "https://www.example.net/"},
		{"none passes", map[string]int{first: -1, second: 503}, 0, "check: answered 503", "https://www.example.net/"},
		{"none is reached", map[string]int{first: 500, second: -1}, 0, "check: dial_refused", "https://api.example.com/getMe"},
		{"no time is left for the second", nil, forever, "check: timeout", ""},
		{"in time, both together", map[string]int{first: -1}, 4 * time.Second, "", "https://www.example.net/"},
		{"out of time, both together", map[string]int{first: -1}, 6 * time.Second, "check: timeout", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, 0, nil)
				f := w.fake["p0"]
				f.be(tt.delay, tt.statuses)
				start := time.Now()
				if !w.Check(context.Background(), w.proxy("p0")) {
					t.Fatal("not checked")
				}
				row := w.proxy("p0").Snapshot()
				if row.LastError != tt.reason || (row.FailureCount == 0) != (tt.reason == "") {
					t.Errorf("%d failures, %q; want %q", row.FailureCount, row.LastError, tt.reason)
				}
				if diff := cmp.Diff(tt.urls, f.urls()); diff != "" {
					t.Errorf("URLs (-want +got):\n%s", diff)
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("took %v", took)
				}
				w.Stop()
			})
		})
	}
}

// TestTimeIsOfTheURLThatPassed, not of those before it.
func TestTimeIsOfTheURLThatPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0, nil)
		w.fake["p0"].be(time.Second, map[string]int{first: -1})
		w.Check(context.Background(), w.proxy("p0"))
		if got := w.proxy("p0").Snapshot().ResponseTime; got != time.Second {
			t.Errorf("response time %v, want 1s", got)
		}
		b := new(pool.Batch)
		w.pool.State().Collect("main", b, true)
		if len(b.Usage) != 1 || b.Usage[0].Target != second || b.Usage[0].Usage != (pool.Usage{Timed: 1, Took: time.Second}) {
			t.Errorf("booked %+v, want a second for %s", b.Usage, second)
		}
		w.Stop()
	})
}

// TestTwoAddresses: both are checked and both must pass; where the URLs lack a
// scheme, their counterparts stand in for it.
func TestTwoAddresses(t *testing.T) {
	const plain = "api.example.com:80"
	tests := []struct {
		name     string
		statuses map[string]int
		ok       bool
		urls     string
	}{
		{"both pass", nil, true, "http://api.example.com/ https://api.example.com/getMe"},
		{"any answer of the counterpart passes", map[string]int{plain: 500}, true, "http://api.example.com/ https://api.example.com/getMe"},
		{"http fails", map[string]int{plain: -1}, false, ""},
		{"https fails", map[string]int{first: -1, second: -1}, false, "http://api.example.com/"},
		{"the second https passes", map[string]int{first: -1}, true, "http://api.example.com/ https://www.example.net/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, 0, func(c *pool.Config, s *Settings) {
					c.Proxies[0].TwoAddresses = true
					state := pool.NewState()
					counterpart := probe(state, "http://api.example.com/")
					counterpart.AnyStatus = true
					s.Counterparts = []Probe{counterpart}
				})
				f := w.fake["p0"]
				f.be(0, tt.statuses)
				w.Check(context.Background(), w.proxy("p0"))
				if got := w.proxy("p0").Snapshot().FailureCount == 0; got != tt.ok {
					t.Errorf("passes: %v", got)
				}
				if diff := cmp.Diff(tt.urls, f.urls()); diff != "" {
					t.Errorf("URLs (-want +got):\n%s", diff)
				}
				w.Stop()
			})
		})
	}
}

func TestOneAddressNeedsNoCounterparts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0, func(_ *pool.Config, s *Settings) {
			s.Counterparts = []Probe{probe(pool.NewState(), "http://api.example.com/")}
		})
		w.Check(context.Background(), w.proxy("p0"))
		if got := w.fake["p0"].urls(); got != "https://api.example.com/getMe" {
			t.Errorf("URLs %q", got)
		}
		w.Stop()
	})
}

// TestStopEndsChecksAtOnce, and they count for nothing.
func TestStopEndsChecksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10, 0, nil)
		for _, f := range w.fake {
			f.be(forever, nil)
		}
		w.Start()
		done := make(chan Results, 1)
		go func() { done <- w.CheckAll(context.Background(), "") }()
		w.pass(5 * time.Second)
		start := time.Now()
		w.Stop()
		if took := time.Since(start); took > 0 {
			t.Errorf("took %v", took)
		}
		if got := <-done; got.Healthy != 10 {
			t.Errorf("results %+v", got)
		}
		for _, p := range w.pool.Proxies() {
			if row := p.Snapshot(); row.FailureCount != 0 || !row.LastCheck.IsZero() || row.LastError != "" || row.Uptime != 100 {
				t.Errorf("%s: %+v", p.Name, row)
			}
			if !p.BeginCheck() {
				t.Errorf("%s is said to be under check", p.Name)
			}
		}
		w.pass(5 * time.Minute)
		if w.net.now != 0 {
			t.Errorf("%d connects go on", w.net.now)
		}
	})
}

func TestCheckAllJoinsARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Joining needs no slot, of which none is free.
		w := newWorld(t, 3, 0, func(_ *pool.Config, s *Settings) { s.Concurrency = 3 })
		for _, f := range w.fake {
			f.be(2*time.Second, nil)
		}
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				start := time.Now()
				if diff := cmp.Diff(Results{Total: 3, Healthy: 3}, w.CheckAll(context.Background(), "main")); diff != "" {
					t.Error(diff)
				}
				if took, want := time.Since(start), 2*time.Second-time.Duration(i)*100*time.Millisecond; took != want {
					t.Errorf("waited %v, want %v", took, want)
				}
			})
		}
		wg.Wait()
		for name, f := range w.fake {
			if got := len(f.checks()); got != 1 {
				t.Errorf("%s was checked %d times", name, got)
			}
		}
		w.Stop()
	})
}

func TestCheckAllOfAnotherPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, 0, nil)
		if diff := cmp.Diff(Results{}, w.CheckAll(context.Background(), "other")); diff != "" {
			t.Error(diff)
		}
		if w.fake["p0"].connects() != 0 {
			t.Error("checked")
		}
		w.Stop()
	})
}

func TestCheckAllReturnsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100, 0, nil) // more than there are slots
		for _, f := range w.fake {
			f.be(forever, nil)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		w.CheckAll(ctx, "")
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v", took)
		}
		w.Stop()
	})
}

func TestResultsCountByStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 5, 0, nil)
		down, slow := w.proxy("p0"), w.proxy("p1")
		w.fake["p0"].be(0, map[string]int{first: -1, second: -1})
		w.fake["p1"].be(3*time.Second, nil)
		if err := w.proxy("p2").Do("disable"); err != nil {
			t.Fatal(err)
		}
		var got Results
		for range 3 {
			w.pass(time.Second)
			got = w.CheckAll(context.Background(), "")
		}
		if diff := cmp.Diff(Results{Total: 4, Healthy: 2, Degraded: 1, Down: 1}, got); diff != "" {
			t.Errorf("%s: %s and %s", diff, down.Snapshot().Status, slow.Snapshot().Status)
		}
		w.Stop()
	})
}

// TestTwoCheckersNeverCheckAProxyTwiceAtOnce, while configurations overlap.
func TestTwoCheckersNeverCheckAProxyTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 0, nil)
		w.fake["p0"].be(2*time.Second, nil)
		other := New([]Settings{w.pools[0].Settings})
		w.Start()
		other.Start()
		w.pass(time.Second)
		if got := len(w.fake["p0"].checks()); got != 1 {
			t.Errorf("%d checks at once", got)
		}
		w.Stop() // before its check is over: the other takes over at once
		w.pass(4 * time.Second)
		if row := w.proxy("p0").Snapshot(); row.LastCheck.IsZero() {
			t.Error("nobody checks any more")
		}
		other.Stop()
	})
}

// TestWhatAProbeSends: nothing that tells of the app or of us.
func TestWhatAProbeSends(t *testing.T) {
	req := newRequest(probe(pool.NewState(), "https://api.example.com/getMe").URL)
	if req.Method != "GET" || req.Host != "api.example.com" || req.Body != nil {
		t.Errorf("request %+v", req)
	}
	for name := range req.Header {
		if name != "User-Agent" && name != "Accept" {
			t.Errorf("it has the field %s", name)
		}
	}
}
