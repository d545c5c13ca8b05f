package e2e

import (
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// TestReload reloads under load, with the same prices and with others. Nothing is
// lost, no request fails, and what went before costs what it cost.
func TestReload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 2, 12)
	p := start(t, w.setup())
	reloads := 10
	if soaking() {
		reloads = 100
	}
	for n := range reloads {
		price := w.prices[0]
		if n%2 == 1 {
			price = 2 + float64(n%7) // up and down
		}
		before := p.usage()
		l := caddytest.Put(t, p.URL, 16, 5*time.Millisecond)
		l.Patient.Store(true)
		caddytest.Eventually(t, "some are answered", 10*time.Second, func() bool { return l.Answered.Load() > 100 })
		if n%4 == 1 {
			l.MustSucceed(t) // so that all of it went at the old price
		}
		w.reprice(t, p, before, price)
		if n%4 != 1 {
			caddytest.Eventually(t, "more are answered", 10*time.Second, func() bool { return l.Answered.Load() > 200 })
			l.MustSucceed(t)
		}
	}
	last := p.usage()
	p.Stop()
	w.quiet()
	after := w.read(start(t, w.setup()))
	w.exact(after, 0)
	for i := range w.proxies {
		// Connections say goodbye when they are closed.
		w.costsAt(i, after.proxies[id(i)].Minus(last[id(i)]), w.prices[i], 2)
	}
}

// reprice reloads with other prices. What was used before that costs no more and
// no less than it cost; and what is used from then on costs what it is to cost.
func (w *world) reprice(t *testing.T, p *process, before map[string]used, price float64) {
	t.Helper()
	old, booked := w.prices, p.usage()
	w.prices = []float64{price, price, 10 + price}
	if err := p.Reload(w.setup()); err != nil {
		t.Fatal(err)
	}
	bill := p.usage()
	now := w.seen()
	for i := range w.proxies {
		grown := bill[id(i)].Minus(before[id(i)])
		// As much may have gone at the new price as was not booked when it was asked
		// for, and what the proxy had sent may not have been read by then.
		since := now[id(i)].Minus(booked[id(i)]).Bytes()
		low, high := cost(grown.Bytes(), old[i]), cost(grown.Bytes(), old[i])
		change := cost(since, w.prices[i]-old[i])
		if change < 0 {
			low += change
		} else {
			high += change
		}
		if c := float64(grown.Cost); c < low-2 || c > high+2 {
			t.Errorf("%s: %d bytes cost %d, %d of them at a price of %g in place of %g: want from %.0f to %.0f",
				id(i), grown.Bytes(), grown.Cost, since, w.prices[i], old[i], low, high)
		}
	}
	more := p.usage()
	for i := range w.proxies {
		w.costsAt(i, more[id(i)].Minus(bill[id(i)]), w.prices[i], 2)
	}
}
