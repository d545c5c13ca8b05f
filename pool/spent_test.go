package pool

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const spentLimit = 1000 // bytes a day, hard

// spentWorld is a pool whose first proxy has a hard budget. Bytes cross only
// where a test says so.
func spentWorld(t *testing.T, specs []proxySpec, change func(*Config)) *world {
	t.Helper()
	return newWorld(t, specs, func(c *Config) {
		c.Location = time.UTC
		c.Proxies[0].Budget = Budget{Bytes: spentLimit, Per: PerDay, Hard: true}
		if change != nil {
			change(c)
		}
	})
}

// spend lets bytes cross a connection to the proxy.
func (w *world) spend(name string, bytes int) {
	w.route(name).account.Count(bytes, 0)
}

// wantBlameless: nothing speaks against the proxy.
func (w *world) wantBlameless(name string) {
	w.Helper()
	row := w.row(name)
	if row.Status != StatusHealthy || row.Failed != 0 || row.FailureCount != 0 || row.FailingFor != nil || row.LastError != "" || row.Uptime != 100 {
		w.Errorf("%s is blamed: %+v", name, row)
	}
	if n := w.route(name).failures.Load(); n != 0 {
		w.Errorf("%d failures of the route", n)
	}
}

// TestSpent is the life of a budget: to 100 %, over it, and into the next day.
func TestSpent(t *testing.T) {
	for _, cost := range []float64{0, 5} {
		for _, h2 := range []bool{false, true} {
			inBubble(t, func(t *testing.T) {
				due := 0
				w := spentWorld(t, []proxySpec{{"A", 10, cost}, {"B", 20, 0}}, func(c *Config) { c.OnDue = func() { due++ } })
				w.fake["A"].be(behaviour{h2: h2})
				w.spend("A", spentLimit-1)
				w.tick(time.Second)
				w.wantTrail(w.get(), 200, "A:ok")
				w.proxy("A").State.nextCheck.Store(time.Now().UnixNano())
				w.spend("A", 1)
				w.wantTrail(w.get(), 200, "B:ok")
				p := w.proxy("A")
				if !p.Spent() || p.Checkable() || p.BeginCheck() || !p.Snapshot().NextCheck.IsZero() {
					t.Error("it is checked on")
				}
				w.tick(time.Second)
				if n := w.fake["A"].open(); n != 0 {
					t.Errorf("%d idle connections are open", n)
				}
				midnight := NextDay(time.Now().UTC())
				row := w.row("A")
				reason := "budget spent: " + row.Budget.String()
				if row.Usable || row.Reason != reason || !row.Active {
					t.Errorf("row %+v", row)
				}
				w.wantBlameless("A")
				want := []Verdict{{"A", false, reason, midnight}, {"B", true, "usable", time.Time{}}}
				if diff := cmp.Diff(want, w.Explain(TargetKey{Scheme: "https", Addr: api}, time.Now())); diff != "" {
					t.Errorf("explain (-want +got):\n%s", diff)
				}
				for _, action := range []string{"mark-healthy", "enable", "unblock", "reset-stats", "disable", "enable"} {
					w.do("A", action)
					w.wantOrder("B")
				}
				w.get()
				if w.fake["B"].open() == 0 || due != 0 {
					t.Fatalf("woken %d times", due)
				}
				w.pass(time.Until(midnight))
				w.get()
				w.Pool.Tick(time.Now())
				if w.wantOrder("A B"); due != 1 || !p.Checkable() || p.CheckDue() > time.Now().UnixNano() {
					t.Errorf("woken %d times, check due %v", due, time.Unix(0, p.CheckDue()))
				}
				if n := w.fake["B"].open(); n != 0 {
					t.Errorf("%d connections through B are idle", n)
				}
				w.wantTrail(w.get(), 200, "A:ok")
				if row := w.row("A"); !row.Usable || row.Reason != "" {
					t.Errorf("row %+v", row)
				}
				w.wantEvents()
			})
		}
	}
}

// TestSoftBudgetNeverGates.
func TestSoftBudgetNeverGates(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := spentWorld(t, named("A B"), func(c *Config) { c.Proxies[0].Budget.Hard = false })
		w.spend("A", 100*spentLimit)
		w.tick(2 * time.Second)
		w.wantTrail(w.get(), 200, "A:ok")
		if row := w.row("A"); !row.Usable || row.Reason != "" || row.Budget.Spent || row.Budget.Ratio() != 100 {
			t.Errorf("row %+v, budget %+v", row, row.Budget)
		}
	})
}

// TestRaisedBudget opens the gate at once, and its connections are used again.
func TestRaisedBudget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := spentWorld(t, named("A B"), nil)
		w.spend("A", 10*spentLimit)
		w.tick(time.Second)
		w.get()
		w.reload(func(c *Config) { c.Proxies[0].Budget.Bytes = 20 * spentLimit })
		w.wantOrder("A B")
		w.tick(time.Second)
		if n := w.fake["B"].open(); n != 0 {
			t.Errorf("%d connections through B are idle", n)
		}
		w.wantTrail(w.get(), 200, "A:ok")
	})
}

// TestReasonOfTheUnused: the status has the first word where it is what keeps
// the proxy from being used.
func TestReasonOfTheUnused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := spentWorld(t, named("A B"), nil)
		for range 3 {
			w.check("A", true, 3*time.Second)
		}
		w.spend("A", spentLimit)
		wantReason := func(status Status, want string) {
			t.Helper()
			if row := w.row("A"); row.Status != status || !strings.HasPrefix(row.Reason, want) {
				t.Errorf("%s: %q, want %s: %q", row.Status, row.Reason, status, want)
			}
		}
		wantReason(StatusDegraded, "budget spent")
		w.proxy("A").block(w.route("A"), time.Now().Add(time.Hour), "403")
		wantReason(StatusBlocked, "blocked by "+api)
		w.do("A", "mark-down")
		wantReason(StatusDown, "marked down")
		explained := func() string { return w.Explain(TargetKey{Scheme: "https", Addr: api}, time.Now())[0].Reason }
		if got := explained(); !strings.HasPrefix(got, "budget spent") {
			t.Errorf("explained as %q", got)
		}
		w.do("A", "disable")
		if got := explained(); got != "disabled" {
			t.Errorf("explained as %q", got)
		}
	})
}

// TestSpentWhileConnecting: no request goes over a connection that came to stand
// too late, nor is it kept.
func TestSpentWhileConnecting(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			w := spentWorld(t, named("A B"), nil)
			w.fake["A"].be(behaviour{h2: h2, delay: 500 * time.Millisecond})
			var over []<-chan outcome
			for range 3 {
				over = append(over, w.later(w.get))
			}
			w.spend("A", spentLimit)
			for _, o := range over {
				w.wantTrail(<-o, 200, "A:budget_spent B:ok")
			}
			w.tick(time.Second)
			if n := w.fake["A"].open(); n != 0 {
				t.Errorf("h2 %v: %d connections are kept", h2, n)
			}
			w.wantBlameless("A")
		})
	}
}

// TestNothingNewWhileSpent: no repetition of what was stale, no hedge, no last
// resort, no probe, no check.
func TestNothingNewWhileSpent(t *testing.T) {
	tests := map[string]func(w *world){
		"a stale connection is not repeated": func(w *world) {
			w.get()
			w.fake["A"].be(behaviour{answer: func(c *fakeConn, _ *http.Request) (*http.Response, error) {
				w.spend("A", spentLimit)
				c.die()
				return nil, closedErr
			}})
			w.wantTrail(w.get(), 200, "A:stale B:ok")
		},
		"no hedge": func(w *world) {
			w.spend("A", spentLimit)
			w.fake["B"].be(behaviour{delay: 3 * time.Second})
			w.reload(func(c *Config) { c.Proxies[1].Priority = 1 })
			w.wantTrail(w.get(), 200, "B:ok")
		},
		"not as the last one, held back": func(w *world) {
			w.do("B", "disable")
			for range 3 {
				w.relapse("A")
			}
			w.spend("A", spentLimit)
			w.wantTrail(w.get(), 503, "")
		},
		"not as the last one, failing": func(w *world) {
			w.do("B", "disable")
			w.failRoute("A", 3)
			w.spend("A", spentLimit)
			w.tick(2 * time.Minute)
			w.wantTrail(w.get(), 503, "")
		},
		"no probe of a failing route": func(w *world) {
			w.get()
			w.failRoute("A", 3)
			w.spend("A", spentLimit)
			w.get()
			w.tick(time.Minute)
		},
		"no connect in the place of a check": func(w *world) {
			w.reload(func(c *Config) { c.Checks.Disabled = true })
			w.get()
			w.fail("A", 3)
			w.spend("A", spentLimit)
			w.tick(time.Minute)
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := spentWorld(t, named("A B"), nil)
				test(w)
				if n := w.fake["A"].dialled(); n > 1 {
					t.Errorf("%d connects", n)
				}
			})
		})
	}
}

// TestSilentWhileSpent: nobody spends more on finding out why.
func TestSilentWhileSpent(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			w := spentWorld(t, named("A B"), nil)
			w.fake["A"].be(behaviour{h2: h2})
			w.get()
			pings := 0
			w.fake["A"].be(behaviour{h2: h2, answer: after(30*time.Second, ok), ping: func(context.Context) error {
				pings++
				return nil
			}})
			w.settledMedian("A", time.Millisecond)
			over := w.later(w.get)
			w.spend("A", spentLimit)
			w.wantTrail(<-over, 200, "A:ok")
			if n := w.fake["A"].dialled(); n != 1 || pings != 0 {
				t.Errorf("h2 %v: %d probes, %d pings", h2, n-1, pings)
			}
		})
	}
}

// TestRetryAfterSpent: a minute, because an admin may raise the budget, or sooner
// where its period ends.
func TestRetryAfterSpent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := spentWorld(t, named("A"), nil)
		w.spend("A", spentLimit)
		midnight := NextDay(time.Now().UTC())
		for _, tt := range []struct{ before, want time.Duration }{{time.Hour, time.Minute}, {20 * time.Second, 20 * time.Second}, {time.Millisecond, time.Second}} {
			w.pass(time.Until(midnight) - tt.before)
			o := w.get()
			if o.Status != 503 || o.err.RetryAfter != tt.want || o.Failed != "no_proxy" {
				t.Errorf("%v before midnight: %d, %q, again after %v", tt.before, o.Status, o.Failed, o.err.RetryAfter)
			}
		}
		w.reload(func(c *Config) { c.Proxies[0].Budget.Per = PerTotal })
		if o := w.get(); o.Status != 503 || o.err.RetryAfter != time.Minute {
			t.Errorf("for ever: %d, again after %v", o.Status, o.err.RetryAfter)
		}
	})
}

// TestActiveAndBudgets: nobody sees what goes through an address that was handed
// out, so that no hard budget would be kept.
func TestActiveAndBudgets(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := spentWorld(t, []proxySpec{{"M", 10, 5}, {"N", 20, 5}, {"A", 30, 0}}, func(c *Config) {
			c.Proxies[1].Budget = Budget{Bytes: spentLimit, Per: PerDay}
			c.Proxies[2].Budget = Budget{Bytes: spentLimit, Per: PerDay, Hard: true}
		})
		active := func() string {
			if p := w.Active(w.target(api), time.Now()); p != nil {
				return p.Name
			}
			return ""
		}
		got := []string{active()}
		w.spend("A", spentLimit)
		got = append(got, active())
		w.do("N", "disable")
		got = append(got, active())
		if diff := cmp.Diff([]string{"A", "N", ""}, got); diff != "" {
			t.Error(diff)
		}
	})
}
