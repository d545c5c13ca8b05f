package pool

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
)

// Type says what kind of machine a proxy is, which decides its place where
// neither a priority nor a price does.
type Type string

// The types of proxies.
const (
	TypeVPS         Type = "vps"
	TypeDatacenter  Type = "datacenter"
	TypeResidential Type = "residential"
	TypeOther       Type = "other"
)

// lowestMetered keeps every metered proxy behind every free one, as long as
// nobody wrote a priority down.
const lowestMetered = 41

// DefaultPriority is the place of a proxy whose priority was not configured:
// ten times its price for a metered one, and by its type for a free one.
// Lower is earlier.
func DefaultPriority(t Type, direct bool, costPerGB float64) int {
	switch {
	case costPerGB > 0:
		return max(lowestMetered, int(math.Floor(10*costPerGB+0.5)))
	case direct:
		return 40
	case t == TypeVPS:
		return 10
	case t == TypeDatacenter:
		return 20
	case t == TypeResidential:
		return 40
	default:
		return 30
	}
}

// Money is an amount in nano-dollars, an integer so that books balance.
type Money int64

// Dollars makes money of a configured amount in US dollars.
func Dollars(usd float64) Money { return Money(math.Round(usd * 1e9)) }

// USD is the amount in dollars.
func (m Money) USD() float64 { return float64(m) / 1e9 }

// gib is what providers sell as a gigabyte, as a power of two: 1024^3 bytes.
const gib = 30

// Traffic counts the bytes that crossed the connections to one proxy and books
// what they cost. Counting is two atomic additions; bytes become money when
// [Traffic.Book] is called, at the price that was in force when they went.
//
// The zero value is ready, at a price of 0. Safe for concurrent use.
type Traffic struct {
	in, out atomic.Int64

	mu     sync.Mutex
	price  Money  // for each GiB
	booked int64  // bytes that are in cost already
	cost   Money  // for the booked bytes
	rest   uint64 // what rounding cost down left over, in nano-dollars/2^30
}

// Count adds bytes that were received from and sent to the proxy.
func (t *Traffic) Count(in, out int) {
	if in > 0 {
		t.in.Add(int64(in))
	}
	if out > 0 {
		t.out.Add(int64(out))
	}
}

// SetPrice sets the price of a GiB for the bytes from now on. What went before
// is booked at the old price first: a new price changes no bill of the past.
func (t *Traffic) SetPrice(perGiB Money) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.book()
	t.price = perGiB
}

// Book turns what was counted since the last call into money, exactly, and
// returns the bytes in, the bytes out, and what all of them cost.
func (t *Traffic) Book() (in, out int64, cost Money) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.book()
}

func (t *Traffic) book() (in, out int64, cost Money) {
	in, out = t.in.Load(), t.out.Load()
	fresh := uint64(in + out - t.booked)
	hi, lo := bits.Mul64(fresh, uint64(t.price))
	lo, carry := bits.Add64(lo, t.rest, 0)
	hi += carry
	t.cost += Money(hi<<(64-gib) | lo>>gib)
	t.rest = lo & (1<<gib - 1)
	t.booked = in + out
	return in, out, t.cost
}
