package proxypool

import (
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	// How often tunnels are looked at.
	lookEvery = time.Second
	// How long nothing moves in a tunnel that is at rest: the target spoke last,
	// so that nobody waits for it.
	restAfter = 5 * time.Second
	// How long tunnels go on when the program stops, where nothing is configured:
	// systemd kills a Caddy that takes more than five seconds, as it is packaged.
	graceAtStop = 3 * time.Second
)

// tunnels are all that stand, of all configurations. The zero value is ready.
type tunnels struct {
	carrying sync.WaitGroup // of those in open
	looking  sync.WaitGroup
	ended    chan struct{} // made when looking begins

	mu      sync.Mutex // guards what follows
	open    map[*tunnel]struct{}
	closed  bool // there are to be no new ones
	current *App // the configuration that tunnels were last reviewed for
}

// begin lists a tunnel; one that comes too late is cut.
func (ts *tunnels) begin(t *tunnel) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.current != nil {
		t.review(ts.current, nil) // it may have been on its way through a reload
	}
	if ts.closed {
		t.relay.Cut(errStopped)
		return
	}
	if ts.open == nil {
		ts.open, ts.ended = make(map[*tunnel]struct{}), make(chan struct{})
		ts.looking.Go(ts.look)
	}
	t.listed = true
	ts.open[t] = struct{}{}
	ts.carrying.Add(1)
}

// over reports whether there are to be no new tunnels. Where the program stops,
// servers may take requests until the last tunnel has ended.
func (ts *tunnels) over() bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.closed
}

func (ts *tunnels) end(t *tunnel) {
	if !t.listed {
		return
	}
	ts.mu.Lock()
	delete(ts.open, t)
	ts.mu.Unlock()
	ts.carrying.Done()
}

func (ts *tunnels) list() []*tunnel {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	list := make([]*tunnel, 0, len(ts.open))
	for t := range ts.open {
		list = append(list, t)
	}
	return list
}

// look looks at every tunnel about once a second, until they are closed.
func (ts *tunnels) look() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			for _, t := range ts.list() {
				t.look(now)
			}
		case <-ts.ended:
			return
		}
	}
}

// look learns of the tunnel's target by what moves, and ends the tunnel where it
// is time to.
func (t *tunnel) look(now time.Time) {
	a := t.relay.Activity()
	quiet := now.Sub(a.LastMove)
	switch {
	case a.FromTarget > t.heard:
		t.heard = a.FromTarget
		t.Answered()
	case a.FromTarget == 0 && a.FromClient > 0:
		t.Unanswered(quiet)
	}
	idle, deadline := t.front.idleTimeout(), t.deadline.Load()
	switch {
	case deadline != 0 && now.UnixNano() >= deadline:
		t.relay.Cut(errGrace)
	case idle > 0 && quiet >= idle:
		t.relay.Retire(errIdle)
	case a.FromTarget > 0 && !a.ClientLast && !a.Held && quiet >= restAfter && t.Displaced():
		t.relay.Retire(errCheaper)
	}
}

// reopen lets tunnels begin again.
func (ts *tunnels) reopen() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.closed = false
}

// review ends the tunnels of earlier configurations, and of the one that is gone,
// that the present one does not allow, and gives the others the time that they
// were promised.
func (ts *tunnels) review(present, gone *App) {
	ts.mu.Lock()
	ts.current = present
	ts.mu.Unlock()
	for _, t := range ts.list() {
		t.review(present, gone)
	}
}

func (t *tunnel) review(a, gone *App) {
	switch grace := t.front.TunnelGrace; {
	case t.front.app.number >= a.number && t.front.app != gone:
	case !t.stays(a.fronts):
		t.relay.Cut(errDisallowed)
	case grace != nil && t.deadline.Load() == 0:
		t.endBy(time.Now().Add(time.Duration(*grace)))
	}
}

// endBy is when the tunnel is ended at the latest, which may be now.
func (t *tunnel) endBy(deadline time.Time) {
	t.deadline.Store(deadline.UnixNano())
	if !time.Now().Before(deadline) {
		t.relay.Cut(errGrace)
	}
}

// drain lets no new tunnels begin, gives those that stand the time that they
// have when the program stops, and waits for their end. It may be called
// concurrently.
func (ts *tunnels) drain() {
	ts.mu.Lock()
	ts.closed = true
	ts.mu.Unlock()
	now := time.Now()
	last := now
	for _, t := range ts.list() {
		grace := graceAtStop
		if set := t.front.TunnelGrace; set != nil {
			grace = time.Duration(*set)
		}
		t.endBy(now.Add(grace))
		last = slices.MaxFunc([]time.Time{last, now.Add(grace)}, time.Time.Compare)
	}
	over := make(chan struct{})
	go func() { // ends with the last tunnel, at the latest when they were cut
		ts.carrying.Wait()
		close(over)
	}()
	timer := time.NewTimer(time.Until(last))
	defer timer.Stop()
	select {
	case <-over:
		return
	case <-timer.C:
	}
	for _, t := range ts.list() {
		t.relay.Cut(errStopped)
	}
	<-over
}

// close ends everything. There are no tunnels any more, or they are cut.
func (ts *tunnels) close() {
	ts.mu.Lock()
	ts.closed = true
	ended := ts.ended
	ts.mu.Unlock()
	for _, t := range ts.list() {
		t.relay.Cut(errStopped)
	}
	ts.carrying.Wait()
	if ended != nil {
		close(ended)
	}
	ts.looking.Wait()
}

// shuttingDown is called when the server of the front begins to stop. Where the
// program ends, the server waits for tunnels of HTTP/2 before anybody else is
// told.
func (f *ForwardFront) shuttingDown() {
	if caddy.Exiting() {
		f.app.registry.tunnels.drain()
	}
}

// stays reports whether the configuration allows what the tunnel does: some
// front of it listens where the tunnel's did, takes its client and lets it reach
// its target through the proxy that it goes through.
func (t *tunnel) stays(fronts []*ForwardFront) bool {
	for _, f := range fronts {
		if f.pool.Name == t.front.pool.Name && f.listensLike(t.front) && f.clients.admits(t.client) &&
			f.knows(t) && f.allow.allows(t.host, t.port) && f.pool.has(t.Proxy()) && f.lets(t) {
			return true
		}
	}
	return false
}

// listensLike reports whether both fronts share an address.
func (f *ForwardFront) listensLike(other *ForwardFront) bool {
	return slices.ContainsFunc(f.listen, func(addr string) bool { return slices.Contains(other.listen, addr) })
}

// knows reports whether the tunnel's user could log in as before.
func (f *ForwardFront) knows(t *tunnel) bool {
	if len(f.BasicAuth) == 0 {
		return true
	}
	return slices.ContainsFunc(t.front.BasicAuth, func(l LoginConfig) bool {
		return l.User == t.user && slices.Contains(f.BasicAuth, l)
	})
}

// lets reports whether the front lets clients reach the address that the tunnel
// leads to, where there is no proxy in between.
func (f *ForwardFront) lets(t *tunnel) bool {
	if t.Proxy().URL != "direct" {
		return true
	}
	to := t.Pipe.(*dial.Conn).NetConn().RemoteAddr().String()
	return f.guard.control("tcp", to, nil) == nil
}

// has reports whether the proxy is in the pool, at the address that it had.
func (l *livePool) has(p *pool.Proxy) bool {
	same := l.Proxy(p.Name)
	return same != nil && same.Address == p.Address
}
