package pool

import (
	"math"
	"time"
)

// judge compares what was used with the terms: the proxy's gate is closed where
// a hard budget is spent, and what runs is cut off where it is overdrawn. It
// returns what is to be told once the lock, which is held, is released. crossed
// is how many bytes had crossed before they were booked.
func (l *ledger) judge(now time.Time, crossed int64) (events []BudgetEvent, tell func(BudgetEvent)) {
	t, before := l.terms, l.told
	if t == nil {
		return nil, nil
	}
	spent, overdrawn := false, false
	next := int64(math.MaxInt64)
	if t.budget.Set() {
		is := t.budget.of(l.used(t.budget.Per, now))
		spent = t.budget.Hard && is >= t.budget.limit()
		overdrawn = t.budget.Hard && is >= t.budget.share(budgetCut)
		next = l.untilShare(is)
		events = l.judgeBudget(now, is)
	}
	if t.alert > 0 {
		bytes := l.used(PerMonth, now).Bytes
		next = min(next, t.alert-bytes%t.alert)
		events = append(events, l.judgeAlert(now, bytes)...)
	}
	if spent {
		l.gate.Or(gateSpent)
	} else {
		l.gate.And(^gateSpent)
	}
	l.cut.Store(overdrawn)
	if t.price > 0 || t.budget.Set() || t.alert > 0 {
		next = min(next, bookEvery)
	}
	if next < math.MaxInt64 {
		next += crossed
	}
	l.lookAt.Store(next)
	if l.told != before {
		l.changed.Store(true)
	}
	l.rest(now)
	return events, t.tell
}

// rest notes until when the terms ask for nothing new where nothing is booked.
func (l *ledger) rest(now time.Time) {
	l.quietFrom, l.quietUntil = now.UnixNano(), math.MaxInt64
	if t := l.terms; t.alert > 0 || (t.budget.Set() && t.budget.Per != PerTotal) {
		l.quietUntil = l.until(PerDay, now).UnixNano()
	}
}

// untilShare is how many bytes it takes to the next share of the budget that
// something happens at.
func (l *ledger) untilShare(is int64) int64 {
	b := l.terms.budget
	for _, percent := range []int64{budgetWarning, budgetSpent, budgetCut} {
		if missing := b.share(percent) - is; missing > 0 {
			if b.Money > 0 {
				return l.cost.bytesFor(Money(missing))
			}
			return missing
		}
	}
	return math.MaxInt64
}

// judgeBudget says which shares of the budget were passed that nobody was told
// of in this period.
func (l *ledger) judgeBudget(now time.Time, is int64) (events []BudgetEvent) {
	b := l.terms.budget
	percent := 0
	for _, p := range []int{budgetWarning, budgetSpent} {
		if is >= b.share(int64(p)) {
			percent = p
		}
	}
	period := l.period(b.Per, now)
	if l.told.Period != period {
		l.told.Period, l.told.Percent = period, 0
	}
	if percent > l.told.Percent {
		e := l.event(now, KindBudget, b.Per)
		e.Percent, e.Budget = percent, b
		events = append(events, e)
	}
	l.told.Percent = percent // also down: a budget that was raised is told of anew
	return events
}

// judgeAlert says whether another multiple of the traffic alert was passed.
func (l *ledger) judgeAlert(now time.Time, bytes int64) (events []BudgetEvent) {
	multiple := bytes / l.terms.alert
	if month := l.period(PerMonth, now); l.told.Month != month {
		l.told.Month, l.told.Alerts = month, 0
	}
	if multiple > l.told.Alerts {
		e := l.event(now, KindTrafficAlert, PerMonth)
		e.Threshold = multiple * l.terms.alert
		events = append(events, e)
	}
	l.told.Alerts = multiple
	return events
}

func (l *ledger) event(now time.Time, kind string, per Period) BudgetEvent {
	u := l.used(per, now)
	return BudgetEvent{Time: now, Kind: kind, Bytes: u.Bytes, Cost: u.Cost, Until: l.until(per, now)}
}

// period names the period of now: 20261123, 202611 or 0.
func (l *ledger) period(per Period, now time.Time) date {
	switch per {
	case PerDay:
		return l.today(now)
	case PerMonth:
		return l.today(now).month()
	default:
		return 0
	}
}

// until is when the period of now ends; the zero time where it never does.
func (l *ledger) until(per Period, now time.Time) time.Time {
	now = now.In(l.terms.where)
	switch per {
	case PerDay:
		return NextDay(now)
	case PerMonth:
		return NextMonth(now)
	default:
		return time.Time{}
	}
}

// budget is how much of the budget was used, nil where there is none.
func (l *ledger) budget(now time.Time) *BudgetState {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.terms == nil || !l.terms.budget.Set() {
		return nil
	}
	l.book(now)
	b := l.terms.budget
	u := l.used(b.Per, now)
	return &BudgetState{
		Budget: b, Bytes: u.Bytes, Cost: u.Cost,
		Spent: b.Hard && b.of(u) >= b.limit(), Until: l.until(b.Per, now),
	}
}

// spentRetry is when to try again, at the latest, where a budget is spent: an
// admin may raise it at any time.
const spentRetry = time.Minute

// spentUntil is when to try again where the budget is spent.
func (l *ledger) spentUntil(now time.Time) time.Time {
	retry := now.Add(spentRetry)
	if b := l.budget(now); b != nil && !b.Until.IsZero() && b.Until.Before(retry) {
		return b.Until
	}
	return retry
}
