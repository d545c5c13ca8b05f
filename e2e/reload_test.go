package e2e

import (
	"testing"
	"time"
)

// TestReload reloads under load, with the same prices and with others. Nothing is
// lost, no request fails, and what went before costs what it cost.
func TestReload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 2, 12)
	p := start(t, w.setup())
	l := put(t, p.url, 16, 5*time.Millisecond)
	l.patient.Store(true)
	reloads := 10
	if soaking() {
		reloads = 100
	}
	bill := p.usage()
	for n := range reloads {
		eventually(t, "more is answered", 10*time.Second, func() bool { return l.answered.Load() > int64(100*(n+1)) })
		before := p.usage()
		for i := range w.proxies {
			w.costsAt(i, before[id(i)].minus(bill[id(i)]), w.prices[i], 2)
		}
		old := w.prices
		if n%2 == 1 {
			price := 2 + float64(n%7) // up and down again
			w.prices = []float64{price, price, 12 + price}
		}
		if err := p.reload(w.setup()); err != nil {
			t.Fatal(err)
		}
		bill = p.usage()
		for i := range w.proxies {
			grown := bill[id(i)].minus(before[id(i)])
			least, most := cost(grown.bytes(), min(old[i], w.prices[i])), cost(grown.bytes(), max(old[i], w.prices[i]))
			if float64(grown.Cost) < least-2 || float64(grown.Cost) > most+2 {
				t.Errorf("%s: over a reload %d bytes cost %d, want from %.0f to %.0f", id(i), grown.bytes(), grown.Cost, least, most)
			}
		}
	}
	l.mustSucceed(t)
	last := p.usage()
	p.stop()
	w.quiet()
	next := start(t, w.setup())
	after := w.read(next)
	w.exact(after, 0)
	for i := range w.proxies {
		// Connections say goodbye when they are closed.
		w.costsAt(i, after.proxies[id(i)].minus(last[id(i)]), w.prices[i], 2)
	}
}
