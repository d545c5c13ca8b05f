package pool

import (
	"crypto/tls"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// How many targets a pool remembers, the least recently used go first.
	maxTargets = 1024
	// How many proxies that left the configuration keep their history.
	maxRetired = 4096
)

// State is what is known of a pool: it belongs to the pool's name and outlives
// reloads. Configurations that overlap share it. Safe for concurrent use.
type State struct {
	closed     atomic.Bool
	resting    atomic.Bool // no configuration has the pool
	recalling  atomic.Bool // a store knew of routes in trouble
	lastTarget atomic.Pointer[Target]
	counts     counts
	targets    sync.Map // TargetKey to *Target
	pulse      pulse

	mu        sync.Mutex // guards what follows, and additions to targets
	proxies   map[string]*ProxyState
	forgotten map[string]*ProxyState // not stored since they were let go
	count     int                    // of targets
	running   map[*connect]struct{}
}

// NewState makes the state of a pool that is not known yet.
func NewState() *State {
	return &State{proxies: make(map[string]*ProxyState), running: make(map[*connect]struct{})}
}

// Close lets go of every standing connection, now or when its request is over.
// It ends connects that nobody waits for.
func (s *State) Close() {
	s.closed.Store(true)
	s.mu.Lock()
	running := make([]*connect, 0, len(s.running))
	for c := range s.running {
		running = append(running, c)
	}
	s.mu.Unlock()
	for _, c := range running {
		c.cancelIfUnwanted()
	}
	s.closeIdle()
}

// Rest lets go of every standing connection, now or when its request is over,
// until some configuration adopts the state again.
func (s *State) Rest() {
	s.resting.Store(true)
	s.closeIdle()
}

// keeps reports whether connections are kept for the next request.
func (s *State) keeps() bool { return !s.closed.Load() && !s.resting.Load() }

func (s *State) closeIdle() { s.eachRoute(func(r *Route) { r.closeIdle(0) }) }

// proxy is the state that belongs to a name, made where there was none.
func (s *State) proxy(name string, now time.Time) *ProxyState {
	s.mu.Lock()
	defer s.mu.Unlock()
	ps, ok := s.proxies[name]
	if ok {
		return ps
	}
	if ps, ok = s.forgotten[name]; ok {
		delete(s.forgotten, name) // its history is not in the store yet
	} else {
		ps = newProxyState(now)
	}
	s.proxies[name] = ps
	return ps
}

// retire closes the connections of proxies that left the configuration, and
// forgets the history of some once there are too many of them.
func (s *State) retire(configured map[string]bool) {
	s.mu.Lock()
	retired := make(map[*ProxyState]bool)
	var forgotten []*ProxyState
	excess := len(s.proxies) - len(configured) - maxRetired
	for name, ps := range s.proxies {
		switch {
		case configured[name]:
		case excess > 0:
			ps.identity.Store(nil) // nothing that still runs over it is kept
			delete(s.proxies, name)
			if s.forgotten == nil {
				s.forgotten = make(map[string]*ProxyState)
			}
			s.forgotten[name] = ps
			forgotten = append(forgotten, ps)
			excess--
		default:
			retired[ps] = true
		}
	}
	known := make(map[*ProxyState]bool, len(s.proxies))
	for _, ps := range s.proxies {
		known[ps] = true
	}
	s.mu.Unlock()
	if len(retired)+len(forgotten) == 0 {
		return
	}
	for _, ps := range forgotten {
		ps.mu.Lock()
		clear(ps.troubled) // their routes go
		ps.mu.Unlock()
	}
	s.eachRoute(func(r *Route) {
		if !known[r.state] {
			r.target.routes.Delete(r.state)
		}
		if retired[r.state] || !known[r.state] {
			r.closeIdle(0)
		}
	})
}

// Target is the target of a key, made where it was not known. One that was
// evicted meanwhile is found anew by asking again.
func (s *State) Target(key TargetKey, config func() *tls.Config) *Target {
	if t, ok := s.targets.Load(key); ok {
		return t.(*Target)
	}
	s.mu.Lock()
	if t, ok := s.targets.Load(key); ok {
		s.mu.Unlock()
		return t.(*Target)
	}
	t := &Target{Scheme: key.Scheme, Addr: key.Addr, key: key, state: s}
	if key.Scheme == "https" && config != nil {
		t.TLS = config()
	}
	t.used.Store(time.Now().UnixNano())
	var forgotten *Target
	if s.count >= maxTargets {
		forgotten = s.evict()
	}
	s.targets.Store(key, t)
	s.count++
	s.mu.Unlock()
	if forgotten != nil {
		forgotten.eachRoute((*Route).forget)
	}
	s.recallFor(t)
	return t
}

// evict takes out the target that was asked for the longest ago, of those that
// clients chose where there are any; the caller holds the lock.
func (s *State) evict() *Target {
	var oldest *Target
	s.targets.Range(func(_, v any) bool {
		t := v.(*Target)
		switch {
		case oldest == nil, t.foreign() && !oldest.foreign(),
			t.foreign() == oldest.foreign() && t.lastUsed() < oldest.lastUsed():
			oldest = t
		}
		return true
	})
	oldest.evicted.Store(true)
	s.targets.Delete(oldest.key)
	s.count--
	return oldest
}

func (s *State) eachRoute(f func(*Route)) {
	s.targets.Range(func(_, v any) bool {
		v.(*Target).eachRoute(f)
		return true
	})
}

func (t *Target) eachRoute(f func(*Route)) {
	t.routes.Range(func(_, v any) bool {
		f(v.(*Route))
		return true
	})
}

// ask notes that somebody wants the target. It writes at most once a second,
// because all requests share the word.
func (t *Target) ask(now time.Time) {
	if n := now.UnixNano(); n-t.asked.Load() > int64(time.Second) {
		t.asked.Store(n)
	}
	if !t.key.Quiet && !t.foreign() && t.state.lastTarget.Load() != t {
		t.state.lastTarget.Store(t)
	}
}

// use keeps the target known for a check's sake, which is no reason to probe
// its routes.
func (t *Target) use(now time.Time) {
	if n := now.UnixNano(); n-t.used.Load() > int64(time.Second) {
		t.used.Store(n)
	}
}

func (t *Target) lastUsed() int64 { return max(t.asked.Load(), t.used.Load()) }

// Evicted reports whether the target was forgotten, so that it must be asked
// for anew.
func (t *Target) Evicted() bool { return t.evicted.Load() }

// route is the route through p, made where there was none.
func (t *Target) route(p *Proxy) *Route { return t.routeOf(p.State) }

func (t *Target) routeOf(s *ProxyState) *Route {
	if r, ok := t.routes.Load(s); ok {
		return r.(*Route)
	}
	r, _ := t.routes.LoadOrStore(s, newRoute(s, t))
	return r.(*Route)
}

// known is the route through p where it was used before, otherwise nil.
func (t *Target) known(s *ProxyState) *Route {
	if r, ok := t.routes.Load(s); ok {
		return r.(*Route)
	}
	return nil
}
