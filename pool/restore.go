package pool

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Lacks reports whether there are proxies whose records the store was not asked
// for yet.
func (pl *Pool) Lacks(storeID string) bool {
	return slices.ContainsFunc(pl.proxies, func(p *Proxy) bool { return p.State.lacks(storeID) })
}

func (s *ProxyState) lacks(storeID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.Contains(s.asked, storeID)
}

// Restore takes over what a store knows of the pool's proxies. Counters are
// added to what was counted since the process began; health counts only where
// nothing is known yet, and only where the proxy is reached as it was. Of a
// store that is asked after another one, the counters are added unless they are
// the same ones: of a file that was moved, what the process knows has them all.
//
// An error tells of records that could not be read; the others are restored.
func (pl *Pool) Restore(storeID string, records []Record) error {
	byName := make(map[string]*Record, len(records))
	for i := range records {
		byName[records[i].Proxy] = &records[i]
	}
	var errs []error
	for _, p := range pl.proxies {
		if !p.State.lacks(storeID) {
			continue
		}
		if err := p.restore(storeID, byName[p.Name]); err != nil {
			errs = append(errs, fmt.Errorf("reading what was stored of proxy %s: %w", p.ID(), err))
		}
	}
	return errors.Join(errs...)
}

func (p *Proxy) restore(storeID string, r *Record) error {
	s, now := p.State, time.Now()
	var m memory
	var err error
	if r != nil {
		if err = json.Unmarshal(r.State, &m); err != nil {
			m = memory{} // rather than half of it
		}
	}
	s.mu.Lock()
	s.asked = append(s.asked, storeID)
	if s.address == "" {
		// It may be stored before the configuration is adopted, and what is stored
		// without an address is of no use to the next process.
		s.address = p.Address
	}
	switch {
	case r == nil:
	case !s.restored:
		s.restored, s.lineage = true, cmp.Or(m.Lineage, s.lineage)
		fresh := err == nil && s.unused() && m.Address == p.Address
		s.takeOver(r.Total.within(mostStored()), &m)
		if fresh {
			m.mend(p, now)
			s.recover(&m, now)
		}
	case err == nil && m.Lineage != s.lineage:
		s.takeOver(r.Total.within(mostStored()), &m)
	}
	recalled := len(s.recalled) > 0
	p.settle(now, "")
	s.ledger.look(now)
	if recalled {
		p.pool.state.recalling.Store(true)
		p.pool.state.recallAll(s)
	}
	s.met.Store(true)
	return err
}

// takeOver takes what holds whatever was learned since, and however the proxy is
// reached; the caller holds the lock.
func (s *ProxyState) takeOver(total Usage, m *memory) {
	m.mendCounters(total)
	s.addTotals(total, m)
	if m.Disabled && !s.steered {
		s.gate.Or(gateDisabled)
	}
}

// unused reports whether nothing was learned of the proxy yet; the caller holds
// the lock.
func (s *ProxyState) unused() bool {
	return s.ledger.totals().Requests == 0 && s.checks.Load() == 0 && !s.gateHas(gateDown|gateHeld)
}

// addTotals puts what was counted before in front of what was counted since.
func (s *ProxyState) addTotals(total Usage, m *memory) {
	if s.reset {
		s.base.Usage.Add(total)
		s.base.Checks += m.Checks
		s.base.ChecksFailed += m.ChecksFailed
	} else {
		s.base = m.Base
	}
	s.checks.Add(m.Checks)
	s.checksFailed.Add(m.ChecksFailed)
	s.ledger.add(total, m)
}

// recover takes over what was known of the proxy's health.
func (s *ProxyState) recover(m *memory, now time.Time) {
	if m.Down {
		s.gate.Or(gateDown)
		s.nextCheck.Store(now.UnixNano()) // much may have changed since
	}
	if m.Held {
		s.gate.Or(gateHeld)
	}
	s.status, s.since, s.reason = m.Status, time.Unix(0, m.Since), m.Reason
	s.failures.Store(m.Failures)
	s.lastError, s.passes, s.recovery, s.relapses = m.LastError, m.Passes, m.Recovery, m.Relapses
	s.upSince, s.heldSince = time.Unix(0, m.UpSince), at(m.HeldSince)
	s.checkFailed.Store(m.CheckFailed)
	s.denied.Store(m.Denied)
	s.lastSuccess.Store(m.LastSuccess)
	s.lastTraffic.Store(m.LastTraffic)
	s.lastCheck.Store(m.LastCheck)
	s.responseTime.Store(m.ResponseTime)
	s.connectTime.ns.Store(m.ConnectTime)
	s.tunnelTime.ns.Store(m.TunnelTime)
	s.checkTimes, s.checkCount = m.CheckTimes, m.CheckCount
	s.recalled = make(map[targetName]trouble, len(m.Troubles))
	for _, t := range m.Troubles {
		if len(s.recalled) < maxTargets {
			s.recalled[t.targetName] = t
		}
	}
}

// recallAll applies the troubles that were restored to the routes of targets
// that are known already.
func (s *State) recallAll(ps *ProxyState) {
	s.targets.Range(func(_, v any) bool {
		ps.recall(v.(*Target))
		return true
	})
}

// recallFor applies what was restored to the routes of a target that was just
// made.
func (s *State) recallFor(t *Target) {
	if !s.recalling.Load() {
		return
	}
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.proxies))
	s.mu.Unlock()
	for _, ps := range all {
		ps.recall(t)
	}
}

// recall makes a route to the target blocked or failing where it was so before
// the restart. Of a quiet target nothing was ever known, and nothing would end it.
func (s *ProxyState) recall(t *Target) {
	if t.key.Quiet {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.recalled[t.name()]
	if !ok {
		return
	}
	if t.evicted.Load() {
		return
	}
	r := t.routeOf(s)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blockedUntil.Store(known.BlockedUntil)
	r.retryAt.Store(known.RetryAt)
	r.retry = known.Retry
	r.failing.Store(known.Failing)
	if known.Failing {
		t.doubted.Store(true)
	}
	s.troubled[r] = struct{}{}
}

// expireRecalled ends the blocks of routes that nobody asked for since the
// restart, and reports whether there were any; the caller holds the lock.
func (s *ProxyState) expireRecalled(now time.Time) (any bool) {
	for name, t := range s.recalled {
		if t.BlockedUntil == 0 || now.UnixNano() < t.BlockedUntil {
			continue
		}
		any = true
		s.unblockRecalled(name, t)
	}
	return any
}

func (s *ProxyState) unblockRecalled(name targetName, t trouble) {
	t.BlockedUntil = 0
	s.recalled[name] = t
	if !t.Failing {
		delete(s.recalled, name)
	}
}
