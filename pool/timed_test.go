package pool

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// timed is what response times are waiting to be stored, by target and quarter.
func (w *world) timed(name string) map[cellKey]Usage {
	all := make(map[cellKey]Usage)
	for key, u := range w.proxy(name).State.ledger.takeCells() {
		if u.Timed != 0 || u.Took != 0 {
			all[key] = Usage{Timed: u.Timed, Took: u.Took}
		}
	}
	return all
}

// TestResponseTimesOfChecks: they are of checks that passed, in the quarter in
// which they did; how long requests wait is of no concern.
func TestResponseTimesOfChecks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.fake["A"].be(behaviour{delay: 700 * time.Millisecond})
		if got := w.get(); got.err != nil {
			t.Fatal(got.err)
		}
		w.check("A", true, 100*time.Millisecond)
		w.check("A", false, time.Second)
		w.check("A", true, 200*time.Millisecond)
		first := QuarterOf(time.Now())
		w.pass(15 * time.Minute)
		w.check("A", true, 50*time.Millisecond)
		want := map[cellKey]Usage{
			{checkAddr, first}:     {Timed: 2, Took: 300 * time.Millisecond},
			{checkAddr, first + 1}: {Timed: 1, Took: 50 * time.Millisecond},
		}
		if diff := cmp.Diff(want, w.timed("A")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		total := w.proxy("A").State.ledger.totals()
		if mean, ok := total.ResponseTime(); !ok || total.Timed != 3 || mean != 350*time.Millisecond/3 {
			t.Errorf("total %+v, mean %v", total, mean)
		}
	})
}

// TestResponseTimesWithoutChecks are those of the connects, one for each
// connection, however many requests it carries.
func TestResponseTimesWithoutChecks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), func(c *Config) { c.Checks.Disabled = true })
		w.fake["A"].be(behaviour{delay: 200 * time.Millisecond})
		for range 3 {
			if got := w.get(); got.err != nil {
				t.Fatal(got.err)
			}
		}
		w.getFrom("other.example.com:443")
		now := QuarterOf(time.Now())
		want := map[cellKey]Usage{
			{api, now}:                     {Timed: 1, Took: 200 * time.Millisecond},
			{"other.example.com:443", now}: {Timed: 1, Took: 200 * time.Millisecond},
		}
		if diff := cmp.Diff(want, w.timed("A")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestResponseTimeOfNothing(t *testing.T) {
	if mean, ok := new(Usage).ResponseTime(); ok || mean != 0 {
		t.Errorf("%v, %v", mean, ok)
	}
}
