package pool

import (
	"errors"
	"time"
)

// meteredSuspicion is how often a route of a metered proxy is probed at most
// because a tunnel ended badly.
const meteredSuspicion = time.Minute

// betweenProbes is how long what broke one probe is given to be over.
const betweenProbes = 100 * time.Millisecond

// foreign reports whether a client chose the target. It may choose one that does
// not answer, and it may say what makes a target hang up: what it sees is no
// evidence, and only makes us look for ourselves.
func (t *Target) foreign() bool { return t.key.Guard != "" }

// suspectRoute probes a route over which a client fared badly. The route fails by
// what the probes find, as many in a row as it takes.
func (p *Proxy) suspectRoute(r *Route) {
	now := time.Now().UnixNano()
	every := p.pool.Checks.RecoveryInterval
	if p.Metered() {
		every = meteredSuspicion
	}
	last := r.suspected.Load()
	if r.failing.Load() || last != 0 && now-last < int64(every) || !r.suspected.CompareAndSwap(last, now) {
		return
	}
	go p.confirm(r) // ends with its connects, which end at their time limit
}

// confirm makes probes until one passes, or the route has failed. For as long as
// none has, the first counts as overdue, so that nobody tries between two.
func (p *Proxy) confirm(r *Route) {
	doubt := flight{probe: true}
	r.pending.add(&doubt, time.Now())
	defer r.pending.remove(&doubt)
	for i := range p.MaxFailures {
		if i > 0 {
			time.Sleep(betweenProbes)
		}
		if r.failing.Load() || !p.usable() || !p.current() || p.pool.state.closed.Load() {
			return
		}
		wake := make(chan struct{}, 1)
		c := p.connect(r, &p.pool.Options, wanted{probe: true}, wake)
		<-wake
		err := c.failure()
		c.leave(wake)
		if err == nil {
			return
		}
	}
}

// suspect makes a proxy due for a check that fared badly with a target that a
// client chose, although the proxy itself was there: it may as well be the target.
// Without checks there is nobody else to ask, and the proxy is to blame where a
// second target fares as badly.
func (p *Proxy) suspect(c *connect, reason string) {
	s := p.State
	checks := &p.pool.Checks
	if checks.Disabled {
		if before := s.accused.Swap(c.route.target); before != nil && before != c.route.target {
			p.blame(c.start, reason)
		}
		return
	}
	now := time.Now()
	every := checks.RecoveryInterval
	if p.Metered() {
		every = checks.Interval
	}
	s.mu.Lock()
	due := !s.gateHas(gateDown) && p.current() && now.UnixNano()-s.lastCheck.Load() >= int64(every)
	if due {
		s.suspected = true
		s.nextCheck.Store(now.UnixNano())
	}
	s.mu.Unlock()
	if due {
		p.pool.wake()
	}
}

// reached is what an error of a [Dialer] may tell: that the proxy itself was there.
type reached interface{ ProxyReached() bool }

func proxyReached(err error) bool {
	var r reached
	return errors.As(err, &r) && r.ProxyReached()
}
