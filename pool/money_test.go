package pool

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestBytesFor: with so many more bytes the amount is reached, with one less it
// is not, whatever earlier charges left over.
func TestBytesFor(t *testing.T) {
	for range 100_000 {
		tf := tariff{perGiB: Money(1 + rand.Int64N(1<<rand.IntN(50))), rest: rand.Uint64N(1 << gib)}
		m := Money(1 + rand.Int64N(1<<rand.IntN(50)))
		n := tf.bytesFor(m)
		if n == math.MaxInt64 {
			continue
		}
		enough, less := tf, tf
		if got := enough.charge(n); got < m || (n > 1 && less.charge(n-1) >= m) {
			t.Fatalf("%+v: %d bytes cost %d, one less %d; want %d", tf, n, got, less.charge(n-1), m)
		}
	}
	for _, tt := range []struct {
		price, m Money
		want     int64
	}{{0, 1, math.MaxInt64}, {12e9, 0, 0}, {12e9, -1, 0}, {12e9, 12e9, 1 << 30}, {1, math.MaxInt64, math.MaxInt64}, {3, 1, 357913942}} {
		if got := (&tariff{perGiB: tt.price}).bytesFor(tt.m); got != tt.want {
			t.Errorf("%d nano-dollars at %d a GiB are %d bytes, want %d", tt.m, tt.price, got, tt.want)
		}
	}
}

// TestSavingsNeverGoBack, nor are there any on the dearest proxy itself, after
// prices that left something over.
func TestSavingsNeverGoBack(t *testing.T) {
	l, a := testLedger(&terms{price: 7, dearest: 11})
	prices := func(price, dearest Money) {
		l.follow(&terms{price: price, dearest: dearest, where: l.terms.where, tell: l.terms.tell})
	}
	for range 1000 {
		before := l.totals().Saved
		a.note(rand.IntN(1<<30), 0)
		if got := l.totals().Saved; got < before {
			t.Fatalf("saved %d, then %d", before, got)
		}
		prices(Money(rand.IntN(20)), Money(rand.IntN(20)))
	}
	prices(20, 20)
	before := l.totals().Saved
	for range 100 {
		a.note(rand.IntN(1<<30), 0)
		if got := l.totals().Saved; got != before {
			t.Fatalf("saved %d on the dearest proxy", got-before)
		}
	}
}
