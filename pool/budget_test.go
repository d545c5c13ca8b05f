package pool

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const mib = 1 << 20

// spending is a ledger whose events are noted: "80 % of ...", "alert at ...".
type spending struct {
	*testing.T
	*ledger
	account *Account
	now     time.Time
	events  []BudgetEvent
}

func newSpending(t *testing.T, tm terms) *spending {
	s := &spending{T: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	state := newProxyState(s.now)
	s.ledger = state.ledger
	s.account = &Account{ledger: s.ledger, target: "a:443"}
	s.reload(tm)
	return s
}

// reload makes other terms hold from the test's now on: follow has only the
// clock's.
func (s *spending) reload(tm terms) {
	if tm.where == nil {
		tm.where = time.UTC
	}
	s.follow(&terms{price: tm.price, dearest: tm.dearest, where: tm.where})
	tm.tell = func(e BudgetEvent) { s.events = append(s.events, e) }
	s.mu.Lock()
	s.terms, s.quietUntil = &tm, 0
	s.mu.Unlock()
	s.look(s.now)
}

// spend lets bytes go, as if their counter had looked.
func (s *spending) spend(bytes int) {
	s.account.note(bytes, 0)
	s.look(s.now)
}

func (s *spending) want(what string, want ...string) {
	s.Helper()
	var got []string
	for _, e := range s.events {
		if e.Kind == KindBudget {
			got = append(got, fmt.Sprint(e.Percent, " %"))
		} else {
			got = append(got, fmt.Sprint("alert ", e.Threshold/mib))
		}
	}
	s.events = nil
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("%s: events (-want +got):\n%s", what, diff)
	}
}

func (s *spending) wantGate(what string, spent, cut bool) {
	s.Helper()
	if is := s.gate.Load() == gateSpent; is != spent || s.cut.Load() != cut {
		s.Errorf("%s: spent %v, cut off %v; want %v, %v", what, is, s.cut.Load(), spent, cut)
	}
}

// TestBudgets: what is told and done at each share, in each period, of bytes and
// of money.
func TestBudgets(t *testing.T) {
	budgets := map[string]Budget{
		"bytes": {Bytes: 100 * mib}, "money": {Money: 100 * mib}, // at a price of 1 nano-dollar a byte
	}
	for kind, b := range budgets {
		for _, per := range []Period{PerDay, PerMonth, PerTotal} {
			for _, hard := range []bool{true, false} {
				t.Run(fmt.Sprint(kind, " ", per, " hard ", hard), func(t *testing.T) {
					b.Per, b.Hard = per, hard
					s := newSpending(t, terms{price: 1 << 30, budget: b})
					s.spend(80*mib - 1)
					s.want("79 %")
					s.spend(1)
					s.want("80 %", "80 %")
					s.spend(20*mib - 1)
					s.want("99 %")
					s.wantGate("99 %", false, false)
					s.spend(1)
					s.want("100 %", "100 %")
					s.wantGate("100 %", hard, false)
					s.spend(2*mib - 1)
					s.wantGate("101 %", hard, false)
					s.spend(1)
					s.wantGate("102 %", hard, hard)
					s.spend(100 * mib)
					s.want("202 %")
					s.now = s.now.Add(12*time.Hour - 1)
					s.look(s.now)
					s.wantGate("at the end of the day", hard, hard)
					s.now = s.now.Add(1)
					s.look(s.now)
					ends := per == PerDay
					s.wantGate("the next day", hard && !ends, hard && !ends)
					s.now = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
					s.look(s.now)
					ends = per != PerTotal
					s.wantGate("the next month", hard && !ends, hard && !ends)
					s.want("the next month, before anything was spent")
					s.spend(100 * mib)
					if ends {
						s.want("the next month", "100 %")
					} else {
						s.want("the next month")
					}
				})
			}
		}
	}
}

// TestBudgetEvent is what an event says.
func TestBudgetEvent(t *testing.T) {
	b := Budget{Bytes: 10 * mib, Per: PerDay, Hard: true}
	where := zone(t, "Asia/Tehran")
	s := newSpending(t, terms{price: 1 << 30, budget: b, alert: 4 * mib, where: where})
	s.spend(9 * mib)
	want := []BudgetEvent{
		{Time: s.now, Kind: KindBudget, Percent: 80, Budget: b, Bytes: 9 * mib, Cost: 9 * mib, Until: time.Date(2026, 11, 24, 0, 0, 0, 0, where)},
		{Time: s.now, Kind: KindTrafficAlert, Threshold: 8 * mib, Bytes: 9 * mib, Cost: 9 * mib, Until: time.Date(2026, 12, 1, 0, 0, 0, 0, where)},
	}
	if diff := cmp.Diff(want, s.events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	state := s.budget(s.now)
	if diff := cmp.Diff(&BudgetState{Budget: b, Bytes: 9 * mib, Cost: 9 * mib, Until: want[0].Until}, state); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := state.Ratio(); got != 0.9 {
		t.Errorf("ratio %v", got)
	}
	s.spend(mib)
	if state := s.budget(s.now); !state.Spent || state.Ratio() != 1 {
		t.Errorf("%+v", state)
	}
	b.Per = PerTotal
	s.reload(terms{budget: b})
	if state := s.budget(s.now); !state.Until.IsZero() {
		t.Errorf("a budget for ever ends %v", state.Until)
	}
	s.reload(terms{})
	if state := s.budget(s.now); state != nil {
		t.Errorf("no budget is %+v", state)
	}
}

// TestBudgetInWords, as a person would say it.
func TestBudgetInWords(t *testing.T) {
	tests := map[string]BudgetState{
		"1.50 GB of 10.00 GB a day":      {Budget: Budget{Bytes: 10 << 30, Per: PerDay}, Bytes: 3 << 29, Cost: 7},
		"5.00 MB of 10.00 MB a day":      {Budget: Budget{Bytes: 10 << 20, Per: PerDay}, Bytes: 5 << 20},
		"49.99 USD of 50.00 USD a month": {Budget: Budget{Money: 50e9, Per: PerMonth}, Bytes: 3 << 29, Cost: 49_990_000_000},
		"0.00 USD of 0.25 USD in total":  {Budget: Budget{Money: 25e7, Per: PerTotal}},
	}
	for want, state := range tests {
		if got := state.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestBudgetChanges by a reload hold at once, and are told of anew.
func TestBudgetChanges(t *testing.T) {
	hard := func(limit int64) terms { return terms{budget: Budget{Bytes: limit * mib, Per: PerMonth, Hard: true}} }
	s := newSpending(t, hard(10))
	s.spend(11 * mib)
	s.want("spent", "100 %")
	s.wantGate("spent", true, true)
	s.reload(hard(12))
	s.want("raised")
	s.wantGate("raised", false, false)
	s.spend(mib)
	s.want("spent again", "100 %")
	s.reload(hard(100))
	s.wantGate("raised by much", false, false)
	s.spend(68 * mib)
	s.want("80 % again", "80 %")
	s.reload(hard(50))
	s.want("lowered", "100 %")
	s.wantGate("lowered", true, true)
	soft := hard(50)
	soft.budget.Hard = false
	s.reload(soft)
	s.want("soft")
	s.wantGate("soft", false, false)
	s.reload(terms{})
	s.wantGate("none", false, false)
	s.reload(hard(50))
	s.wantGate("hard again", true, true)
}

// TestNewPriceAndBudgetOfMoney: what went keeps its price, what goes has the new.
func TestNewPriceAndBudgetOfMoney(t *testing.T) {
	b := Budget{Money: 100 * mib, Per: PerMonth, Hard: true}
	s := newSpending(t, terms{price: 1 << 30, budget: b})
	s.spend(50 * mib)
	s.reload(terms{price: 2 << 30, budget: b})
	if u := s.budget(s.now); u.Cost != 50*mib {
		t.Errorf("%d were spent, want %d", u.Cost, 50*mib)
	}
	s.spend(25*mib - 1)
	s.want("99 %", "80 %")
	s.wantGate("99 %", false, false)
	s.spend(1)
	s.wantGate("100 %", true, false)
}

// TestTrafficAlert at each multiple, once, and in each month again.
func TestTrafficAlert(t *testing.T) {
	s := newSpending(t, terms{alert: 5 * mib})
	s.spend(5*mib - 1)
	s.want("before the first")
	s.spend(1)
	s.want("at the first", "alert 5")
	s.spend(1)
	s.want("after the first")
	s.spend(5 * mib)
	s.want("the second", "alert 10")
	s.spend(17 * mib)
	s.want("several at once", "alert 25")
	s.now = s.now.AddDate(0, 0, 1)
	s.spend(3 * mib)
	s.want("the next day", "alert 30")
	s.now = s.now.AddDate(0, 1, 0)
	s.spend(5 * mib)
	s.want("the next month", "alert 5")
	s.reload(terms{alert: 2 * mib})
	s.want("a lower one", "alert 4")
	s.reload(terms{})
	s.spend(100 * mib)
	s.want("none")
	if s.gate.Load() != 0 || s.cut.Load() {
		t.Error("an alert closes the gate")
	}
}

// TestLookAt is how many bytes go until somebody looks: to the next share, and
// no more than a MiB of what costs something.
func TestLookAt(t *testing.T) {
	month := func(b Budget) Budget {
		b.Per = PerMonth
		return b
	}
	tests := []struct {
		name  string
		terms terms
		spent int
		want  int64
	}{
		{"nothing to look for", terms{}, 1000, 1<<63 - 1},
		{"metered", terms{price: 1}, 1000, mib},
		{"to 80 %", terms{budget: month(Budget{Bytes: 1000})}, 100, 700},
		{"to 100 %", terms{budget: month(Budget{Bytes: 1000})}, 800, 200},
		{"to 102 %", terms{budget: month(Budget{Bytes: 1000})}, 1001, 19},
		{"past it", terms{budget: month(Budget{Bytes: 1000})}, 1020, mib},
		{"a large one", terms{budget: month(Budget{Bytes: 1 << 40})}, 0, mib},
		{"of money", terms{price: 2 << 30, budget: month(Budget{Money: 1000})}, 100, 300},
		{"of money, free", terms{budget: month(Budget{Money: 1000})}, 100, mib},
		{"to an alert", terms{alert: 1000}, 2100, 900},
		{"whatever comes first", terms{alert: 1000, budget: month(Budget{Bytes: 2000})}, 1500, 100},
		{"whatever comes first, the other way", terms{alert: 100, budget: month(Budget{Bytes: 2000})}, 1550, 50},
		{"a large alert", terms{alert: 1 << 40}, 0, mib},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSpending(t, tt.terms)
			s.spend(tt.spent) // which did not cross anything for the counter
			if got := s.lookAt.Load(); got != tt.want {
				t.Errorf("the next look after %d bytes, want %d", got, tt.want)
			}
		})
	}
}

// TestShare is exact, and fits also where the budget is as large as it can be.
func TestShare(t *testing.T) {
	for _, tt := range []struct{ limit, percent, want int64 }{
		{100, 80, 80}, {1, 80, 0}, {99, 102, 100}, {50, 102, 51}, {1 << 40, 80, 879609302220}, {9e18, 102, 9.18e18},
	} {
		if got := (Budget{Bytes: tt.limit}).share(tt.percent); got != tt.want {
			t.Errorf("%d %% of %d are %d, want %d", tt.percent, tt.limit, got, tt.want)
		}
	}
}

// TestQuiet: where nothing was booked nothing is judged again, until a period
// ends or the clock goes back.
func TestQuiet(t *testing.T) {
	s := newSpending(t, terms{budget: Budget{Bytes: mib, Per: PerDay, Hard: true}})
	s.spend(mib)
	events := slices.Clone(s.events)
	s.gate.Store(0) // to see whether it is judged again
	s.look(s.now.Add(11 * time.Hour))
	s.wantGate("nothing was booked", false, false)
	s.look(s.now.Add(-time.Second))
	s.wantGate("the clock went back", true, false)
	s.gate.Store(0)
	s.spend(1)
	s.wantGate("something was booked", true, false)
	s.account.note(mib, 0)
	s.mu.Lock()
	s.book(s.now) // as [ledger.totals] does, which does not look
	s.mu.Unlock()
	s.look(s.now)
	s.wantGate("somebody else has booked", true, true)
	s.look(s.now.Add(12 * time.Hour))
	s.wantGate("the next day", false, false)
	if diff := cmp.Diff(events, s.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestCutWhileListing: a goroutine that has marked the account as listed, and waits
// for a processor before it lists it, keeps no other one from being cut off.
func TestCutWhileListing(t *testing.T) {
	s := newSpending(t, terms{budget: Budget{Bytes: mib, Per: PerTotal, Hard: true}})
	s.account.listed.Store(true)
	var went int
	for went = 0; went < 4*mib && s.account.Count(16<<10, 0); went += 16 << 10 {
	}
	if most := mib + mib/50; went > most {
		t.Errorf("%d bytes went before it was cut off, want at most %d", went, most)
	}
	s.wantGate("cut off", true, true)
	s.want("told", "80 %", "100 %")
}

// TestToldIsStored also where nothing else changes after it.
func TestToldIsStored(t *testing.T) {
	s := newSpending(t, terms{alert: mib})
	s.account.note(mib, 0)
	s.totals()
	s.changed.Store(false)
	s.look(s.now)
	if !s.changed.Load() {
		t.Error("what was told would be told again after a restart")
	}
	s.changed.Store(false)
	s.look(s.now.Add(-time.Second))
	if s.changed.Load() {
		t.Error("stored although nothing changed")
	}
}

// TestToldBefore is put together with what was told since, period by period.
func TestToldBefore(t *testing.T) {
	tests := []struct {
		name             string
		since, ago, want told
	}{
		{"nothing before", told{20261123, 80, 202611, 2}, told{}, told{20261123, 80, 202611, 2}},
		{"nothing since", told{}, told{20261123, 80, 202611, 2}, told{20261123, 80, 202611, 2}},
		{"more before", told{20261123, 0, 202611, 0}, told{20261123, 80, 202611, 2}, told{20261123, 80, 202611, 2}},
		{"more since", told{20261123, 100, 202611, 3}, told{20261123, 80, 202611, 2}, told{20261123, 100, 202611, 3}},
		{"another period", told{20261201, 0, 202612, 0}, told{20261123, 80, 202611, 2}, told{20261201, 0, 202612, 0}},
		{"for ever, told since", told{0, 80, 202611, 0}, told{20261123, 100, 202610, 2}, told{0, 80, 202611, 0}},
		{"only alerts since", told{0, 0, 202611, 1}, told{20261123, 100, 202611, 0}, told{20261123, 100, 202611, 1}},
		{"only a budget since", told{20261123, 80, 0, 0}, told{20261123, 0, 202611, 4}, told{20261123, 80, 202611, 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.since.recall(tt.ago)
			if diff := cmp.Diff(tt.want, tt.since); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoTermsYet: a proxy is counted before any configuration says what it costs.
func TestNoTermsYet(t *testing.T) {
	l := newProxyState(time.Now()).ledger
	a := &Account{ledger: l, target: "a:443"}
	if !a.Count(1<<40, 0) || l.budget(time.Now()) != nil {
		t.Error("there is a budget")
	}
	l.look(time.Now())
	if u := l.totals(); u.BytesIn != 1<<40 || u.Cost != 0 {
		t.Errorf("%+v", u)
	}
}

// TestSpending: today and this month are those of the configured time zone.
func TestSpending(t *testing.T) {
	tehran := time.FixedZone("Tehran", 3*3600+1800)
	s := newSpending(t, terms{price: 1 << 30, where: tehran}) // a nano-dollar a byte
	want := func(what string, today, month Money) {
		t.Helper()
		if gotToday, gotMonth := s.spending(s.now); gotToday != today || gotMonth != month {
			t.Errorf("%s: %d today, %d this month; want %d, %d", what, gotToday, gotMonth, today, month)
		}
	}
	want("before anything", 0, 0)
	s.spend(100)
	want("on the first day", 100, 100)
	s.now = time.Date(2026, 11, 23, 20, 29, 0, 0, time.UTC)
	want("a minute before midnight", 100, 100)
	s.now = s.now.Add(2 * time.Minute)
	want("a minute after it", 0, 100)
	s.spend(7)
	want("on the second day", 7, 107)
	s.now = time.Date(2026, 11, 30, 20, 31, 0, 0, time.UTC)
	want("in the next month", 0, 0)
}
