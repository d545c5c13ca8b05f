package soak

// bill is what a proxy's bytes must have cost.
type bill struct {
	price     float64 // now, in dollars for a GB
	bytes     int64   // that are in low and high
	low, high float64 // in nano-dollars
	changes   int
}

// cost is what bytes cost at a price, in nano-dollars.
func cost(bytes int64, price float64) float64 { return float64(bytes) * price * 1e9 / (1 << 30) }

// repriced notes what went at the old prices, and what may have gone at either.
func (b *bookkeeper) repriced(before byKey, old, next shape) {
	b.t.Helper()
	after := b.usage()
	for i, k := range proxies {
		if old.proxies[i].price == next.proxies[i].price {
			continue
		}
		l := b.bills[k.name]
		sure, either := before[k.name].Bytes()-l.bytes, after[k.name].Bytes()-before[k.name].Bytes()
		was, is := old.proxies[i].price, next.proxies[i].price
		l.low += cost(sure, was) + cost(either, min(was, is))
		l.high += cost(sure, was) + cost(either, max(was, is))
		l.bytes, l.price = after[k.name].Bytes(), is
		l.changes++
	}
}

// billed checks that what was used cost what it should.
func (b *bookkeeper) billed(name string, u used) {
	b.t.Helper()
	l := b.bills[name]
	more := cost(u.Bytes()-l.bytes, l.price)
	slack := float64(b.roundings + 2*l.changes + 1)
	if got := float64(u.Cost); got < l.low+more-slack || got > l.high+more+slack {
		b.t.Errorf("%s: %d bytes cost %d nano-dollars, want from %.0f to %.0f", name, u.Bytes(), u.Cost, l.low+more, l.high+more)
	}
}
