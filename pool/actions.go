package pool

import (
	"errors"
	"time"
)

// ErrUnknownAction is returned by [Proxy.Do] for a word that is none.
var ErrUnknownAction = errors.New("unknown action")

// Do carries out what an admin asks for: "enable", "disable", "mark-healthy",
// "mark-down", "unblock" or "reset-stats". Safe for concurrent use.
func (p *Proxy) Do(action string) error {
	switch action {
	case "enable":
		p.setDisabled(false)
	case "disable":
		p.setDisabled(true)
	case "mark-healthy":
		p.markHealthy("marked healthy")
	case "mark-down":
		p.markDown()
	case "unblock":
		p.unblock()
	case "reset-stats":
		p.resetStats()
	default:
		return ErrUnknownAction
	}
	return nil
}

// setDisabled takes the proxy out of use, or back, until it is said otherwise.
func (p *Proxy) setDisabled(disabled bool) {
	s := p.State
	s.mu.Lock()
	s.steered = true
	if disabled {
		s.gate.Or(gateDisabled)
	} else {
		s.gate.And(^gateDisabled)
	}
	p.settle(time.Now(), "")
	if disabled {
		p.closeIdle()
	}
}

// markHealthy clears failures, damping and blocks.
func (p *Proxy) markHealthy(reason string) {
	now := time.Now()
	p.unblock()
	s := p.State
	p.pool.state.eachRoute(func(r *Route) {
		if r.state == s {
			r.undamp() // first: it waits for a failure that is being counted
			p.clearRoute(r)
		}
	})
	s.mu.Lock()
	clear(s.recalled)
	p.release(now)
	s.relapses, s.passes, s.recovery, s.lastError = 0, 0, 0, ""
	p.settle(now, reason)
}

// markDown lasts until the next check that passes.
func (p *Proxy) markDown() {
	now := time.Now()
	s := p.State
	s.mu.Lock()
	if !s.gateHas(gateDown) || s.gateHas(gateHeld) {
		relapses := s.relapses
		p.goDown(now, "marked down")
		s.relapses = relapses // an admin's word is no relapse
	}
	p.settle(now, "marked down")
	p.closeIdle()
}

func (p *Proxy) unblock() {
	s := p.State
	s.mu.Lock()
	blocked := s.routes(func(r *Route) bool { return r.blockedUntil.Load() != 0 })
	for name, t := range s.recalled {
		s.unblockRecalled(name, t)
	}
	s.mu.Unlock()
	for _, r := range blocked {
		r.blockedUntil.Store(0)
		p.forgive(r)
	}
	if len(blocked) > 0 {
		p.pool.returnTo(p)
	}
	s.mu.Lock()
	p.settle(time.Now(), "")
}

// resetStats clears the counters and averages of the row, and nothing that
// money depends on.
func (p *Proxy) resetStats() {
	s := p.State
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base, s.reset = s.totals(), true
	s.responseTime.Store(0)
	s.touch()
}

// beginAnew forgets what was known of the proxy's health, because it is reached
// in another way than before. Its counters stay.
func (p *Proxy) beginAnew() {
	now, identity := time.Now(), p.Identity
	s := p.State
	s.identity.Store(&identity)
	p.markHealthy("address changed")
	s.mu.Lock()
	s.checkTimes, s.checkCount = [degradedChecks]time.Duration{}, 0
	s.heartbeat = heartbeat{}
	s.checkFailed.Store(false)
	s.denied.Store(0)
	s.connectTime.reset()
	s.tunnelTime.reset()
	s.lastCheck.Store(0) // nothing puts the next one off
	s.lastTraffic.Store(0)
	s.nextCheck.Store(now.UnixNano())
	p.settle(now, "")
	p.closeIdle()
	p.pool.wake()
}

// closeIdle closes the proxy's standing connections.
func (p *Proxy) closeIdle() {
	p.pool.state.eachRoute(func(r *Route) {
		if r.state == p.State {
			r.closeIdle(0)
		}
	})
}

// routes are the troubled routes that want says; the caller holds the lock.
func (s *ProxyState) routes(want func(*Route) bool) []*Route {
	var routes []*Route
	for r := range s.troubled {
		if want(r) {
			routes = append(routes, r)
		}
	}
	return routes
}
