package pool

import (
	"encoding/json"
	"fmt"
	"time"
)

// memory is what is stored of a proxy beside its totals, as JSON. Times are Unix
// nanoseconds, 0 for never. There is nothing in it of how the proxy logs in.
type memory struct {
	Address string `json:"address"` // health is of use only where it is the same

	Disabled bool   `json:"disabled,omitempty"`
	Down     bool   `json:"down,omitempty"`
	Held     bool   `json:"held,omitempty"`
	Status   Status `json:"status"`
	Since    int64  `json:"since"`
	Reason   string `json:"reason,omitempty"`

	Failures  int32         `json:"failures,omitempty"`
	LastError string        `json:"last_error,omitempty"`
	Passes    int           `json:"passes,omitempty"`
	Recovery  time.Duration `json:"recovery,omitempty"`
	Relapses  int           `json:"relapses,omitempty"`
	UpSince   int64         `json:"up_since"`
	HeldSince int64         `json:"held_since,omitempty"`

	Checks       int64 `json:"checks,omitempty"`
	ChecksFailed int64 `json:"checks_failed,omitempty"`
	CheckFailing bool  `json:"check_failing,omitempty"`
	LastSuccess  int64 `json:"last_success,omitempty"`
	LastTraffic  int64 `json:"last_traffic,omitempty"`
	LastCheck    int64 `json:"last_check,omitempty"`

	ResponseTime int64                         `json:"response_time,omitempty"`
	ConnectTime  int64                         `json:"connect_time,omitempty"`
	CheckTimes   [degradedChecks]time.Duration `json:"check_times"`
	CheckCount   int                           `json:"check_count,omitempty"`

	Base     totals        `json:"base"`
	Days     map[date]used `json:"days,omitempty"`
	Told     told          `json:"told"`
	Troubles []trouble     `json:"troubles,omitempty"`
}

// targetName is what a target is called in a store. How it is trusted has no
// name that would mean the same after a restart.
type targetName struct {
	Scheme string `json:"scheme"`
	Addr   string `json:"addr"`
}

// trouble is a route that is blocked or failing.
type trouble struct {
	targetName
	BlockedUntil int64         `json:"blocked_until,omitempty"`
	Failing      bool          `json:"failing,omitempty"`
	RetryAt      int64         `json:"retry_at,omitempty"`
	Retry        time.Duration `json:"retry,omitempty"`
}

// Collect adds to b what is to be stored of the proxies of the pool: what has
// changed since the last call, or all of it. It takes the usage out, which
// must be stored with the records or not at all. Safe for concurrent use.
func (s *State) Collect(pool string, b *Batch, all bool) error {
	s.mu.Lock()
	changed := make(map[string]*ProxyState)
	for name, ps := range s.proxies {
		if ps.changed.Swap(false) || all {
			changed[name] = ps
		}
	}
	for name, ps := range s.forgotten {
		if changed[name] == nil {
			changed[name] = ps
		}
	}
	s.forgotten = nil
	s.mu.Unlock()
	for name, ps := range changed {
		record, cells, err := ps.record(pool, name)
		if err != nil {
			return fmt.Errorf("storing proxy %s/%s: %w", pool, name, err)
		}
		b.Records = append(b.Records, record)
		b.Usage = append(b.Usage, cells...)
	}
	return nil
}

func (s *ProxyState) record(pool, proxy string) (Record, []UsageCell, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := memory{
		Address:  s.address,
		Disabled: s.gateHas(gateDisabled), Down: s.gateHas(gateDown), Held: s.gateHas(gateHeld),
		Status: s.status, Since: s.since.UnixNano(), Reason: s.reason,
		Failures: s.failures.Load(), LastError: s.lastError, Passes: s.passes,
		Recovery: s.recovery, Relapses: s.relapses, UpSince: s.upSince.UnixNano(), HeldSince: nanos(s.heldSince),
		Checks: s.checks.Load(), ChecksFailed: s.checksFailed.Load(), CheckFailing: s.checkFailing.Load(),
		LastSuccess: s.lastSuccess.Load(), LastTraffic: s.lastTraffic.Load(), LastCheck: s.lastCheck.Load(),
		ResponseTime: s.responseTime.Load(), ConnectTime: s.connectTime.ns.Load(),
		CheckTimes: s.checkTimes, CheckCount: s.checkCount,
		Base: s.base, Troubles: s.troubles(),
	}
	r := Record{Pool: pool, Proxy: proxy}
	var cells []UsageCell
	r.Total, cells = s.ledger.take(pool, proxy, &m)
	var err error
	r.State, err = json.Marshal(m)
	return r, cells, err
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
