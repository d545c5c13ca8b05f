package pool

import (
	"math/big"
	"math/rand"
	"sync"
	"testing"

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

// TestTrafficIsExact compares many small bookings with one exact division.
func TestTrafficIsExact(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	for _, usd := range []float64{12, 0.5, 0.000000001, 7.77, 1e6} {
		var tr Traffic
		tr.SetPrice(Dollars(usd))
		var bytes int64
		for range 10_000 {
			in, out := rnd.Intn(100_000), rnd.Intn(3)
			tr.Count(in, out)
			bytes += int64(in + out)
			tr.Book()
		}
		want := new(big.Int).Mul(big.NewInt(bytes), big.NewInt(int64(Dollars(usd))))
		want.Rsh(want, 30)
		if _, _, cost := tr.Book(); int64(cost) != want.Int64() {
			t.Errorf("%v $/GB: %d nano-dollars for %d bytes, want %v", usd, cost, bytes, want)
		}
	}
}

func TestTrafficOfAGigabyteCostsItsPrice(t *testing.T) {
	var tr Traffic
	tr.SetPrice(Dollars(12))
	tr.Count(1<<29, 1<<29)
	in, out, cost := tr.Book()
	if diff := cmp.Diff([]int64{1 << 29, 1 << 29, 12e9}, []int64{in, out, int64(cost)}); diff != "" {
		t.Error(diff)
	}
}

func TestNewPriceChangesNoPastBill(t *testing.T) {
	var tr Traffic
	tr.SetPrice(Dollars(10))
	tr.Count(1<<30, 0) // counted, but not booked yet
	tr.SetPrice(Dollars(1))
	if _, _, cost := tr.Book(); cost != 10e9 {
		t.Errorf("the past costs %d after the price changed, want 10e9", cost)
	}
	tr.Count(0, 1<<30)
	if _, _, cost := tr.Book(); cost != 11e9 {
		t.Errorf("in all %d, want 11e9", cost)
	}
	tr.SetPrice(0)
	tr.Count(1<<30, 0)
	if _, _, cost := tr.Book(); cost != 11e9 {
		t.Errorf("free bytes cost: %d, want 11e9", cost)
	}
}

func TestTrafficConcurrent(t *testing.T) {
	var tr Traffic
	tr.SetPrice(Dollars(3))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				tr.Count(1024, 1024)
				tr.Book()
			}
		})
	}
	wg.Wait()
	const want = 8 * 1000 * 2048 * 3_000_000_000 >> 30
	if in, out, cost := tr.Book(); in+out != 8*1000*2048 || cost != want {
		t.Errorf("%d bytes for %d, want %d", in+out, cost, want)
	}
}
