package pool

import (
	"encoding/json"
	"maps"
	"time"
)

// Collect adds to b what is to be stored of the proxies of the pool: what has
// changed since the last call, or all of it. It takes the usage out, which must
// be stored together with the records. Of proxies that no store was asked for
// there is only the usage, because their records would replace what one may know
// of them. Safe for concurrent use.
func (s *State) Collect(pool string, b *Batch, all bool) {
	s.mu.Lock()
	changed := make(map[string]*ProxyState)
	for name, ps := range s.proxies {
		if all || ps.changed.Load() {
			ps.changed.Store(!ps.met.Load())
			changed[name] = ps
		}
	}
	maps.Copy(changed, s.forgotten) // whose names are in nobody else's use
	s.forgotten = nil
	s.mu.Unlock()
	for name, ps := range changed {
		met := ps.met.Load() // before the totals are read, which it changes
		record, cells := ps.record(pool, name)
		if met {
			b.Records = append(b.Records, record)
		}
		b.Usage = append(b.Usage, cells...)
	}
}

func (s *ProxyState) record(pool, proxy string) (Record, []UsageCell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := memory{
		Address: s.address, Lineage: s.lineage,
		Disabled: s.gateHas(gateDisabled), Down: s.gateHas(gateDown), Held: s.gateHas(gateHeld),
		Status: s.status, Since: s.since.UnixNano(), Reason: s.reason,
		Failures: s.failures.Load(), LastError: s.lastError, Passes: s.passes,
		Recovery: s.recovery, Relapses: s.relapses, UpSince: s.upSince.UnixNano(), HeldSince: nanos(s.heldSince),
		Checks: s.checks.Load(), ChecksFailed: s.checksFailed.Load(), CheckFailed: s.checkFailed.Load(), Denied: s.denied.Load(),
		LastSuccess: s.lastSuccess.Load(), LastTraffic: s.lastTraffic.Load(), LastCheck: s.lastCheck.Load(),
		ResponseTime: s.responseTime.Load(), ConnectTime: s.connectTime.ns.Load(), TunnelTime: s.tunnelTime.ns.Load(),
		CheckTimes: s.checkTimes, CheckCount: s.checkCount,
		Base: s.base, Troubles: s.troubles(),
	}
	r := Record{Pool: pool, Proxy: proxy}
	var cells []UsageCell
	r.Total, cells = s.ledger.take(pool, proxy, &m)
	r.State, _ = json.Marshal(m) // numbers and strings, which cannot fail
	return r, cells
}

// troubles are the routes in trouble; the caller holds the lock.
func (s *ProxyState) troubles() []trouble {
	var all []trouble
	known := make(map[targetName]bool)
	for r := range s.troubled {
		t := r.trouble()
		known[t.targetName] = true
		all = append(all, t)
	}
	for name, t := range s.recalled {
		if !known[name] {
			all = append(all, t)
		}
	}
	return all
}

func (t *Target) name() targetName { return targetName{t.Scheme, t.Addr} }

func (r *Route) trouble() trouble {
	r.mu.Lock()
	defer r.mu.Unlock()
	return trouble{
		targetName:   r.target.name(),
		BlockedUntil: r.blockedUntil.Load(), Failing: r.failing.Load(),
		RetryAt: r.retryAt.Load(), Retry: r.retry,
	}
}

// nanos is a time in Unix nanoseconds, 0 for the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
