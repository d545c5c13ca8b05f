package pool

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	minAutoHedge     = 250 * time.Millisecond
	maxAutoHedge     = 2 * time.Second
	unknownAutoHedge = time.Second
)

// connect is one connection in the making, through one proxy. It runs on when
// the request that started it got another one, to its end or its time limit:
// its failure counts, and its connection is kept where the proxy is free.
type connect struct {
	proxy *Proxy
	route *Route
	start time.Time
	wanted
	keep   time.Duration
	cancel context.CancelFunc

	pending, unready flight // of the route, and of the proxy

	mu      sync.Mutex
	waiters []chan<- struct{}
	over    bool
	claimed bool      // somebody has taken conn
	conn    *standing // for those who wait
	err     error
}

// wanted says what connection is wanted.
type wanted struct {
	http1 bool
	probe bool   // made to learn whether the route works
	via   string // see [Dialing]
}

var (
	errUnclaimed error = &plainError{reason: reasonConnClosed} // ended before it was used
	errTaken           = errors.New("others have taken all of the connection")
)

// connect starts a connection over the route, or joins one that is under way
// where the target is known to take many requests on one. wake is told when it
// is over; it must have room for one.
func (p *Proxy) connect(r *Route, o *Options, want wanted, wake chan<- struct{}) *connect {
	joinable := !want.http1 && !want.probe && r.target.h2.Load()
	if joinable {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.joined != nil && r.joined.join(wake) {
			return r.joined
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.ConnectTimeout)
	c := &connect{
		proxy: p, route: r, start: time.Now(), wanted: want, keep: o.Keepalive,
		cancel: cancel, waiters: []chan<- struct{}{wake},
	}
	if r.target.tunnelled() {
		c.keep = 0 // a tunnel is one client's
	}
	if joinable {
		r.joined = c
	}
	c.pending.probe = want.probe
	r.pending.add(&c.pending, c.start)
	if !r.target.key.Quiet {
		p.State.unready.add(&c.unready, c.start)
	}
	p.pool.state.run(c)
	go c.run(ctx)
	return c
}

func (c *connect) run(ctx context.Context) {
	p, r := c.proxy, c.route
	raw, err := p.dial(ctx, Dialing{
		Target: r.target, HTTP1: c.http1, Probe: c.probe, Whole: c.probe && !p.Metered(), Via: c.via, Account: r.account,
		Ready: func() { p.State.unready.stood(&c.unready) },
	})
	c.cancel()
	p.State.unready.remove(&c.unready)
	if err == nil {
		r.pending.stood(&c.pending)
	} else {
		r.pending.remove(&c.pending)
	}
	p.pool.state.ended(c)
	var conn *standing
	if err == nil {
		conn = c.stood(raw)
	}
	switch {
	case err == nil:
	case p.State.overdrawn():
		err = cutOff(err)
	default:
		if !c.probe && !errors.Is(err, context.Canceled) && !isForbidden(err) {
			r.countAttempt(c.outcome(err))
		}
		p.blameConnect(c, err)
	}
	c.finish(conn, err)
}

// stood makes a connection of the route of one that just came to stand.
func (c *connect) stood(raw Conn) *standing {
	p, r, now := c.proxy, c.route, time.Now()
	if p.current() {
		p.State.usualConnect(r.target).observe(now.Sub(c.start))
		p.State.counts.connects.observe(now.Sub(c.start))
		if p.pool.Checks.Disabled && !r.target.key.Quiet {
			p.State.ledger.timed(r.target.Addr, now.Sub(c.start), now)
		}
		// To an http target only the proxy was dialled, which proves neither that
		// it works nor that the target can be reached. A tunnel that is no probe
		// has yet to show that the target says anything.
		if r.target.Scheme != "http" && !r.target.key.Quiet {
			p.State.failures.Store(0)
			if r.failing.Load() && (c.probe || !r.target.tunnelled()) {
				p.routeSucceeded(r)
			}
		}
		p.State.touch()
	}
	conn := &standing{Conn: raw, route: r, identity: p.Identity, keep: c.keep}
	conn.born.Store(now.UnixNano())
	if !c.http1 {
		r.target.h2.Store(raw.Multiplexed())
	}
	if raw.Multiplexed() {
		conn.idleFrom.Store(now.UnixNano())
		r.share(conn)
	}
	return conn
}

// finish hands the result to those who wait.
func (c *connect) finish(conn *standing, err error) {
	c.route.mu.Lock()
	if c.route.joined == c {
		c.route.joined = nil
	}
	c.route.mu.Unlock()

	c.mu.Lock()
	c.over, c.err = true, err
	wanted := len(c.waiters) > 0
	if conn != nil && wanted {
		c.conn = conn
	}
	for _, w := range c.waiters {
		notify(w)
	}
	c.mu.Unlock()
	if conn != nil && !wanted {
		c.keepUnwanted(conn)
	}
}

// join adds somebody who waits, unless it is over.
func (c *connect) join(wake chan<- struct{}) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.waiters = append(c.waiters, wake)
	return true
}

// result is what came of it; over is false while it is under way. The
// connection is reserved for its caller; it is errTaken where the others who
// waited left no place on it, as one of HTTP/1.1 is given out once.
func (c *connect) result() (conn *standing, over bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		if c.claimed {
			return nil, true, errTaken
		}
		return nil, c.over, c.err
	}
	if c.proxy.Spent() {
		return nil, true, errOverdrawn // meanwhile: it carries nothing new
	}
	conn, c.claimed = c.conn, true
	if !conn.Multiplexed() {
		c.conn = nil
	}
	switch {
	case conn.Reserve():
		conn.idleFrom.Store(0)
		return conn, true, nil
	case conn.Alive() && conn.InFlight() > 0:
		return nil, true, errTaken
	default:
		return nil, true, errUnclaimed
	}
}

// failure is why it failed, nil where it stands or is under way.
func (c *connect) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// leave is said by a waiter who got another connection or gave up.
func (c *connect) leave(wake chan<- struct{}) {
	c.mu.Lock()
	c.waiters = slices.DeleteFunc(c.waiters, func(w chan<- struct{}) bool { return w == wake })
	var unwanted *standing
	if len(c.waiters) == 0 && !c.claimed {
		unwanted, c.conn = c.conn, nil
	}
	c.mu.Unlock()
	if unwanted != nil {
		c.keepUnwanted(unwanted)
	}
	if c.proxy.pool.state.closed.Load() {
		c.cancelIfUnwanted()
	}
}

// keepUnwanted keeps a connection that nobody waits for any more: that of a
// free proxy, and one that a probe made, for the next request. A metered one
// that lost a race would cost money for nothing.
func (c *connect) keepUnwanted(conn *standing) {
	if c.proxy.Metered() && !c.probe {
		conn.discard()
		return
	}
	conn.keepOrClose()
}

func (c *connect) cancelIfUnwanted() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiters) == 0 {
		c.cancel()
	}
}

func notify(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default: // it knows already
	}
}

func (s *State) run(c *connect) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[c] = struct{}{}
}

func (s *State) ended(c *connect) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, c)
}

// hedgeDelay is how long a connect through p may take until that of next is
// started; forever is true where it never is.
func (x *exchange) hedgeDelay(p, next *Proxy) (delay time.Duration, forever bool) {
	delay = x.opts.HedgeDelay
	if next != nil && next.CostPerGB > p.CostPerGB {
		delay = x.opts.HedgeMeteredDelay
	}
	switch delay {
	case Off:
		return 0, true
	case Auto:
		return autoHedge(p.State.usualConnect(x.target).value()), false
	default:
		return delay, false
	}
}

func autoHedge(usual time.Duration) time.Duration {
	if usual == 0 {
		return unknownAutoHedge
	}
	return min(max(2*usual, minAutoHedge), maxAutoHedge)
}
