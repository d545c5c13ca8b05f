package pool

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// relapse takes the proxy down and has its next check pass.
func (w *world) relapse(name string) {
	w.Helper()
	w.fail(name, 3)
	w.wantStatus(name, StatusDown)
	w.pass(5 * time.Second)
	w.check(name, true, time.Millisecond)
}

// heldFor is how long a proxy whose check just passed is held back.
func (w *world) heldFor(name string) time.Duration {
	start := time.Now()
	for w.row(name).Status == StatusDown {
		if time.Since(start) > 30*time.Minute {
			return -1
		}
		w.tick(time.Second)
	}
	return time.Since(start).Round(time.Second)
}

func TestRecoverySchedule(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		due := 0
		w := newWorld(t, named("A"), func(c *Config) { c.OnDue = func() { due++ } })
		w.fail("A", 3)
		if due != 1 {
			t.Errorf("the checker was woken %d times", due)
		}
		var waits []time.Duration
		for range 7 {
			wait := time.Until(w.row("A").NextCheck).Round(10 * time.Millisecond)
			waits = append(waits, wait)
			w.pass(wait)
			w.check("A", false, 0)
		}
		const s = time.Second
		if diff := cmp.Diff([]time.Duration{5 * s, 10 * s, 20 * s, 40 * s, 60 * s, 60 * s, 60 * s}, waits); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPasses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) { c.Checks.Passes = 3 })
		w.do("A", "mark-down")
		w.check("A", true, 0)
		w.check("A", true, 0)
		w.check("A", false, 0) // begins anew
		for i := range 3 {
			w.wantStatus("A", StatusDown)
			w.check("A", true, 0)
			if wait := time.Until(w.row("A").NextCheck); i < 2 && wait != 5*time.Second {
				t.Errorf("check %d is followed by the next after %v", i, wait)
			}
		}
		w.wantStatus("A", StatusHealthy)
	})
}

func TestDamping(t *testing.T) {
	const s, m = time.Second, time.Minute
	tests := []struct {
		name   string
		others []proxySpec
		want   []time.Duration
	}{
		{"another as cheap", []proxySpec{{"A", 10, 0}, {"B", 20, 0}}, []time.Duration{0, 5 * s, 10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 320 * s, 10 * m, 10 * m}},
		{"only dearer ones", []proxySpec{{"A", 10, 0}, {"B", 20, 1}}, []time.Duration{0, 5 * s, 10 * s, 20 * s, 40 * s, m, m, m}},
		{"one cheaper", []proxySpec{{"A", 10, 5}, {"B", 20, 1}, {"C", 30, 9}}, []time.Duration{0, 5 * s, 10 * s, 20 * s, 40 * s, 80 * s}},
		{"none", []proxySpec{{"A", 10, 0}}, []time.Duration{0, 0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, tt.others, nil)
				var held []time.Duration
				for i := range tt.want {
					w.relapse("A")
					if i > 0 && tt.want[i] > 0 && len(w.order()) > 0 && w.order()[0] == 'A' {
						t.Error("used while it is held back")
					}
					wait := w.heldFor("A")
					if len(tt.others) == 1 {
						wait = wait.Truncate(2 * s) // seen by the next tick
					}
					held = append(held, wait)
				}
				if diff := cmp.Diff(tt.want, held); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestDampingIsForgottenAfterAnHourOfHealth(t *testing.T) {
	for _, healthy := range []time.Duration{59 * time.Minute, 61 * time.Minute} {
		t.Run(fmt.Sprint(healthy), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				for range 4 {
					w.relapse("A")
					w.heldFor("A")
				}
				w.pass(healthy)
				w.relapse("A")
				want := time.Duration(0)
				if healthy < time.Hour {
					want = 40 * time.Second
				}
				if got := w.heldFor("A"); got != want {
					t.Errorf("held for %v, want %v", got, want)
				}
			})
		})
	}
}

func TestHeldBackIsUsedWhereNoOtherIs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		for range 5 {
			w.relapse("A")
		}
		w.wantTrail(w.get(), 200, "B:ok")
		w.failRoute("B", 3) // B is usable, but not for this target
		w.wantTrail(w.get(), 200, "A:ok")
		w.wantTrail(w.get(), 200, "A:ok") // not only one request a second
		w.do("B", "disable")
		w.tick(time.Second)
		w.wantStatus("A", StatusHealthy)
	})
}

func TestFailedCheckEndsTheHolding(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.relapse("A")
		w.relapse("A")
		w.check("A", false, 0)
		w.tick(time.Hour)
		w.wantStatus("A", StatusDown)
	})
}

// TestRecoveryWithoutChecks: with health_check off, connects to the target last
// asked for take the place of checks.
func TestRecoveryWithoutChecks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) { c.Checks.Disabled = true })
		w.getFrom("other.example.com:443")
		w.get()
		w.fake["A"].be(behaviour{err: refused})
		w.fail("A", 3)
		dials := w.fake["A"].dialled()
		w.tick(80 * time.Second) // 5, 10, 20, 40 s apart
		if got := w.fake["A"].dialled() - dials; got != 4 {
			t.Errorf("%d connects in 80 s, want 4", got)
		}
		w.wantStatus("A", StatusDown)
		// The way to another target is open, to the one asked for last it is not.
		w.fake["A"].be(behaviour{on: map[string]error{api: noTunnel}})
		w.tick(2 * time.Minute)
		w.wantStatus("A", StatusDown)
		w.fake["A"].be(behaviour{})
		w.tick(time.Minute + time.Second)
		w.wantStatus("A", StatusHealthy)
		w.wantOrder("A B")
		w.wantTrail(w.get(), 200, "A:ok")
	})
}

func TestNoRecoveryConnectsThroughADisabledProxy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) { c.Checks.Disabled = true })
		w.get()
		w.do("A", "mark-down")
		w.do("A", "disable")
		dials := w.fake["A"].dialled()
		w.tick(2 * time.Minute)
		if got := w.fake["A"].dialled() - dials; got != 0 {
			t.Errorf("%d connects", got)
		}
	})
}
