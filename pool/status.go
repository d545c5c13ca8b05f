package pool

import "time"

// Status is what is known of a proxy's health, for all targets together.
type Status string

// The statuses, the first that applies.
const (
	StatusDown     Status = "down"     // failed max_failures times in a row
	StatusBlocked  Status = "blocked"  // blocked by at least one target
	StatusDegraded Status = "degraded" // its last checks were slow
	StatusHealthy  Status = "healthy"
)

// Event is a change of a proxy's status.
type Event struct {
	Time     time.Time
	Pool     string
	Proxy    string
	From, To Status
	Reason   string
}

// The bits of a proxy's gate. A proxy is usable while none is set; held keeps
// one back that is well again but keeps going down.
const (
	gateDown uint32 = 1 << iota
	gateHeld
	gateDisabled
	gateSpent // over a hard budget
)

const (
	// How long a proxy has to stay up until its damping is forgotten.
	dampingMemory = time.Hour
	// The longest damping, in check intervals.
	maxDampingIntervals = 10
	// How many checks decide whether a proxy is degraded.
	degradedChecks = 3
)

// blame counts one failure of the proxy itself, of an attempt that began at
// start. One event counts once: attempts that had begun before the last counted
// failure learned nothing new, be it 64 requests on one broken connection.
func (p *Proxy) blame(start time.Time, reason string) {
	now := time.Now()
	s := p.State
	s.mu.Lock()
	if !p.current() {
		s.mu.Unlock()
		return
	}
	s.lastError = reason
	if !start.After(s.counted) {
		s.mu.Unlock()
		s.touch()
		return
	}
	s.counted = now
	failures := int(s.failures.Add(1))
	if failures >= p.MaxFailures && !s.gateHas(gateDown) {
		p.goDown(now, reason)
	}
	p.settle(now, reason)
}

// succeeded notes that a real request or connect went well.
func (p *Proxy) succeeded(now time.Time) {
	if !p.current() {
		return
	}
	s := p.State
	s.lastSuccess.Store(now.UnixNano())
	s.lastTraffic.Store(now.UnixNano())
	if s.failures.Load() != 0 {
		s.failures.Store(0)
	}
	s.touch()
}

// goDown takes the proxy out of use until a check passes. The caller holds the
// lock of the state and settles it.
func (p *Proxy) goDown(now time.Time, reason string) {
	s := p.State
	if now.Sub(s.upSince) > dampingMemory {
		s.relapses = 0
	}
	s.relapses++
	s.gate.Or(gateDown)
	s.gate.And(^gateHeld)
	s.reason = reason
	s.passes = 0
	s.recovery = p.pool.Checks.RecoveryInterval
	s.nextCheck.Store(now.Add(s.recovery).UnixNano())
	p.pool.wake()
}

// recover brings the proxy back after its checks passed: at once, or, where it
// keeps going down, held back until the damping is over. Locks as goDown.
func (p *Proxy) recover(now time.Time) {
	s := p.State
	s.recovery = 0
	if p.damping() > 0 {
		s.heldSince = now
		s.gate.Or(gateHeld)
		return
	}
	p.release(now)
}

// damping is how long the proxy is held back after it recovered: not at all the
// first time, then from the recovery interval doubling to ten intervals.
func (p *Proxy) damping() time.Duration {
	relapses := p.State.relapses - 1
	if relapses < 1 {
		return 0
	}
	wait := p.pool.Checks.RecoveryInterval
	most := maxDampingIntervals * p.pool.Checks.Interval
	for range relapses - 1 {
		if wait >= most {
			break
		}
		wait *= 2
	}
	return min(wait, most)
}

// release makes the proxy usable again. Locks as goDown.
func (p *Proxy) release(now time.Time) {
	s := p.State
	s.gate.And(^(gateDown | gateHeld))
	s.failures.Store(0)
	s.upSince = now
	s.reason = ""
}

// releaseHeld ends the damping of a held proxy once its wait is over: the whole
// of it where another proxy of at most its price is usable, one check interval
// where only dearer ones are, and none where no other is.
func (p *Proxy) releaseHeld(now time.Time) {
	if !p.State.gateHas(gateHeld) {
		return
	}
	asCheap, dearer := p.pool.othersUsable(p)
	s := p.State
	s.mu.Lock()
	wait := p.damping()
	switch {
	case !s.gateHas(gateHeld):
		s.mu.Unlock()
		return
	case !asCheap && !dearer:
		wait = 0
	case !asCheap:
		wait = min(wait, p.pool.Checks.Interval)
	}
	if now.Sub(s.heldSince) >= wait {
		p.release(now)
	}
	p.settle(now, "damping is over")
}

// CheckResult is what one health check found.
type CheckResult struct {
	Start    time.Time
	Duration time.Duration
	Target   string // "host:port" that answered
	OK       bool
	Reason   string // of a failure, in a word or two
}

// Checked takes the verdict of a health check, unless the proxy is reached in
// another way by now. Safe for concurrent use.
func (p *Proxy) Checked(r CheckResult) {
	now := time.Now()
	s := p.State
	if !r.OK && s.overdrawn() {
		return // it was cut off
	}
	s.mu.Lock()
	if !p.current() {
		s.mu.Unlock()
		return
	}
	s.checks.Add(1)
	s.heartbeat.add(now, &r)
	// Real requests that went well since the check before know better.
	flowing := s.lastTraffic.Load() > s.lastCheck.Load()
	s.lastCheck.Store(now.UnixNano())
	s.nextCheck.Store(now.Add(p.pool.Checks.Interval).UnixNano())
	if !r.OK && flowing {
		s.denied.Add(1)
	} else {
		s.denied.Store(0)
	}
	s.checkFailed.Store(!r.OK)
	if r.OK {
		s.counts.checksOK.Add(1)
		s.suspected = false
		s.observeCheck(r.Duration)
		if !p.pool.Checks.Disabled {
			s.ledger.timed(r.Target, r.Duration, now)
		}
		p.checkPassed(now)
	} else {
		s.checksFailed.Add(1)
		s.counts.checksFailed.Add(1)
		s.lastError = r.Reason
		p.checkFailed(now, r, flowing)
	}
	p.settle(now, r.Reason)
}

func (p *Proxy) checkPassed(now time.Time) {
	s := p.State
	s.lastSuccess.Store(now.UnixNano())
	s.failures.Store(0)
	switch {
	case !s.gateHas(gateDown) || s.gateHas(gateHeld):
	case s.passes+1 >= p.pool.Checks.Passes:
		s.passes = 0
		p.recover(now)
	default:
		s.passes++
		s.nextCheck.Store(now.Add(p.pool.Checks.RecoveryInterval).UnixNano())
	}
}

func (p *Proxy) checkFailed(now time.Time, r CheckResult, flowing bool) {
	s := p.State
	s.passes = 0
	if s.gateHas(gateDown) {
		s.gate.And(^gateHeld)
		s.recovery = min(max(2*s.recovery, p.pool.Checks.RecoveryInterval), p.pool.Checks.Interval)
		s.nextCheck.Store(now.Add(s.recovery).UnixNano())
		return
	}
	if flowing || !r.Start.After(s.counted) || p.pool.checksDoubtful() {
		return
	}
	s.counted = now
	switch {
	case int(s.failures.Add(1)) >= p.MaxFailures:
		s.suspected = false
		p.goDown(now, r.Reason)
	case s.suspected:
		s.nextCheck.Store(now.Add(p.pool.Checks.RecoveryInterval).UnixNano())
	}
}

// settle works out the status after a change, releases the lock that its caller
// holds, and tells of the new status where it is one.
func (p *Proxy) settle(now time.Time, reason string) {
	s := p.State
	was, is := s.status, s.currentStatus(p.pool.Checks.Slow)
	opened := !s.wasUsable && s.gate.Load() == 0
	s.wasUsable = s.gate.Load() == 0
	if was != is {
		s.status, s.since = is, now
	}
	s.mu.Unlock()
	s.touch()

	if was != is {
		p.pool.tell(Event{Time: now, Pool: p.pool.Name, Proxy: p.Name, From: was, To: is, Reason: reason})
	}
	if opened {
		p.pool.returnTo(p)
	}
}
