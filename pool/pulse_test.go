package pool

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHeartbeat(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		if got := w.proxy("A").Heartbeat(); len(got) != 0 {
			t.Errorf("%v before any check", got)
		}
		for i := range keptBeats + 2 {
			w.check("A", i != keptBeats+1, time.Duration(i)*time.Millisecond)
		}
		got := w.proxy("A").Heartbeat()
		if len(got) != keptBeats {
			t.Fatalf("%d beats", len(got))
		}
		if first := got[0]; !first.OK || first.Duration != 2*time.Millisecond {
			t.Errorf("first %+v", first)
		}
		if last := got[keptBeats-1]; last.OK || last.Duration != (keptBeats+1)*time.Millisecond || last.Time.IsZero() {
			t.Errorf("last %+v", last)
		}
	})
}

func TestPulse(t *testing.T) {
	var s State
	now := time.Unix(1_800_000_000, 0)
	if diff := cmp.Diff(Pulse{}, s.Pulse(now)); diff != "" {
		t.Error(diff)
	}
	for i := range 2 * pulseAnswers { // the second half counts
		s.pulse.answered(time.Duration(i-pulseAnswers+1) * time.Millisecond)
	}
	s.pulse.failedOver(now.Add(-61*time.Minute), 9)
	s.pulse.failedOver(now.Add(-30*time.Minute), 3)
	s.pulse.failedOver(now, 1)
	s.pulse.failedOver(now, 2)
	want := Pulse{P50: 256 * time.Millisecond, P95: 486 * time.Millisecond, Failovers: 3}
	if diff := cmp.Diff(want, s.Pulse(now)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.Pulse(now.Add(time.Hour)).Failovers; got != 0 {
		t.Errorf("%d failovers an hour later", got)
	}
}

// TestPulseOfRequests: what goes through the pool is in it.
func TestPulseOfRequests(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{answer: breaks})
		w.get()
		got := w.state.Pulse(time.Now())
		if got.Failovers != 1 || got.P50 <= 0 {
			t.Errorf("%+v", got)
		}
		if diff := cmp.Diff([]string{api}, w.state.Asked(5)); diff != "" {
			t.Error(diff)
		}
	})
}
