package network

import (
	"testing"
	"time"
)

// TestFarAway: a cheap proxy that is merely far away, and loses some packets,
// carries the traffic all the same.
func TestFarAway(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		far weather // each way
		// How many of the connections, and how many of the requests, may go to a
		// dearer proxy. Where one packet in fifty is lost, a SYN or a CONNECT that
		// has to be sent again is late enough for a hedge.
		connections, requests float64
	}{
		"120 ms":      {weather{delay: 60 * time.Millisecond}, 0.05, 0.01},
		"120 ms, 2 %": {weather{delay: 60 * time.Millisecond, loss: 0.01}, 0.10, 0.02},
		"300 ms, 5 %": {weather{delay: 150 * time.Millisecond, loss: 0.025}, 0.30, 0.10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terms{cheap: tt.far})
			l := w.put(clients{kind: get, n: 8}, clients{kind: post, n: 4}, clients{kind: tunnel, n: 12})
			pass(20 * time.Second)
			l.stop()
			l.tell(t, name)
			l.noErrors(t)
			l.noPostTwice(t)
			l.spares(t)
			if got := 1 - l.connectShare("Cheap"); got > tt.connections {
				t.Errorf("%.1f %% of the connections went to a dearer proxy", 100*got)
			}
			if got := 1 - l.result(every).share("Cheap"); got > tt.requests {
				t.Errorf("%.1f %% of the requests went to a dearer proxy", 100*got)
			}
			if n := w.downs("Cheap"); n > 0 {
				t.Errorf("the cheap proxy went down %d times", n)
			}
		})
	}
}
