package pool

import (
	"slices"
	"time"
)

// Carrier is the proxy that the next request to the target last asked for goes
// through; where there is none for that target, the next one to any other. nil
// where no proxy is usable at all.
func (pl *Pool) Carrier(now time.Time) *Proxy {
	var none places
	if t := pl.state.lastTarget.Load(); t != nil {
		if p := pl.choose(t, &none, now.UnixNano()); p != nil {
			return p
		}
	}
	return pl.choose(nil, &none, now.UnixNano())
}

// Place is the proxy's place in the order of the pool, from 0.
func (p *Proxy) Place() int { return p.place }

// ChecksFailing reports whether health checks fail through every proxy that is
// neither down nor disabled, through some of them as often as would take it down
// if no traffic flowed through it: then the checks are at fault. Most of the time
// it looks at one proxy.
func (pl *Pool) ChecksFailing() bool {
	return pl.checksFail(func(p *Proxy) bool { return int(p.State.denied.Load()) >= p.MaxFailures })
}

// checksDoubtful reports whether they fail like that for the first time: then
// they say nothing of proxies that no traffic flows through, either.
func (pl *Pool) checksDoubtful() bool {
	return pl.checksFail(func(p *Proxy) bool { return p.State.denied.Load() > 0 })
}

// checksFail reports whether the last check failed through every proxy that is
// neither down nor disabled, and traffic proves one of them wrong, as is wanted.
func (pl *Pool) checksFail(wrong func(*Proxy) bool) bool {
	proven := false
	for _, p := range pl.proxies {
		switch {
		case p.State.gateHas(gateDisabled | gateDown):
		case !p.State.checkFailed.Load():
			return false
		case wrong(p):
			proven = true
		}
	}
	return proven
}

// Unreachable lists the targets, as "host:port", that no usable proxy gets
// through to: every route to them that is not blocked is failing. Where no proxy
// is usable at all, that is not the targets' doing, and there are none; nor are
// those among them that nobody asks for any more.
func (pl *Pool) Unreachable() []string {
	var addrs []string
	interesting := time.Now().Add(-probeInterest).UnixNano()
	pl.state.targets.Range(func(_, v any) bool {
		if t := v.(*Target); t.doubted.Load() && t.asked.Load() > interesting && pl.unreachable(t) {
			addrs = append(addrs, t.Addr)
		}
		return true
	})
	slices.Sort(addrs)
	return slices.Compact(addrs)
}

func (pl *Pool) unreachable(t *Target) bool {
	now := time.Now().UnixNano()
	t.doubted.Store(false) // before looking: a route that fails meanwhile doubts it again
	doubted, failing, reached := false, false, false
	for _, p := range pl.proxies {
		if doubted && reached {
			break
		}
		r := t.known(p.State)
		fails := r != nil && r.failing.Load()
		doubted = doubted || fails
		switch {
		case !p.wouldCarry():
		case fails:
			failing = true
		case r == nil || !r.blocked(now):
			reached = true
		}
	}
	if doubted {
		t.doubted.Store(true)
	}
	return failing && !reached
}

// Reaches reports whether some usable proxy is known to get through to the
// target. Where nobody asked for it since it was forgotten, nobody knows.
func (pl *Pool) Reaches(addr string) bool {
	reaches := false
	pl.state.targets.Range(func(_, v any) bool {
		if t := v.(*Target); t.Addr == addr && !t.key.Quiet {
			reaches = slices.ContainsFunc(pl.proxies, func(p *Proxy) bool {
				r := t.known(p.State)
				return r != nil && p.wouldCarry() && r.proven(time.Now())
			})
		}
		return !reaches
	})
	return reaches
}

// proven reports whether what was last tried over the route went well.
func (r *Route) proven(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	went := r.answerTime.value() != 0 || !r.recovered.IsZero()
	return went && r.failures.Load() == 0 && !r.failing.Load() && !r.blocked(now.UnixNano())
}

// wouldCarry reports whether the proxy is used at least where no other is, a
// target's opinion aside.
func (p *Proxy) wouldCarry() bool {
	gate := p.State.gate.Load()
	return gate&(gateDisabled|gateSpent) == 0 && (gate&gateDown == 0 || gate&gateHeld != 0)
}
