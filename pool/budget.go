package pool

import (
	"fmt"
	"time"
)

// Period is the span of calendar time that a budget is for.
type Period string

// The periods.
const (
	PerDay   Period = "day"
	PerMonth Period = "month"
	PerTotal Period = "total" // for ever
)

// Budget is what may be used of a proxy: bytes or money, the other one is 0.
// The zero value is no budget.
type Budget struct {
	Bytes int64
	Money Money
	Per   Period
	Hard  bool // stop using the proxy when it is spent
}

// Set reports whether there is a budget at all.
func (b Budget) Set() bool { return b.Bytes > 0 || b.Money > 0 }

// Shares of a budget, in percent: those that are told of, and where what still
// runs over a hard one is cut off.
const (
	budgetWarning = 80
	budgetSpent   = 100
	budgetCut     = 102
)

// share is a percentage of the budget, in its unit.
func (b Budget) share(percent int64) int64 {
	limit := b.limit()
	return limit/100*percent + limit%100*percent/100
}

// limit is the budget in its unit, bytes or nano-dollars.
func (b Budget) limit() int64 {
	if b.Money > 0 {
		return int64(b.Money)
	}
	return b.Bytes
}

// of is what has been used of it, in its unit.
func (b Budget) of(u used) int64 {
	if b.Money > 0 {
		return int64(u.Cost)
	}
	return u.Bytes
}

// String is the budget as a person would say it: "50 USD a month".
func (b Budget) String() string {
	return b.amount(b.limit()) + b.per()
}

func (b Budget) per() string {
	switch b.Per {
	case PerDay:
		return " a day"
	case PerMonth:
		return " a month"
	default:
		return " in total"
	}
}

// amount is some of the budget's unit in words.
func (b Budget) amount(n int64) string {
	if b.Money > 0 {
		return fmt.Sprintf("%.2f USD", Money(n).USD())
	}
	if b.Bytes < 1<<gib {
		return fmt.Sprintf("%.2f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GB", float64(n)/(1<<gib))
}

// The kinds of [BudgetEvent].
const (
	KindBudget       = "budget"
	KindTrafficAlert = "traffic_alert"
)

// BudgetEvent says that a share of a budget, or a multiple of the traffic of a
// traffic alert, was used. It comes once for each, in each period.
type BudgetEvent struct {
	Time        time.Time
	Pool, Proxy string
	Kind        string    // KindBudget or KindTrafficAlert
	Percent     int       // of a budget: 80 or 100
	Budget      Budget    // of a budget
	Threshold   int64     // of a traffic alert: the multiple that was passed, in bytes
	Bytes       int64     // used in the period
	Cost        Money     // the same
	Until       time.Time // the end of the period; zero where it has none
}

// BudgetState is how much of a budget was used.
type BudgetState struct {
	Budget Budget
	Bytes  int64 // used in the period
	Cost   Money
	Spent  bool      // nothing more goes through the proxy
	Until  time.Time // the end of the period; zero where it has none
}

// reason says why the proxy is not used.
func (b *BudgetState) reason() string { return "budget spent: " + b.String() }

// Ratio is the share that was used; above 1 where it was exceeded.
func (b *BudgetState) Ratio() float64 {
	return float64(b.Budget.of(used{b.Bytes, b.Cost})) / float64(b.Budget.limit())
}

// String says it in words.
func (b *BudgetState) String() string {
	spent := b.Budget.amount(b.Budget.of(used{b.Bytes, b.Cost}))
	return fmt.Sprintf("%s of %s", spent, b.Budget)
}
