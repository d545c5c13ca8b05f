package pool

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// SchemeTunnel is the scheme of a target that is reached by a tunnel, whose
// bytes are the client's own. What is known of its routes is its own, too: TLS
// that fails for us may well succeed for the client, which trusts others.
const SchemeTunnel = "tunnel"

// Pipe carries bytes to a target and back, through one proxy. Its methods may be
// called concurrently.
type Pipe interface {
	io.ReadWriteCloser
	CloseWrite() error      // nothing more will be written
	Bytes() (in, out int64) // that crossed the connection to the proxy so far
}

// Tunnel is a pipe to a target that stands, through the proxy that it names.
// Its methods may be called concurrently, but for [Tunnel.End].
type Tunnel struct {
	Pipe
	Trace Trace // the story so far; complete after End

	proxy    *Proxy
	route    *Route
	conn     *standing
	start    time.Time
	answered atomic.Bool
	silent   atomic.Bool
}

// Tunnel opens a tunnel to the target through the cheapest proxy through which
// it stands. via is what [Dialing] has of it. What was tried is written to trace,
// which the tunnel takes a copy of. Errors are of type [*Error].
func (f *Forwarder) Tunnel(ctx context.Context, t *Target, via string, trace *Trace) (*Tunnel, error) {
	x := &exchange{ctx: ctx, pool: f.pool, opts: &f.opts, target: t, via: via, trace: trace}
	trace.Pool, trace.Target = f.pool.Name, t.Addr
	t.ask(time.Now())
	defer func() { f.pool.state.pulse.failedOver(time.Now(), trace.steps) }()
	a, err := x.reach()
	if err != nil {
		failure := x.asError(err)
		trace.Err = failure.Reason
		x.tally(failure.Status, true)
		return nil, failure
	}
	a.step(a.proxy, reasonOK)
	a.route.countAttempt(OutcomeOK)
	x.tally(http.StatusOK, false)
	f.pool.state.lastTarget.Store(t) // one that can be reached
	return &Tunnel{
		Pipe: a.conn.Conn.(*tunnelConn).Pipe, Trace: *trace,
		proxy: a.proxy, route: a.route, conn: a.conn, start: a.start,
	}, nil
}

// Proxy is the proxy that the tunnel goes through.
func (t *Tunnel) Proxy() *Proxy { return t.proxy }

// Answered notes that bytes came from the target. It is for the first ones, and
// from time to time for more: that the route works is only believed after a
// while, because some networks break connections at their first bytes.
func (t *Tunnel) Answered() {
	now := time.Now()
	t.proxy.succeeded(now)
	if t.answered.Swap(true) && now.Sub(t.start) >= maxSilence {
		t.proxy.routeSucceeded(t.route)
	}
}

// Unanswered notes that nothing has come from the target for so long after the
// client's first bytes. Where that is too long the route is probed, so that others
// go another way; the tunnel itself stays.
func (t *Tunnel) Unanswered(since time.Duration) {
	if since < maxSilence || t.answered.Load() || t.silent.Swap(true) {
		return
	}
	t.route.broke()
	t.proxy.suspectRoute(t.route)
}

// Displaced reports whether a tunnel that is at rest had better be closed, so
// that its client's next one goes another way: its proxy was disabled, or is
// metered although a cheaper one would carry a new tunnel now.
func (t *Tunnel) Displaced() bool {
	switch {
	case t.proxy.State.gateHas(gateDisabled):
		return true
	case !t.proxy.Metered():
		return false
	}
	pl := t.proxy.pool
	best := pl.choose(t.route.target, new(places), time.Now().UnixNano())
	return best != nil && best.CostPerGB < t.proxy.CostPerGB && best.State.failures.Load() == 0
}

// SharesBlocks makes the proxies that another target has blocked unusable for
// this one, too: it is the same API.
func (t *Target) SharesBlocks(kin *Target) {
	if t.kin.Load() != kin {
		t.kin.Store(kin)
	}
}

func (t *Target) blockedKin(s *ProxyState, now int64) bool {
	kin := t.kin.Load()
	if kin == nil {
		return false
	}
	r := kin.known(s)
	return r != nil && r.blocked(now)
}

// Guard is what the target's key says.
func (t *Target) Guard() string { return t.key.Guard }

func (t *Target) tunnelled() bool { return t.Scheme == SchemeTunnel }

// usualConnect is how long it usually takes to reach such a target.
func (s *ProxyState) usualConnect(t *Target) *median {
	if t.tunnelled() {
		return &s.tunnelTime
	}
	return &s.connectTime
}
