package pool

import (
	"math"
	"math/bits"
)

// Money is an amount in nano-dollars, an integer so that books balance.
type Money int64

// Dollars makes money of a configured amount in US dollars.
func Dollars(usd float64) Money { return Money(math.Round(usd * 1e9)) }

// USD is the amount in dollars.
func (m Money) USD() float64 { return float64(m) / 1e9 }

// gib is what providers sell as a gigabyte, as a power of two: 1024^3 bytes.
const gib = 30

// tariff is a price for bytes. What rounding a charge down leaves over is in the
// next one, so that many small charges are exactly one large one.
type tariff struct {
	perGiB Money
	rest   uint64 // in nano-dollars/2^30
}

// charge is what some bytes cost.
func (t *tariff) charge(bytes int64) Money {
	hi, lo := bits.Mul64(uint64(bytes), uint64(t.perGiB))
	lo, carry := bits.Add64(lo, t.rest, 0)
	hi += carry
	t.rest = lo & (1<<gib - 1)
	return Money(hi<<(64-gib) | lo>>gib)
}

// bytesFor is how many of the next bytes cost at least so much.
func (t *tariff) bytesFor(m Money) int64 {
	if m <= 0 {
		return 0
	}
	if t.perGiB <= 0 {
		return math.MaxInt64
	}
	hi, lo := bits.Mul64(uint64(m), 1<<gib)
	lo, borrow := bits.Sub64(lo, t.rest, 0) // less than m, for the rest is below 2^30
	hi -= borrow
	if hi >= uint64(t.perGiB) {
		return math.MaxInt64
	}
	n, rest := bits.Div64(hi, lo, uint64(t.perGiB))
	if rest > 0 {
		n++
	}
	return int64(min(n, math.MaxInt64))
}
