package pool

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// takeCells takes the usage out of a ledger, by route and quarter.
func (l *ledger) takeCells() map[cellKey]Usage {
	_, cells := l.take("main", "A", new(memory))
	byKey := make(map[cellKey]Usage)
	for _, c := range cells {
		byKey[cellKey{c.Target, c.Quarter}] = c.Usage
	}
	return byKey
}

// note counts like Count, but leaves it to the test when somebody looks, and what
// the clock says then.
func (a *Account) note(in, out int) {
	a.in.Add(int64(in))
	a.out.Add(int64(out))
	a.list()
}

// TestBookedWhereItBelongs compares what is booked around the beginnings of
// quarters, days and months with a plain sum.
func TestBookedWhereItBelongs(t *testing.T) {
	for _, name := range trickyZones {
		t.Run(name, func(t *testing.T) {
			where := zone(t, name)
			l, _ := testLedger(&terms{price: Dollars(1), dearest: Dollars(3)})
			l.terms.where = where
			accounts := []*Account{{ledger: l, target: "a:443"}, {ledger: l, target: "b:443"}}
			cells, days := make(map[cellKey]Usage), make(map[date]used)
			now := NextMonth(time.Date(2018, 10, 3, 0, 0, 0, 0, where)).Add(-time.Hour)
			for range 2000 {
				a := accounts[rand.IntN(2)]
				in, out, failed := rand.IntN(2)<<20, rand.IntN(3)<<20, rand.IntN(2) == 0
				a.note(in, out)
				a.attempt(failed)
				l.look(now.UTC()) // whose clock is of no concern
				mib := Money((in + out) >> 20)
				u := Usage{Requests: 1, BytesIn: int64(in), BytesOut: int64(out), Cost: mib * 1e9 >> 10, Saved: mib * 2e9 >> 10}
				if failed {
					u.Failed = 1
				}
				key := cellKey{a.target, Quarter(now.Unix() / 900)}
				sum := cells[key]
				sum.Add(u)
				cells[key] = sum
				day := days[dateOf(now)]
				day.add(used{int64(in + out), u.Cost})
				days[dateOf(now)] = day
				now = now.Add(time.Duration(rand.IntN(300)) * time.Second)
			}
			approximately := cmp.Comparer(func(a, b Money) bool { return max(a-b, b-a) < 3000 }) // 1 nano-dollar for each rounding
			if diff := cmp.Diff(days, l.days, approximately); diff != "" {
				t.Errorf("days (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(cells, l.takeCells(), approximately); diff != "" {
				t.Errorf("cells (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNothingIsLostOrDoubled: what is taken out adds up to the totals, and both
// to what was counted, whoever else looks meanwhile.
func TestNothingIsLostOrDoubled(t *testing.T) {
	l, _ := testLedger(&terms{price: Dollars(3), dearest: Dollars(8), alert: 10 << 20})
	var taken Usage
	var counting, looking sync.WaitGroup
	done := make(chan struct{})
	look := func(f func()) {
		looking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					f()
				}
			}
		})
	}
	look(func() {
		_, cells := l.take("main", "A", new(memory))
		for _, c := range cells {
			taken.Add(c.Usage)
		}
	})
	look(func() {
		if u := l.totals(); u.Failed > u.Requests {
			t.Errorf("%d of %d requests failed", u.Failed, u.Requests)
		}
	})
	look(func() { l.look(time.Now()) })
	for i := range 4 {
		a := &Account{ledger: l, target: fmt.Sprint(i%3, ":443")}
		for range 2 {
			counting.Go(func() {
				for n := range 5000 {
					a.Count(1000+n%7, n%5)
					a.attempt(n%4 == 0)
				}
			})
		}
	}
	counting.Wait()
	close(done)
	looking.Wait()
	_, cells := l.take("main", "A", new(memory))
	for _, c := range cells {
		taken.Add(c.Usage)
	}
	want := Usage{Requests: 40_000, Failed: 10_000}
	for n := range int64(5000) {
		want.BytesIn += 8 * (1000 + n%7)
		want.BytesOut += 8 * (n % 5)
	}
	want.Cost = Money((want.BytesIn + want.BytesOut) * 3e9 >> 30)
	want.Saved = Money((want.BytesIn + want.BytesOut) * 5e9 >> 30)
	if diff := cmp.Diff([]Usage{want, want}, []Usage{l.totals(), taken}); diff != "" {
		t.Errorf("totals and cells (-want +got):\n%s", diff)
	}
}

// TestLookedAtInTime: the byte that overdraws a budget is noticed by the one who
// counts it, whoever else looks meanwhile.
func TestLookedAtInTime(t *testing.T) {
	for range 20 {
		l, _ := testLedger(&terms{budget: Budget{Bytes: 1 << 20, Per: PerTotal, Hard: true}})
		var over atomic.Bool
		var counting sync.WaitGroup
		for range 4 {
			a := &Account{ledger: l, target: "a:443"}
			counting.Go(func() {
				for a.Count(100, 0) {
				}
			})
		}
		var looking sync.WaitGroup
		looking.Go(func() {
			for !over.Load() {
				l.look(time.Now())
			}
		})
		counting.Wait()
		over.Store(true)
		looking.Wait()
		cut := int64(1<<20) * 102 / 100
		if n := l.totals().BytesIn; n < cut || n > cut+4*100 {
			t.Fatalf("cut off after %d bytes, want %d and what is counted at once", n, cut)
		}
	}
}

// TestNextLook is not before there is something to look at.
func TestNextLook(t *testing.T) {
	for _, tt := range []struct {
		terms *terms
		want  int64
	}{{&terms{price: 1}, 8<<20 + 5}, {&terms{alert: 1 << 40}, 8<<20 + 5}, {&terms{}, 1<<63 - 1}} {
		l, a := testLedger(tt.terms)
		a.Count(7<<20, 5)
		l.look(time.Now())
		a.Count(100, 0)
		if got := l.lookAt.Load(); got != tt.want {
			t.Errorf("%+v: the next look is at %d bytes, want %d", tt.terms, got, tt.want)
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	l, a := testLedger(&terms{price: Dollars(3), dearest: Dollars(8), alert: 1 << 30, budget: Budget{Bytes: 1 << 60, Per: PerDay, Hard: true}})
	now := time.Now()
	count := func() {
		a.Count(50_000, 50_000) // each tenth time it is booked
		a.attempt(true)
	}
	count()
	l.look(now)
	if n := testing.AllocsPerRun(1000, count); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestNothingBookedLeavesNothing: an account may be booked before it was listed.
func TestNothingBookedLeavesNothing(t *testing.T) {
	l, a := testLedger(&terms{})
	a.list()
	l.totals()
	if cells := l.takeCells(); len(cells) != 0 || len(l.days) != 0 {
		t.Errorf("%v, %v", cells, l.days)
	}
	a.Count(-1, -5)
	if l.totals() != (Usage{}) {
		t.Errorf("negative bytes were counted: %+v", l.totals())
	}
}

// TestCellsAreBounded while nothing can be stored, and nothing is lost: first
// targets are no longer kept apart, then quarters.
// TestNamesAreBounded: clients who make up targets fill no store. What they use
// is booked all the same.
func TestNamesAreBounded(t *testing.T) {
	l, _ := testLedger(&terms{price: Dollars(1)})
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	targets := make(map[string]int64)
	for n := range 3 * maxNamed {
		a := &Account{ledger: l, target: fmt.Sprint(n)}
		a.attempt(false)
		l.look(now)
		for key, u := range l.takeCells() { // as the books do, now and then
			targets[key.target] += u.Requests
		}
	}
	if len(targets) != maxNamed+1 || targets[OtherTargets] != 2*maxNamed {
		t.Errorf("%d targets, %d requests of others", len(targets), targets[OtherTargets])
	}
	a := &Account{ledger: l, target: "new:443"}
	a.attempt(false)
	l.look(now.AddDate(0, 0, 1))
	if cells := l.takeCells(); cells[cellKey{"new:443", QuarterOf(now.AddDate(0, 0, 1))}].Requests != 1 {
		t.Errorf("a target of the next day is not kept apart: %v", cells)
	}
}

func TestCellsAreBounded(t *testing.T) {
	l, _ := testLedger(&terms{price: Dollars(1)})
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	book := func(target string) {
		a := &Account{ledger: l, target: target}
		a.note(1<<10, 0)
		a.attempt(false)
		l.look(now)
	}
	book("first:443")
	for n := range 3 * maxCells {
		switch {
		case n >= maxCells:
			now = now.Add(15 * time.Minute)
		case n%1000 == 999:
			now = now.AddDate(0, 0, 1) // so many targets are kept apart in a day
		}
		book(fmt.Sprint(n))
		if n == maxCells-2 && len(l.cells) != maxCells {
			t.Fatalf("%d cells", len(l.cells))
		}
	}
	// The targets that are known go on, for their quarter.
	last := QuarterOf(now)
	now = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	book("first:443")
	total := l.totals()
	cells := l.takeCells()
	var sum Usage
	targets := make(map[string]int)
	for key, u := range cells {
		sum.Add(u)
		targets[key.target]++
	}
	if len(cells) != 2*maxCells || len(targets) != maxCells+1 || targets[OtherTargets] != maxCells {
		t.Errorf("%d cells, %d targets, %d quarters of other targets", len(cells), len(targets), targets[OtherTargets])
	}
	if sum != total || total.Requests != 3*maxCells+2 || total.Cost != Money(total.BytesIn*1e9>>30) {
		t.Errorf("the cells hold %+v, of %+v", sum, total)
	}
	if u := cells[cellKey{"first:443", QuarterOf(now)}]; u.Requests != 2 {
		t.Errorf("%+v of the first target", u)
	}
	// What is too much is in the youngest of them.
	crowded := cells[cellKey{OtherTargets, last - maxCells - 1}]
	if crowded.Requests != maxCells+2 {
		t.Errorf("%d requests in the last quarter that was kept apart", crowded.Requests)
	}
	// Once it was taken out, all is exact again.
	book("new:443")
	if cells := l.takeCells(); len(cells) != 1 || cells[cellKey{"new:443", QuarterOf(now)}].Requests != 1 {
		t.Errorf("%v", cells)
	}
}

// TestDaysAreBounded, and the ones that are let go are of no month near.
func TestDaysAreBounded(t *testing.T) {
	l, a := testLedger(&terms{})
	now := time.Date(2025, 11, 1, 12, 0, 0, 0, time.UTC)
	for range 365 {
		a.note(1, 0)
		l.look(now)
		if len(l.days) > maxDays {
			t.Fatalf("%d days", len(l.days))
		}
		if got, want := l.used(PerMonth, now).Bytes, int64(now.Day()); got != want {
			t.Fatalf("%d in the month of %v, want %d", got, now, want)
		}
		now = now.AddDate(0, 0, 1)
	}
	if len(l.days) != maxDays {
		t.Errorf("%d days", len(l.days))
	}
}

// TestClockJumps back and forth, over the end of a year too: what was spent
// stays spent.
func TestClockJumps(t *testing.T) {
	for _, month := range []time.Month{time.December, time.January, time.March, time.October} {
		l, a := testLedger(&terms{budget: Budget{Bytes: 100, Per: PerMonth, Hard: true}})
		start := time.Date(2026, month-2, 1, 12, 0, 0, 0, time.UTC)
		now := start
		for ; now.Before(start.AddDate(0, 2, 20)); now = now.AddDate(0, 0, 1) {
			a.note(5, 0)
			l.look(now)
		}
		if l.gate.Load() != gateSpent {
			t.Fatalf("%v: 100 of 100 are spent", month)
		}
		for _, jump := range []int{-30, 30, -31, 15} {
			for range 3 {
				other := now.AddDate(0, 0, jump)
				a.note(1, 0)
				l.look(other)
				l.look(now)
				if l.gate.Load() != gateSpent {
					t.Errorf("%v: after a jump by %d days nothing is spent", month, jump)
				}
			}
		}
		if len(l.days) > maxDays {
			t.Errorf("%d days", len(l.days))
		}
		l.look(now.AddDate(0, 2, 0))
		if l.gate.Load() != 0 {
			t.Errorf("%v: spent in another month", month)
		}
	}
}

// BenchmarkCount is what each read and write through a proxy pays.
func BenchmarkCount(b *testing.B) {
	for name, terms := range map[string]*terms{
		"free":    {},
		"metered": {price: Dollars(12), dearest: Dollars(12), alert: 5 << 30, budget: Budget{Money: Dollars(1e6), Per: PerMonth, Hard: true}},
	} {
		b.Run(name, func(b *testing.B) {
			l, _ := testLedger(terms)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				a := &Account{ledger: l, target: "a:443"}
				for pb.Next() {
					a.Count(1400, 0)
				}
			})
		})
	}
}
