package pool

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDownAfterMaxFailuresInARow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fail("A", 2)
		w.wantStatus("A", StatusHealthy)
		if got := w.row("A").FailureCount; got != 2 {
			t.Errorf("failure count %d", got)
		}
		w.fail("A", 1)
		w.wantStatus("A", StatusDown)
		w.wantOrder("B")
		w.wantEvents("A healthy>down: dial_refused")
		row := w.row("A")
		if row.Reason != "dial_refused" || row.LastError != "dial_refused" || row.Usable || !row.Active {
			t.Errorf("row %+v", row)
		}
	})
}

func TestMaxFailuresOfTheProxy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) { c.Proxies[0].MaxFailures = 1 })
		w.fake["A"].be(behaviour{err: refused})
		w.wantTrail(w.get(), 200, "A:dial_refused B:ok")
		w.wantStatus("A", StatusDown)
	})
}

func TestSuccessResetsTheCount(t *testing.T) {
	tests := []struct {
		name    string
		succeed func(*world)
	}{
		{"a request", func(w *world) { w.get() }},
		{"a check", func(w *world) { w.check("A", true, time.Millisecond) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.fail("A", 2)
				tt.succeed(w)
				w.fail("A", 2)
				w.wantStatus("A", StatusHealthy)
				w.wantEvents()
			})
		})
	}
}

func TestChecksBringDownAndBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		for range 3 {
			w.check("A", false, time.Second)
		}
		w.wantStatus("A", StatusDown)
		since := time.Now()
		w.pass(5 * time.Second)
		w.check("A", true, 100*time.Millisecond)
		w.wantStatus("A", StatusHealthy)
		w.wantOrder("A B")
		w.wantEvents("A healthy>down: check: timeout", "A down>healthy: ")
		row := w.row("A")
		if want := since.Add(5101 * time.Millisecond); !row.Since.Equal(want) || !row.LastCheck.Equal(want) || !row.LastSuccess.Equal(want) {
			t.Errorf("since %v, last check %v, last success %v, want %v", row.Since, row.LastCheck, row.LastSuccess, want)
		}
		if row.Uptime != 25 || row.ResponseTime != 100*time.Millisecond {
			t.Errorf("uptime %v, response time %v", row.Uptime, row.ResponseTime)
		}
	})
}

// TestFirstThatApplies walks through the statuses from the last that applies to
// the first and back, and sees each change told once.
func TestFirstThatApplies(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.wantStatus("A", StatusHealthy)
		began := w.row("A").Since
		for range 3 {
			w.check("A", true, 2500*time.Millisecond)
		}
		w.wantStatus("A", StatusDegraded)
		if !w.row("A").Usable {
			t.Error("degraded is not usable")
		}
		w.proxy("A").block(w.route("A"), time.Now().Add(time.Hour), "answered 403")
		w.wantStatus("A", StatusBlocked)
		blocked := w.row("A")
		if diff := cmp.Diff([]string{api}, blocked.BlockedFor); diff != "" || !blocked.Usable {
			t.Errorf("blocked row: usable %v, for %v", blocked.Usable, blocked.BlockedFor)
		}
		w.pass(time.Minute)
		w.do("A", "mark-down")
		w.wantStatus("A", StatusDown)
		w.pass(time.Minute)
		if down := w.row("A"); !down.Since.After(blocked.Since) || !blocked.Since.After(began) {
			t.Errorf("since: %v, %v, %v", began, blocked.Since, down.Since)
		}
		w.check("A", true, 2500*time.Millisecond)
		w.wantStatus("A", StatusBlocked)
		w.do("A", "unblock")
		w.wantStatus("A", StatusDegraded)
		w.check("A", true, time.Second)
		w.wantStatus("A", StatusHealthy) // the mean of the last three is at 2 s
		w.wantEvents(
			"A healthy>degraded: ", "A degraded>blocked: answered 403", "A blocked>down: marked down",
			"A down>blocked: ", "A blocked>degraded: ", "A degraded>healthy: ",
		)
	})
}

func TestDegradedIsTheMeanOfThreeChecks(t *testing.T) {
	tests := []struct {
		name  string
		times []time.Duration
		want  Status
	}{
		{"two are not enough", []time.Duration{9e9, 9e9}, StatusHealthy},
		{"mean above slow", []time.Duration{1e9, 1e9, 4.1e9}, StatusDegraded},
		{"mean at slow", []time.Duration{1e9, 1e9, 4e9}, StatusHealthy},
		{"only the last three", []time.Duration{9e9, 9e9, 9e9, 1e9, 1e9, 1e9}, StatusHealthy},
		{"the oldest goes first", []time.Duration{9e9, 1e9, 1e9, 1e9}, StatusHealthy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A"), nil)
				for _, d := range tt.times {
					w.check("A", true, d)
				}
				w.wantStatus("A", tt.want)
			})
		})
	}
}

func TestResponseTimeIsAMovingAverage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.check("A", true, 100*time.Millisecond)
		for range 40 {
			w.check("A", true, 200*time.Millisecond)
		}
		if got := w.row("A").ResponseTime.Seconds(); math.Abs(got-0.2) > 0.001 {
			t.Errorf("response time %v s after 40 checks of 0.2 s", got)
		}
	})
}

func TestFailedChecksDontCountWhileTrafficFlows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		for range 5 {
			w.pass(time.Minute)
			if o := w.get(); o.Status != http.StatusOK {
				t.Fatal(o.err)
			}
			w.pass(time.Millisecond)
			w.check("A", false, time.Second)
			row := w.row("A")
			if row.Status != StatusHealthy || row.FailureCount != 0 || !row.CheckFailing {
				t.Fatalf("%s, %d failures, check failing %v", row.Status, row.FailureCount, row.CheckFailing)
			}
		}
		// From now on nothing flows: success before the check before is no excuse.
		for range 3 {
			w.pass(time.Minute)
			w.check("A", false, time.Second)
			if w.row("A").CheckFailing {
				t.Error("the check is said to fail alone")
			}
		}
		w.wantStatus("A", StatusDown)
	})
}

func TestCheckThatBeganBeforeAFailureIsTheSameEvent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		start := time.Now()
		w.pass(time.Second)
		w.fail("A", 1)
		w.proxy("A").Checked(CheckResult{Start: start, Reason: "check: dial_refused"})
		if got := w.row("A").FailureCount; got != 1 {
			t.Errorf("%d failures, want 1", got)
		}
	})
}

func TestUnknownAction(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		if err := w.proxy("A").Do("explode"); err != ErrUnknownAction {
			t.Errorf("error %v", err)
		}
	})
}

func TestDisable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.get()
		w.do("A", "disable")
		w.wantTrail(w.get(), 200, "B:ok")
		if open := w.fake["A"].open(); open != 0 {
			t.Errorf("%d connections through a disabled proxy", open)
		}
		w.check("A", true, time.Millisecond)
		w.do("A", "mark-healthy")
		row := w.row("A")
		if row.Active || row.Usable || row.Status != StatusHealthy || !row.NextCheck.IsZero() {
			t.Errorf("row %+v", row)
		}
		w.wantOrder("B") // only enable ends it
		w.do("A", "enable")
		w.wantOrder("A B")
		w.wantEvents()
	})
}

func TestMarkDownLastsUntilTheNextPassingCheck(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.do("A", "mark-down")
		w.wantStatus("A", StatusDown)
		if got := w.row("A").Reason; got != "marked down" {
			t.Errorf("reason %q", got)
		}
		w.check("A", false, time.Second)
		w.wantStatus("A", StatusDown)
		w.check("A", true, time.Second)
		w.wantStatus("A", StatusHealthy)
		// An admin's word is no relapse: nothing is held back the next time.
		w.do("A", "mark-down")
		w.check("A", true, time.Second)
		w.wantStatus("A", StatusHealthy)
	})
}

func TestMarkDownOfOneThatIsHeldBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.relapse("A")
		w.relapse("A")
		w.do("A", "mark-down")
		w.tick(time.Hour)
		w.wantStatus("A", StatusDown) // no check has passed since
	})
}

func TestMarkHealthy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.relapse("A")
		w.relapse("A")
		w.proxy("A").block(w.route("A"), time.Now().Add(time.Hour), "403")
		w.failRoute("A", 3)
		w.wantStatus("A", StatusDown)
		w.do("A", "mark-healthy")
		w.wantStatus("A", StatusHealthy)
		row := w.row("A")
		if !row.Usable || row.BlockedFor != nil || row.FailingFor != nil || row.FailureCount != 0 || row.LastError != "" {
			t.Errorf("row %+v", row)
		}
		w.wantOrder("A B")
		w.relapse("A") // damping is forgotten: back at once
		w.wantStatus("A", StatusHealthy)
	})
}

func TestUnblock(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		for _, addr := range []string{api, "other.example.com:443"} {
			w.proxy("A").block(w.target(addr).route(w.proxy("A")), time.Now().Add(time.Hour), "403")
		}
		w.failRoute("A", 3)
		w.do("A", "unblock")
		row := w.row("A")
		if row.Status != StatusHealthy || row.BlockedFor != nil || len(row.FailingFor) != 1 {
			t.Errorf("row %+v", row)
		}
		w.wantEvents("A healthy>blocked: 403", "A blocked>healthy: ")
	})
}

func TestResetStats(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{"A", 0, 10}}, nil)
		w.get()
		w.fake["A"].be(behaviour{answer: breaks})
		w.pass(2 * time.Minute)
		w.get()
		w.check("A", true, time.Second)
		w.route("A").account.Count(1<<30, 1<<30)
		row := w.row("A")
		if row.Requests != 2 || row.Failed != 1 || row.Cost != 20e9 || math.Abs(row.Uptime-200./3) > 0.01 || row.ResponseTime == 0 {
			t.Errorf("row before %+v", row)
		}
		w.do("A", "reset-stats")
		row = w.row("A")
		if row.Requests != 0 || row.Failed != 0 || row.Cost != 0 || row.BytesIn != 0 || row.Uptime != 100 || row.ResponseTime != 0 {
			t.Errorf("row after %+v", row)
		}
		// The books are not the row's.
		if cost := w.proxy("A").State.ledger.totals().Cost; cost != 20e9 {
			t.Errorf("the books say %d", cost)
		}
	})
}
