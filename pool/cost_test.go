package pool

import (
	"math/big"
	"math/rand"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultPriority(t *testing.T) {
	tests := []struct {
		name   string
		kind   Type
		direct bool
		cost   float64
		want   int
	}{
		{"free vps", TypeVPS, false, 0, 10},
		{"free datacenter", TypeDatacenter, false, 0, 20},
		{"free other", TypeOther, false, 0, 30},
		{"free residential", TypeResidential, false, 0, 40},
		{"no type", "", false, 0, 30},
		{"direct", TypeOther, true, 0, 40},
		{"direct, whatever its type", TypeVPS, true, 0, 40},
		{"metered", TypeResidential, false, 12, 120},
		{"metered vps", TypeVPS, false, 10, 100},
		{"cheap metered stays behind the free", TypeVPS, false, 0.5, 41},
		{"next to nothing", TypeVPS, false, 0.0001, 41},
		{"half goes up", TypeOther, false, 4.25, 43},
		{"just below half goes down", TypeOther, false, 4.2499, 42},
		{"metered direct", TypeOther, true, 8, 80},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := DefaultPriority(tt.kind, tt.direct, tt.cost); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestMoney(t *testing.T) {
	for usd, want := range map[float64]Money{0: 0, 12: 12e9, 0.1: 1e8, 1e-9: 1, 0.29: 290_000_000} {
		if got := Dollars(usd); got != want || got.USD() != usd {
			t.Errorf("%v dollars are %d, back %v", usd, got, got.USD())
		}
	}
}

// TestChargesAreExact compares many small bookings with one exact division.
func TestChargesAreExact(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	for _, usd := range []float64{12, 0.5, 0.000000001, 7.77, 1e6} {
		l, a := testLedger(&terms{price: Dollars(usd)})
		var bytes int64
		for range 10_000 {
			in, out := rnd.Intn(100_000), rnd.Intn(3)
			a.Count(in, out)
			bytes += int64(in + out)
			l.totals()
		}
		want := new(big.Int).Mul(big.NewInt(bytes), big.NewInt(int64(Dollars(usd))))
		want.Rsh(want, 30)
		if cost := l.totals().Cost; int64(cost) != want.Int64() {
			t.Errorf("%v $/GB: %d nano-dollars for %d bytes, want %v", usd, cost, bytes, want)
		}
	}
}

func testLedger(t *terms) (*ledger, *Account) {
	s := newProxyState(time.Now())
	t.where = time.UTC
	if t.tell == nil {
		t.tell = func(BudgetEvent) {}
	}
	s.ledger.follow(t)
	return s.ledger, &Account{ledger: s.ledger, target: "api.test:443"}
}

func TestGigabyteCostsItsPrice(t *testing.T) {
	l, a := testLedger(&terms{price: Dollars(12), dearest: Dollars(20)})
	a.Count(1<<29, 1<<29)
	want := Usage{BytesIn: 1 << 29, BytesOut: 1 << 29, Cost: 12e9, Saved: 8e9}
	if diff := cmp.Diff(want, l.totals()); diff != "" {
		t.Error(diff)
	}
}

func TestNewPriceChangesNoPastBill(t *testing.T) {
	price := func(usd float64) *terms {
		return &terms{price: Dollars(usd), where: time.UTC, tell: func(BudgetEvent) {}}
	}
	l, a := testLedger(price(10))
	a.note(1<<30, 0) // counted, but not booked yet
	l.follow(price(1))
	if cost := l.totals().Cost; cost != 10e9 {
		t.Errorf("the past costs %d after the price changed, want 10e9", cost)
	}
	a.Count(0, 1<<30)
	if cost := l.totals().Cost; cost != 11e9 {
		t.Errorf("in all %d, want 11e9", cost)
	}
	l.follow(price(0))
	a.Count(1<<30, 0)
	if cost := l.totals().Cost; cost != 11e9 {
		t.Errorf("free bytes cost: %d, want 11e9", cost)
	}
}

func TestCountingConcurrently(t *testing.T) {
	l, _ := testLedger(&terms{price: Dollars(3)})
	var wg sync.WaitGroup
	for range 8 {
		a := &Account{ledger: l, target: "api.test:443"}
		for range 2 {
			wg.Go(func() {
				for range 1000 {
					a.Count(1024, 1024)
					a.attempt(true)
					l.totals()
				}
			})
		}
	}
	wg.Wait()
	const want = 16 * 1000 * 2048 * 3_000_000_000 >> 30
	u := l.totals()
	if u.BytesIn+u.BytesOut != 16*1000*2048 || u.Cost != want || u.Requests != 16_000 || u.Failed != 16_000 {
		t.Errorf("%+v, want %d bytes for %d, and 16000 failed requests", u, 16*1000*2048, want)
	}
}
