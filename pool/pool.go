package pool

import (
	"cmp"
	"sync/atomic"
	"time"
)

// Values of a duration in [Options] that are not durations.
const (
	Off  time.Duration = -1
	Auto time.Duration = -2
)

// Options say how a request is forwarded. Those of a front win over its pool's.
type Options struct {
	// ConnectTimeout bounds one connect: dial, proxy handshake, TLS.
	ConnectTimeout time.Duration

	// HedgeDelay is when the next proxy's connect starts: Auto, Off, or a
	// duration. HedgeMeteredDelay holds where that proxy costs more per GB than
	// the one waited for.
	HedgeDelay, HedgeMeteredDelay time.Duration

	// ResponseTimeout bounds the time from request sent to response headers;
	// 0 is no limit.
	ResponseTimeout time.Duration

	// MaxTries is how many proxies are tried for one request; 0 is all.
	MaxTries int

	// ReplayBuffer is how many bytes of a request body are kept.
	ReplayBuffer int64

	// RetryUnsafe repeats also what is not safe to repeat.
	RetryUnsafe bool

	// Keepalive is how long an idle connection is kept; 0 or less is not at all.
	Keepalive time.Duration
}

// Checks say when proxies are looked after. The URLs and what to expect of
// them are the checker's own business.
type Checks struct {
	Disabled         bool
	Interval         time.Duration
	MeteredInterval  time.Duration
	RecoveryInterval time.Duration
	Passes           int
	Slow             time.Duration
}

// Config is what the configuration says of a pool.
type Config struct {
	Name          string
	Proxies       []ProxyConfig // in their order in the configuration
	Order         Order
	PreferHealthy bool
	Options       Options // for probes
	Checks        Checks
	Blocks        []BlockRule

	// Location is where days and months begin; nil is the server's.
	Location *time.Location

	// OnEvent is told of changes of status, OnBudget of what was used of a
	// budget, OnDue that a check became due sooner than before. They must not
	// block; each may be nil.
	OnEvent  func(Event)
	OnBudget func(BudgetEvent)
	OnDue    func()
}

// Pool is one configuration's view of a pool. It never changes and is safe for
// concurrent use.
type Pool struct {
	Config
	state   *State
	proxies []*Proxy // in their places
	ranks   []*rank
	byState map[*ProxyState]*Proxy
	dearest Money // of the prices of a GiB

	hastenedAt atomic.Int64 // Unix nanoseconds
}

// New makes a pool over a state that other configurations may share. It changes
// nothing in what is known of the proxies; that is for [Pool.Adopt].
func New(config Config, state *State) *Pool {
	pl := &Pool{Config: config, state: state, byState: make(map[*ProxyState]*Proxy, len(config.Proxies))}
	now := time.Now()
	for _, pc := range config.Proxies {
		s := state.proxy(pc.Name, now)
		p := &Proxy{ProxyConfig: pc, State: s, pool: pl}
		pl.proxies, pl.byState[s] = append(pl.proxies, p), p
		pl.dearest = max(pl.dearest, Dollars(pc.CostPerGB))
	}
	pl.ranks = rankProxies(pl.proxies)
	// Used before it is adopted, because the servers may start before us.
	for _, p := range pl.proxies {
		identity := p.Identity
		p.State.identity.CompareAndSwap(nil, &identity)
		if p.State.ledger.unfollowed() {
			p.State.ledger.follow(p.terms())
		}
	}
	return pl
}

// terms are what the configuration says of the proxy's money.
func (p *Proxy) terms() *terms {
	return &terms{
		price: Dollars(p.CostPerGB), dearest: p.pool.dearest,
		budget: p.Budget, alert: p.TrafficAlert, where: cmp.Or(p.pool.Location, time.Local),
		tell: func(e BudgetEvent) {
			if p.pool.OnBudget != nil {
				e.Pool, e.Proxy = p.pool.Name, p.Name
				p.pool.OnBudget(e)
			}
		},
	}
}

// Adopt makes the state follow this configuration: prices from now on, and a
// fresh start for each proxy that is reached in another way than before.
func (pl *Pool) Adopt() {
	pl.state.resting.Store(false)
	configured := make(map[string]bool, len(pl.proxies))
	for _, p := range pl.proxies {
		configured[p.Name] = true
		p.State.setAddress(p.Address)
		p.State.ledger.follow(p.terms())
		if !p.State.isIdentity(p.Identity) {
			p.beginAnew()
		}
	}
	pl.state.retire(configured)
}

// State is what the pool shares with other configurations of its name.
func (pl *Pool) State() *State { return pl.state }

// Proxies are the pool's proxies in their places, the unusable ones too.
func (pl *Pool) Proxies() []*Proxy { return pl.proxies }

// Proxy is the proxy of a name, nil where there is none.
func (pl *Pool) Proxy(name string) *Proxy {
	for _, p := range pl.proxies {
		if p.Name == name {
			return p
		}
	}
	return nil
}

func (pl *Pool) wake() {
	if pl.OnDue != nil {
		pl.OnDue()
	}
}

func (pl *Pool) tell(e Event) {
	if pl.OnEvent != nil {
		pl.OnEvent(e)
	}
}

// returnTo lets go of the idle connections through proxies that come after p,
// which just became usable: the next request goes through p again. One
// connection of a metered proxy stays, for its next check.
func (pl *Pool) returnTo(p *Proxy) {
	if !p.usable() {
		return
	}
	now := time.Now().UnixNano()
	pl.state.eachRoute(func(r *Route) {
		other := pl.byState[r.state]
		if other == nil || other.place < p.place || other.rank == p.rank {
			return
		}
		if back := r.target.known(p.State); back != nil && (back.blocked(now) || back.failing.Load()) {
			return // p cannot take over for this target
		}
		leave := 0
		if other.Metered() {
			leave = 1
		}
		r.closeIdle(leave)
	})
}

// Tick does what falls due with time: blocks and damping end, failing routes
// are probed, idle connections are closed. It is called about once a second.
func (pl *Pool) Tick(now time.Time) {
	for _, p := range pl.proxies {
		s := p.State
		s.ledger.look(now)
		s.mu.Lock()
		troubled := len(s.troubled)+len(s.recalled) > 0
		s.mu.Unlock()
		p.heedBudget(now)
		if troubled {
			p.expireBlocks(now)
			p.probeRoutes(now)
		}
		p.releaseHeld(now)
		if pl.Checks.Disabled {
			p.recoverByConnect(now)
		}
	}
	n := now.UnixNano()
	pl.state.eachRoute(func(r *Route) { r.prune(n) })
}

// heedBudget notices that a hard budget was spent, or is not any more. The idle
// connections of a proxy whose budget is spent are not reusable, and go with the
// others that are not.
func (p *Proxy) heedBudget(now time.Time) {
	s := p.State
	spent := s.gateHas(gateSpent)
	if s.wasSpent.Swap(spent) == spent {
		return
	}
	s.mu.Lock()
	p.settle(now, "")
	if !spent {
		p.pool.wake() // checks go on
	}
}

// probeRoutes probes the failing routes of a free proxy whose time has come,
// while somebody still asks for their targets.
func (p *Proxy) probeRoutes(now time.Time) {
	s := p.State
	if p.Metered() || !p.usable() || !p.current() {
		return
	}
	s.mu.Lock()
	var due []*Route
	for r := range s.troubled {
		interested := now.UnixNano()-r.target.asked.Load() < int64(probeInterest)
		if r.failing.Load() && interested && r.target.Scheme != "http" && now.UnixNano() >= r.retryAt.Load() {
			due = append(due, r)
		}
	}
	s.mu.Unlock()
	for _, r := range due {
		r.proving(now, &p.pool.Options)
		wake := make(chan struct{}, 1)
		p.connect(r, &p.pool.Options, wanted{probe: true}, wake).leave(wake)
	}
}

// recoverByConnect takes the place of checks where there are none: a connect to
// the target last asked for tells whether a proxy that is down works again.
func (p *Proxy) recoverByConnect(now time.Time) {
	s := p.State
	t := p.pool.state.lastTarget.Load()
	if t == nil || s.gate.Load() != gateDown || !p.current() || now.UnixNano() < s.nextCheck.Load() {
		return
	}
	if !s.checking.CompareAndSwap(false, true) {
		return
	}
	wake := make(chan struct{}, 1)
	start := time.Now()
	c := p.connect(t.route(p), &p.pool.Options, wanted{probe: true}, wake)
	go func() { // ends with the connect, which ends at its time limit
		defer s.checking.Store(false)
		<-wake
		err := c.failure()
		c.leave(wake)
		result := CheckResult{Start: start, Duration: time.Since(start), OK: err == nil}
		if err != nil {
			result.Reason = failureReason(err)
		}
		p.Checked(result)
	}()
}
