package pool

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// Order decides between proxies of equal priority and cost.
type Order string

// The orders.
const (
	OrderFirst        Order = "first"         // as configured
	OrderRoundRobin   Order = "round_robin"   // in turn
	OrderLeastLatency Order = "least_latency" // by the response time of checks
)

// rank is a set of proxies of equal priority and cost, a part of the order.
type rank struct {
	proxies []*Proxy
	turn    atomic.Uint32 // round_robin: where to begin, set by [rank.took]

	quickest atomic.Pointer[sorting] // least_latency
	busy     atomic.Bool             // somebody makes the next one
}

// sorting is the proxies of a rank by latency, at some time.
type sorting struct {
	at      int64
	proxies []*Proxy
}

// sortEvery bounds how old a sorting may be. Latencies are moving averages of
// checks, which change slowly, and there may be thousands of them.
const sortEvery = 100 * time.Millisecond

// byLatency are the proxies, the quickest first, and those first of which nothing
// is known.
func (r *rank) byLatency(now int64) []*Proxy {
	last := r.quickest.Load()
	if last != nil && now >= last.at && now-last.at < int64(sortEvery) {
		return last.proxies
	}
	if !r.busy.CompareAndSwap(false, true) {
		if last != nil {
			return last.proxies
		}
		return r.proxies // the first sorting is being made
	}
	defer r.busy.Store(false)
	// Each latency is looked at once, for it may change meanwhile.
	latency := make(map[*Proxy]time.Duration, len(r.proxies))
	for _, p := range r.proxies {
		latency[p] = p.latency()
	}
	sorted := slices.SortedStableFunc(slices.Values(r.proxies), func(a, b *Proxy) int { return cmp.Compare(latency[a], latency[b]) })
	r.quickest.Store(&sorting{now, sorted})
	return sorted
}

// rankProxies sorts proxies into their places: by priority, then cost, then
// their place in the configuration. Consecutive failures, which come before
// the last, are looked at when a proxy is chosen.
func rankProxies(proxies []*Proxy) []*rank {
	byPlace := func(a, b *Proxy) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.CostPerGB, b.CostPerGB))
	}
	slices.SortStableFunc(proxies, byPlace)
	var ranks []*rank
	var before *Proxy
	for i, p := range proxies {
		p.place = i
		if before == nil || byPlace(before, p) != 0 {
			ranks = append(ranks, &rank{})
		}
		before = p
		last := ranks[len(ranks)-1]
		p.rank = last
		last.proxies = append(last.proxies, p)
	}
	return ranks
}

// places is a set of proxies by their place, without allocation for the first 64.
type places struct {
	low  uint64
	high []uint64
}

func (s *places) has(place int) bool {
	if place < 64 {
		return s.low&(1<<place) != 0
	}
	i := place/64 - 1
	return i < len(s.high) && s.high[i]&(1<<(place%64)) != 0
}

func (s *places) add(place int) {
	if place < 64 {
		s.low |= 1 << place
		return
	}
	i := place/64 - 1
	for len(s.high) <= i {
		s.high = append(s.high, 0)
	}
	s.high[i] |= 1 << (place % 64)
}

func (s *places) clone() places { return places{low: s.low, high: slices.Clone(s.high)} }

// tier says how far a choice goes down in what it accepts.
type tier int

const (
	tierHealthy  tier = iota // with prefer_healthy: nothing degraded
	tierUsable               // usable for the target
	tierHeld                 // held back by damping: where nothing else is usable
	tierUnproved             // failing for the target: one request a second
	tierNone
)

// choose returns the best proxy for the target that is not in tried, with its
// route where it is known already, or nil. It does not allocate, and it looks
// no further than the first usable proxy of a rank that has no failures.
func (pl *Pool) choose(t *Target, tried *places, now int64) *Proxy {
	for level := pl.firstTier(); level <= tierHeld; level++ {
		if p := pl.best(t, tried, now, level); p != nil {
			return p
		}
	}
	return nil
}

func (pl *Pool) firstTier() tier {
	if pl.PreferHealthy {
		return tierHealthy
	}
	return tierUsable
}

// took makes it the turn of the proxy after p. To be told apart from choosing,
// which also happens only to see who would be next.
func (r *rank) took(p *Proxy) {
	r.turn.Store(uint32(p.place - r.proxies[0].place + 1))
}

// chooseUnproved is the last resort where all routes to the target are failing:
// the first of them, for one request a second.
func (pl *Pool) chooseUnproved(t *Target, tried *places, now int64) *Proxy {
	last := t.lastTry.Load()
	if now-last < int64(lastTryEvery) {
		return nil
	}
	p := pl.best(t, tried, now, tierUnproved)
	if p == nil || !t.lastTry.CompareAndSwap(last, now) {
		return nil
	}
	return p
}

// best is the best proxy within a tier.
func (pl *Pool) best(t *Target, tried *places, now int64, level tier) *Proxy {
	for _, r := range pl.ranks {
		var best *Proxy
		proxies, start := r.proxies, 0
		if len(proxies) > 1 {
			switch pl.Order {
			case OrderRoundRobin:
				start = int(r.turn.Load()) % len(proxies)
			case OrderLeastLatency:
				proxies = r.byLatency(now)
			}
		}
		for i := range proxies {
			p := proxies[(start+i)%len(proxies)]
			if tried.has(p.place) || pl.tierFor(p, t, now) > level {
				continue
			}
			if best == nil || p.State.failures.Load() < best.State.failures.Load() {
				best = p
			}
			if best.State.failures.Load() == 0 {
				break
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

// latency is what least_latency compares: the response time of checks, or the
// time of connects where there are none.
func (p *Proxy) latency() time.Duration {
	if d := p.State.responseTime.Load(); d != 0 {
		return time.Duration(d)
	}
	return cmp.Or(p.State.connectTime.value(), p.State.tunnelTime.value())
}

// tierFor is the first tier that accepts the proxy for the target.
func (pl *Pool) tierFor(p *Proxy, t *Target, now int64) tier {
	gate := p.State.gate.Load()
	switch {
	case gate&(gateDisabled|gateSpent) != 0, gate&gateDown != 0 && gate&gateHeld == 0:
		return tierNone
	}
	if t != nil {
		r := t.known(p.State)
		switch {
		case r != nil && r.blocked(now), t.blockedKin(p.State, now):
			return tierNone
		case r != nil && r.failing.Load() && !p.provesItself(r, now):
			return tierUnproved
		}
	}
	switch {
	case gate&gateHeld != 0:
		return tierHeld
	case p.State.degraded.Load():
		return tierUsable
	default:
		return tierHealthy
	}
}

// provesItself reports whether a failing route may be tried by a request: that
// of a metered proxy, which is not probed for nothing, and that to an http
// target, which no probe can tell anything of, when their time has come.
func (p *Proxy) provesItself(r *Route, now int64) bool {
	return (p.Metered() || r.target.Scheme == "http") && now >= r.retryAt.Load()
}

// othersUsable reports whether other proxies are usable that cost at most what
// p does, and whether dearer ones are.
func (pl *Pool) othersUsable(p *Proxy) (asCheap, dearer bool) {
	for _, other := range pl.proxies {
		switch {
		case other == p || !other.usable():
		case other.CostPerGB <= p.CostPerGB:
			return true, dearer
		default:
			dearer = true
		}
	}
	return false, dearer
}
