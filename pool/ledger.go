package pool

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// What runs long through a proxy that costs something is booked this often.
	bookEvery = 1 << 20
	// How many days a ledger remembers, for the budgets of a month.
	maxDays = 64
	// How many routes and quarters wait to be stored before targets are no
	// longer kept apart, and twice that before quarters are not.
	maxCells = 4096
	// How many targets of a day are kept apart in the store. Clients of a forward
	// front may ask for as many as they can make up.
	maxNamed = maxTargets
)

// ledger books what a proxy carried: how much, for what money, and against
// which budget. It belongs to the proxy's state.
type ledger struct {
	gate    *atomic.Uint32 // of the proxy; gateSpent is the ledger's to set
	changed *atomic.Bool   // of the proxy: there is something to store
	cut     atomic.Bool    // what still runs is cut off
	crossed atomic.Int64   // bytes so far
	lookAt  atomic.Int64   // how many of them make somebody look at the terms

	mu      sync.Mutex // guards what follows
	fresh   []*Account // with something to book
	terms   *terms     // nil before any configuration
	cost    tariff
	saving  tariff // what a GiB costs more on the dearest proxy of the pool
	total   Usage  // since the beginning
	earlier Usage  // the part of total that a store knew, of before the process began
	days    map[date]used
	cells   map[cellKey]*Usage // not stored yet
	crowded *Usage             // the youngest of them in which targets are not kept apart
	named   map[string]struct{}
	namedOn date // the day of what is named
	told    told

	// Within these times, in Unix nanoseconds, and while nothing more is booked,
	// the terms ask for nothing new.
	quietFrom, quietUntil int64
}

// terms are what a configuration says of a proxy's money.
type terms struct {
	price, dearest Money // of a GiB, here and on the dearest proxy of the pool
	budget         Budget
	alert          int64 // bytes, 0 for none
	where          *time.Location
	tell           func(BudgetEvent) // must not block
}

// used is traffic and money of some span of time.
type used struct {
	Bytes int64 `json:"bytes"`
	Cost  Money `json:"cost"`
}

func (u *used) add(other used) {
	u.Bytes += other.Bytes
	u.Cost += other.Cost
}

// told is what was told already, so that each is told once in a period.
type told struct {
	Period  date  `json:"period"` // day or month, 0 for total
	Percent int   `json:"percent"`
	Month   date  `json:"month"`
	Alerts  int64 `json:"alerts"` // multiples of the traffic alert
}

// recall adds what was told before the process began.
func (t *told) recall(before told) {
	switch {
	case t.Period == before.Period:
		t.Percent = max(t.Percent, before.Percent)
	case t.Period == 0 && t.Percent == 0:
		t.Period, t.Percent = before.Period, before.Percent
	}
	switch t.Month {
	case before.Month:
		t.Alerts = max(t.Alerts, before.Alerts)
	case 0:
		t.Month, t.Alerts = before.Month, before.Alerts
	}
}

type cellKey struct {
	target  string
	quarter Quarter
}

func newLedger(gate *atomic.Uint32, changed *atomic.Bool) *ledger {
	l := &ledger{gate: gate, changed: changed, days: make(map[date]used), cells: make(map[cellKey]*Usage)}
	l.lookAt.Store(math.MaxInt64)
	return l
}

func (l *ledger) list(a *Account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fresh = append(l.fresh, a)
	l.changed.Store(true)
}

// spend notes bytes that an account counted, looks at the terms where that is due,
// and reports whether more may follow.
func (l *ledger) spend(a *Account, bytes int64) bool {
	if l.crossed.Add(bytes) >= l.lookAt.Load() {
		l.list(a) // once more: who marked it may not have come to listing it yet
		l.look(time.Now())
	}
	return !l.cut.Load()
}

// follow makes new terms hold from now on. What went before is booked at the
// old price first: a new price changes no bill of the past.
func (l *ledger) follow(t *terms) {
	now := time.Now()
	l.mu.Lock()
	l.book(now)
	l.cost.perGiB, l.saving.perGiB = t.price, max(t.dearest-t.price, 0)
	l.terms, l.quietUntil = t, 0
	l.mu.Unlock()
	l.look(now)
}

// unfollowed reports whether no configuration has set any terms yet.
func (l *ledger) unfollowed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.terms == nil
}

// look books what is to be booked, and does what the terms say.
func (l *ledger) look(now time.Time) {
	l.mu.Lock()
	crossed := l.crossed.Load() // before booking: what comes meanwhile brings the next look nearer
	l.book(now)
	if n := now.UnixNano(); l.quietFrom <= n && n < l.quietUntil {
		l.mu.Unlock()
		return
	}
	events, tell := l.judge(now, crossed)
	l.mu.Unlock()
	for _, e := range events {
		tell(e)
	}
}

// book turns what was counted since the last time into money, in the quarter
// and day of now. The lock is held.
func (l *ledger) book(now time.Time) {
	if len(l.fresh) == 0 {
		return
	}
	quarter, today := QuarterOf(now), l.today(now)
	for i, a := range l.fresh {
		u := a.fresh()
		l.fresh[i] = nil
		if u == (Usage{}) {
			continue // it was booked between being counted and being listed
		}
		bytes := u.BytesIn + u.BytesOut
		u.Cost, u.Saved = l.cost.charge(bytes), l.saving.charge(bytes)
		l.total.Add(u)
		l.cell(l.nameOf(a.target, today), quarter).Add(u)
		day := l.days[today]
		day.add(used{bytes, u.Cost})
		l.days[today] = day
	}
	l.fresh = l.fresh[:0]
	l.quietUntil = 0
	l.forgetDays(today)
}

// timed books one response time, in the quarter of now.
func (l *ledger) timed(target string, took time.Duration, now time.Time) {
	u := Usage{Timed: 1, Took: took}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total.Add(u)
	l.cell(l.nameOf(target, l.today(now)), QuarterOf(now)).Add(u)
	l.changed.Store(true)
}

// nameOf is what a target is called in the store.
func (l *ledger) nameOf(target string, today date) string {
	if l.namedOn != today {
		l.namedOn, l.named = today, make(map[string]struct{})
	}
	if _, known := l.named[target]; known {
		return target
	}
	if len(l.named) >= maxNamed {
		return OtherTargets
	}
	l.named[target] = struct{}{}
	return target
}

func (l *ledger) today(now time.Time) date {
	if l.terms != nil {
		now = now.In(l.terms.where)
	}
	return dateOf(now)
}

// forgetDays lets go of the days that are the furthest from today where there
// are too many. They may lie ahead: clocks are put right.
func (l *ledger) forgetDays(today date) {
	if len(l.days) <= maxDays {
		return
	}
	nearest := slices.SortedFunc(maps.Keys(l.days), func(a, b date) int { return a.daysFrom(today) - b.daysFrom(today) })
	for _, day := range nearest[maxDays:] {
		delete(l.days, day)
	}
}

// cell is where the usage of a target in a quarter is kept until it is stored.
// Where that cannot be done for long, it becomes less exact, and nothing is lost.
func (l *ledger) cell(target string, quarter Quarter) *Usage {
	key := cellKey{target, quarter}
	if c, ok := l.cells[key]; ok {
		return c
	}
	if len(l.cells) >= maxCells {
		key.target = OtherTargets
		if c, ok := l.cells[key]; ok {
			return c
		}
	}
	if len(l.cells) >= 2*maxCells {
		return l.crowded
	}
	c := new(Usage)
	l.cells[key] = c
	if key.target == OtherTargets {
		l.crowded = c
	}
	return c
}

// used is what was used in the period of now. The lock is held.
func (l *ledger) used(per Period, now time.Time) used {
	switch per {
	case PerTotal:
		return used{l.total.BytesIn + l.total.BytesOut, l.total.Cost}
	case PerDay:
		return l.days[l.today(now)]
	}
	var sum used
	month := l.today(now).month()
	for day, u := range l.days {
		if day.month() == month {
			sum.add(u)
		}
	}
	return sum
}

// Spending is what the proxy cost on the day of now, and in its month.
func (p *Proxy) Spending(now time.Time) (today, month Money) { return p.State.ledger.spending(now) }

func (l *ledger) spending(now time.Time) (today, month Money) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book(now)
	if l.total.Cost == 0 {
		return 0, 0 // as of most: a free one
	}
	return l.used(PerDay, now).Cost, l.used(PerMonth, now).Cost
}

// totals are all counters since the beginning, booked up to now.
func (l *ledger) totals() Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book(time.Now())
	return l.total
}

// sinceBegin are the counters since the process began, booked up to now.
func (l *ledger) sinceBegin() Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book(time.Now())
	return l.total.minus(l.earlier)
}

// take hands over what is to be stored, booked up to now: the totals, what
// belongs into m, and the usage that was not stored yet.
func (l *ledger) take(pool, proxy string, m *memory) (Usage, []UsageCell) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.book(time.Now())
	m.Days, m.Told = maps.Clone(l.days), l.told
	cells := make([]UsageCell, 0, len(l.cells))
	for key, u := range l.cells {
		cells = append(cells, UsageCell{Pool: pool, Proxy: proxy, Target: key.target, Quarter: key.quarter, Usage: *u})
	}
	clear(l.cells)
	return l.total, cells
}

// add puts what was stored before in front of what was booked since.
func (l *ledger) add(total Usage, m *memory) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total.Add(total)
	l.earlier.Add(total)
	for day, u := range m.Days {
		sum := l.days[day]
		sum.add(u)
		l.days[day] = sum
	}
	l.forgetDays(l.today(time.Now()))
	l.told.recall(m.Told)
	l.quietUntil = 0
}
