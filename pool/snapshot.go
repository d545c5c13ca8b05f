package pool

import (
	"slices"
	"strings"
	"time"
)

// Row is what the status shows of one proxy.
type Row struct {
	Proxy        *Proxy
	Status       Status
	Since        time.Time
	Reason       string
	Active       bool // not disabled
	Usable       bool // for a target that has nothing against it
	BlockedFor   []string
	FailingFor   []string
	Troubles     []RouteTrouble // the same, with when they end
	CheckFailing bool           // its checks fail while its traffic flows

	Usage                             // since the last reset-stats
	Budget               *BudgetState // nil where there is none
	FailureCount         int
	Uptime               float64 // percent
	ResponseTime         time.Duration
	LastCheck, NextCheck time.Time // zero where never
	LastSuccess          time.Time
	LastError            string
}

// RouteTrouble is what a target has against a proxy.
type RouteTrouble struct {
	Target  string
	Blocked bool      // otherwise the route is failing
	Until   time.Time // the end of the block, or the next try
}

// Snapshot is the row of a proxy as it is now.
func (p *Proxy) Snapshot() Row {
	s := p.State
	budget := s.ledger.budget(time.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	row := Row{
		Budget: budget,
		Proxy:  p, Status: s.status, Since: s.since, Reason: s.reason, LastError: s.lastError,
		Active: !s.gateHas(gateDisabled), Usable: s.gate.Load() == 0,
		CheckFailing: s.denied.Load() > 0,
		FailureCount: int(s.failures.Load()),
		ResponseTime: time.Duration(s.responseTime.Load()),
		LastCheck:    at(s.lastCheck.Load()), NextCheck: p.nextCheck(), LastSuccess: at(s.lastSuccess.Load()),
	}
	for _, t := range s.troubles() {
		if t.BlockedUntil != 0 {
			row.BlockedFor = append(row.BlockedFor, t.Addr)
			row.Troubles = append(row.Troubles, RouteTrouble{t.Addr, true, at(t.BlockedUntil)})
		}
		if t.Failing {
			row.FailingFor = append(row.FailingFor, t.Addr)
			row.Troubles = append(row.Troubles, RouteTrouble{t.Addr, false, at(t.RetryAt)})
		}
	}
	slices.SortFunc(row.Troubles, func(a, b RouteTrouble) int { return strings.Compare(a.Target, b.Target) })
	slices.Sort(row.BlockedFor)
	slices.Sort(row.FailingFor)
	row.BlockedFor, row.FailingFor = slices.Compact(row.BlockedFor), slices.Compact(row.FailingFor)
	switch spent := budget != nil && budget.Spent; {
	case row.Status == StatusBlocked:
		row.Reason = "blocked by " + strings.Join(row.BlockedFor, ", ")
	case row.Status != StatusDown && spent:
		row.Reason = budget.reason()
	case row.Status == StatusDegraded:
		row.Reason = "its last checks took more than " + p.pool.Checks.Slow.String()
	}
	now, base := s.totals(), s.base
	row.Usage = now.minus(base.Usage)
	row.Uptime = uptime(row.Requests+now.Checks-base.Checks, row.Failed+now.ChecksFailed-base.ChecksFailed)
	return row
}

// totals are all counters since the beginning; the caller holds the lock.
func (s *ProxyState) totals() totals {
	return totals{Usage: s.ledger.totals(), Checks: s.checks.Load(), ChecksFailed: s.checksFailed.Load()}
}

func uptime(all, failed int64) float64 {
	if all <= 0 {
		return 100
	}
	return float64(max(all-failed, 0)) / float64(all) * 100
}

func at(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// nextCheck is when the proxy is checked next, the zero time where it never is.
func (p *Proxy) nextCheck() time.Time {
	if !p.Checkable() || (p.pool.Checks.Disabled && !p.State.gateHas(gateDown)) {
		return time.Time{}
	}
	return at(p.CheckDue())
}

// CheckDue is when a health check of the proxy is due, in Unix nanoseconds; 0
// where none was planned yet. That of a metered proxy is put off by each
// request that goes well.
func (p *Proxy) CheckDue() int64 {
	s := p.State
	due := s.nextCheck.Load()
	if !p.Metered() || due == 0 || s.gateHas(gateDown) || s.failures.Load() > 0 {
		return due
	}
	checked, traffic := s.lastCheck.Load(), s.lastTraffic.Load()
	if last := max(checked, traffic); last != 0 && (traffic > checked || s.denied.Load() == 0) {
		return last + int64(p.pool.Checks.MeteredInterval)
	}
	return due
}

// Verdict is what [Pool.Explain] says of one proxy.
type Verdict struct {
	Name   string
	Usable bool
	Reason string
	Until  time.Time // zero where nobody knows
}

// Explain is a dry run: which proxies a request for the target would be tried
// through, in their places, and why not through the others.
func (pl *Pool) Explain(key TargetKey, now time.Time) []Verdict {
	verdicts := make([]Verdict, 0, len(pl.proxies))
	for _, r := range pl.ranks {
		for _, p := range byFailures(r.proxies) {
			verdicts = append(verdicts, p.explain(key.Addr, now))
		}
	}
	return verdicts
}

func byFailures(proxies []*Proxy) []*Proxy {
	sorted := slices.Clone(proxies)
	slices.SortStableFunc(sorted, func(a, b *Proxy) int {
		return int(a.State.failures.Load() - b.State.failures.Load())
	})
	return sorted
}

func (p *Proxy) explain(addr string, now time.Time) Verdict {
	s := p.State
	budget := s.ledger.budget(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	v := Verdict{Name: p.Name}
	switch {
	case s.gateHas(gateDisabled):
		v.Reason = "disabled"
	case budget != nil && budget.Spent:
		v.Reason, v.Until = budget.reason(), budget.Until
	case s.gateHas(gateHeld):
		v.Reason, v.Until = "well again, but held back because it keeps going down", s.heldSince.Add(p.damping())
	case s.gateHas(gateDown):
		v.Reason, v.Until = "down: "+s.reason, p.nextCheck()
	default:
		v.Usable, v.Reason = true, "usable"
		if s.status == StatusDegraded {
			v.Reason = "usable, degraded"
		}
	}
	for _, t := range s.troubles() {
		switch {
		case !v.Usable || t.Addr != addr:
		case now.UnixNano() < t.BlockedUntil:
			v = Verdict{Name: p.Name, Reason: "blocked by " + addr, Until: at(t.BlockedUntil)}
		case t.Failing:
			v = Verdict{Name: p.Name, Reason: "failing for " + addr, Until: at(t.RetryAt)}
		}
	}
	return v
}

// Active is the proxy to hand out to those who only want an address: a free
// one, a metered one only where no free one is usable and it has no hard budget,
// because nobody sees what goes through it then. nil where there is none.
func (pl *Pool) Active(t *Target, now time.Time) *Proxy {
	var metered *Proxy
	var seen places
	for {
		p := pl.choose(t, &seen, now.UnixNano())
		switch {
		case p == nil:
			return metered
		case !p.Metered():
			return p
		case metered == nil && !p.Budget.Hard:
			metered = p
		}
		seen.add(p.place)
	}
}

// Known is the target of a key where somebody asked for it before, otherwise nil.
func (s *State) Known(key TargetKey) *Target {
	if t, ok := s.targets.Load(key); ok {
		return t.(*Target)
	}
	return nil
}

// retryAfter is how long it takes until a proxy may be usable for the target
// again, at least a second.
func (pl *Pool) retryAfter(t *Target, now time.Time) time.Duration {
	soonest := int64(0)
	for _, p := range pl.proxies {
		when := p.usableFrom(t, now)
		if when > now.UnixNano() && (soonest == 0 || when < soonest) {
			soonest = when
		}
	}
	if soonest == 0 {
		return time.Second
	}
	return max(time.Duration(soonest-now.UnixNano()), time.Second)
}

// usableFrom is the earliest time at which the proxy may be usable for the
// target again, in Unix nanoseconds; 0 where nobody knows.
func (p *Proxy) usableFrom(t *Target, now time.Time) int64 {
	switch {
	case p.State.gateHas(gateDisabled):
		return 0
	case p.Spent():
		return p.State.ledger.spentUntil(now).UnixNano()
	case p.State.gateHas(gateDown):
		// Whoever asks until then has it checked sooner.
		return min(p.State.nextCheck.Load(), now.Add(p.pool.Checks.RecoveryInterval).UnixNano())
	}
	if r := t.known(p.State); r != nil {
		return max(r.blockedUntil.Load(), r.retryAt.Load())
	}
	return 0
}
