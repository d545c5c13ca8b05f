package network

import (
	"testing"
	"time"
)

// TestNarrow: 256 kbit/s are slow, and no failure. An answer of ten seconds is not
// cut, and what is quick still finds its way beside it.
func TestNarrow(t *testing.T) {
	t.Parallel()
	const rate, seconds = 32_000, 10
	w := newWorld(t, terms{cheap: weather{delay: 20 * time.Millisecond, rate: rate, queue: 300 * time.Millisecond}})
	l := w.put(clients{kind: get, n: 3, pause: 200 * time.Millisecond}, clients{kind: post, n: 1, pause: 200 * time.Millisecond},
		clients{kind: tunnel, n: 1, pause: time.Second})
	pass(time.Second)
	large := w.put(clients{kind: get, n: 1, query: "bytes=320000", pause: 3 * time.Second})
	pass(25 * time.Second)
	large.stop()
	l.stop()
	l.tell(t, "256 kbit/s")
	large.tell(t, "256 kbit/s, large answers")
	for _, l := range []*load{l, large} {
		l.noErrors(t)
		l.spares(t)
	}
	l.noPostTwice(t)
	if longest := large.result(every).quantile(1); longest < (seconds-1)*time.Second {
		t.Errorf("no large answer came over the narrow way: %v", longest)
	}
	// While a large answer fills the link, what is small does well to go another way.
	if got := l.result(every).share("Cheap"); got < 0.25 {
		t.Errorf("the cheap proxy carried %.1f %% of the requests", 100*got)
	}
	if r := l.result(every); w.hedges()-l.hedges > len(r.all)/10 {
		t.Errorf("%d hedges in %d requests", w.hedges()-l.hedges, len(r.all))
	}
	if n := w.downs("Cheap"); n > 0 {
		t.Errorf("the cheap proxy went down %d times", n)
	}
}
