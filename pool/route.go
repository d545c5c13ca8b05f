package pool

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Routes are probed while somebody asked for their target this recently.
	probeInterest = 10 * time.Minute
	// Where all routes to a target are failing, how often one request tries.
	lastTryEvery = time.Second
	// A target answers slower than usual after four times its median, and
	// within these bounds.
	silenceFactor = 4
	minSilence    = time.Second
	maxSilence    = 5 * time.Second
)

// Route is one proxy to one target: its standing connections and what is known
// of it alone. It outlives reloads. Safe for concurrent use.
type Route struct {
	state   *ProxyState
	target  *Target
	account *Account

	blockedUntil atomic.Int64 // Unix nanoseconds, 0 where not blocked
	failing      atomic.Bool
	retryAt      atomic.Int64 // failing: when it may be tried again
	failures     atomic.Int32 // in a row
	answerTime   median       // from request sent to response headers
	pending      inFlight     // connects
	suspect      atomic.Bool  // its standing connections are in doubt
	suspected    atomic.Int64 // when it was last probed because a tunnel ended badly
	idle         idleStack    // HTTP/1.1
	shared       atomic.Pointer[[]*standing]
	drainBefore  atomic.Int64 // connections made before this are let go

	mu        sync.Mutex // guards what follows
	counted   time.Time
	retry     time.Duration // until the next probe, doubling
	recovered time.Time     // when it last stopped failing
	joined    *connect      // under way, for all who want HTTP/2
	probe     *probe        // the last one, for requests that fell silent
}

func newRoute(s *ProxyState, t *Target) *Route {
	return &Route{state: s, target: t, account: &Account{ledger: s.ledger, target: t.Addr}}
}

// blocked reports whether the target has blocked the proxy.
func (r *Route) blocked(now int64) bool {
	until := r.blockedUntil.Load()
	return until != 0 && now < until
}

// silence is how long an answer may take until the route is probed.
func (r *Route) silence() time.Duration {
	usual := r.answerTime.value()
	if usual == 0 {
		return maxSilence
	}
	return min(max(silenceFactor*usual, minSilence), maxSilence)
}

// standing reports whether there is a living connection to be had.
func (r *Route) standing() bool {
	if r.idle.any(func(c *standing) bool { return c.Alive() }) {
		return true
	}
	shared := r.shared.Load()
	return shared != nil && slices.ContainsFunc(*shared, func(c *standing) bool { return c.Alive() })
}

// blameRoute counts one failure of the route, of an attempt that began at
// start; one event counts once, as for [Proxy.blame].
func (p *Proxy) blameRoute(r *Route, start time.Time, reason string) {
	if r.target.key.Quiet {
		return
	}
	now := time.Now()
	r.mu.Lock()
	if !p.current() || !start.After(r.counted) {
		r.mu.Unlock()
		return
	}
	r.counted = now
	failures := int(r.failures.Add(1))
	checks := &p.pool.Checks
	switch {
	case r.failing.Load():
		r.retry = min(2*r.retry, checks.Interval)
		r.retryAt.Store(now.Add(r.retry).UnixNano())
	case failures >= p.MaxFailures:
		// A route whose probe passes and that then fails again, because it
		// breaks off answers say, goes on where it was.
		if r.retry = 2 * r.retry; r.retry == 0 || now.Sub(r.recovered) > dampingMemory {
			r.retry = checks.RecoveryInterval
		}
		r.retry = min(r.retry, checks.Interval)
		r.retryAt.Store(now.Add(r.retry).UnixNano())
		r.failing.Store(true)
	}
	failing := r.failing.Load()
	r.mu.Unlock()
	if failing {
		r.target.doubted.Store(true)
	}

	s := p.State
	s.mu.Lock()
	if p.current() {
		s.lastError = reason
		if failing && !r.target.evicted.Load() {
			s.troubled[r] = struct{}{}
		}
	}
	s.mu.Unlock()
	s.touch()
	if failing {
		r.closeIdle(0)
	}
}

// routeSucceeded notes that a request went well over the route, or that a probe
// passed.
func (p *Proxy) routeSucceeded(r *Route) {
	if p.current() {
		p.clearRoute(r)
	}
}

// clearRoute forgets the failures of a route.
func (p *Proxy) clearRoute(r *Route) {
	if r.failures.Load() == 0 && !r.failing.Load() {
		return
	}
	r.mu.Lock()
	r.failures.Store(0)
	recovered := r.failing.Swap(false)
	if recovered {
		r.recovered = time.Now()
	}
	r.mu.Unlock()
	if recovered {
		p.forgive(r)
		p.pool.returnTo(p)
	}
}

// undamp forgets that the route kept failing.
func (r *Route) undamp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retry = 0
}

// proving notes that somebody tries the failing route, so that nobody else does
// before that is over; its failure sets the next time.
func (r *Route) proving(now time.Time, o *Options) {
	r.retryAt.Store(now.Add(o.ConnectTimeout + time.Second).UnixNano())
	r.state.touch()
}

// block marks the proxy as blocked for the route's target until the given time.
func (p *Proxy) block(r *Route, until time.Time, reason string) {
	if p.markBlocked(r, until) {
		p.tellBlocked(reason)
	}
}

// markBlocked is block without its event.
func (p *Proxy) markBlocked(r *Route, until time.Time) bool {
	s := p.State
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.target.evicted.Load() || !p.current() {
		return false
	}
	r.blockedUntil.Store(until.UnixNano())
	s.troubled[r] = struct{}{}
	s.touch()
	return true
}

func (p *Proxy) tellBlocked(reason string) {
	p.State.mu.Lock()
	p.settle(time.Now(), reason)
}

// forgive takes the route off the list of the troubled, unless it still is.
func (p *Proxy) forgive(r *Route) {
	s := p.State
	s.mu.Lock()
	if r.blockedUntil.Load() == 0 && !r.failing.Load() {
		delete(s.troubled, r)
		delete(s.recalled, r.target.name())
	}
	p.settle(time.Now(), "")
}

// expireBlocks ends the blocks whose time is over.
func (p *Proxy) expireBlocks(now time.Time) {
	s := p.State
	s.mu.Lock()
	var over []*Route
	for r := range s.troubled {
		if until := r.blockedUntil.Load(); until != 0 && now.UnixNano() >= until {
			over = append(over, r)
		}
	}
	s.mu.Unlock()
	for _, r := range over {
		r.blockedUntil.Store(0)
		p.forgive(r)
		p.pool.returnTo(p)
	}
	s.mu.Lock()
	if !s.expireRecalled(now) {
		s.mu.Unlock()
		return
	}
	p.settle(now, "")
}

// forget lets go of a route whose target was evicted. A block is over with the
// next look at the blocks, which tells of the proxy's new status.
func (r *Route) forget() {
	r.closeIdle(0)
	r.state.mu.Lock()
	defer r.state.mu.Unlock()
	r.failing.Store(false)
	delete(r.state.recalled, r.target.name())
	r.state.touch()
	if r.blockedUntil.Load() != 0 {
		r.blockedUntil.Store(1)
		return
	}
	delete(r.state.troubled, r)
}

// inFlight knows when the oldest of the connects that are under way began, but for
// those that a later one overtook. Reading it takes no lock.
type inFlight struct {
	oldest atomic.Int64 // Unix nanoseconds, 0 for none

	mu          sync.Mutex
	first, last *flight // in the order in which they began
}

// flight is one connect's place in an inFlight.
type flight struct {
	start      int64
	prev, next *flight
	listed     bool
	probe      bool // set before it is listed
}

func (f *inFlight) add(n *flight, start time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n.start, n.listed = start.UnixNano(), true
	// Few are overtaken between their start and here, so that this is short.
	n.prev = f.last
	for n.prev != nil && n.prev.start > n.start {
		n.prev = n.prev.prev
	}
	if n.prev == nil {
		n.next, f.first = f.first, n
	} else {
		n.next, n.prev.next = n.prev.next, n
	}
	if n.next == nil {
		f.last = n
	} else {
		n.next.prev = n
	}
	f.update()
}

// remove takes it out, where it is in.
func (f *inFlight) remove(n *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !n.listed {
		return
	}
	f.unlink(n)
	f.update()
}

// stood takes it out with those that began before it: where a later one came to
// stand they only lost a packet, and tell nothing of the way. But what a probe asks
// for is more than others need, so that only a later probe takes out a probe.
func (f *inFlight) stood(n *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !n.listed {
		return
	}
	for older := n.prev; older != nil; {
		next := older.prev
		if n.probe || !older.probe {
			f.unlink(older)
		}
		older = next
	}
	f.unlink(n)
	f.update()
}

func (f *inFlight) unlink(n *flight) {
	if n.prev == nil {
		f.first = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		f.last = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.prev, n.next, n.listed = nil, nil, false
}

func (f *inFlight) update() {
	var oldest int64
	if f.first != nil {
		oldest = f.first.start
	}
	f.oldest.Store(oldest)
}

// since is how long the oldest has been under way, 0 where there is none.
func (f *inFlight) since(now int64) time.Duration {
	if oldest := f.oldest.Load(); oldest != 0 {
		return time.Duration(now - oldest)
	}
	return 0
}
