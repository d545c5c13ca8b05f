package pool

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Forwarder carries the requests of one front: a pool, with the options in
// force there. Safe for concurrent use.
type Forwarder struct {
	pool *Pool
	opts Options
}

// NewForwarder makes a forwarder over a pool.
func NewForwarder(pl *Pool, opts Options) *Forwarder { return &Forwarder{pool: pl, opts: opts} }

// Forward sends a request to the target through the cheapest proxy that works
// and returns the target's answer. What it did is written to trace.
//
// The request must be for the target: URL.Scheme, URL.Host and Host are the
// caller's to set. Errors are of type [*Error].
func (f *Forwarder) Forward(req *http.Request, t *Target, trace *Trace) (*http.Response, error) {
	x := &exchange{ctx: req.Context(), pool: f.pool, opts: &f.opts, req: req, target: t, trace: trace}
	x.http1 = len(req.Header["Upgrade"]) > 0
	if req.Body != nil && req.Body != http.NoBody && req.ContentLength != 0 {
		x.body = newReplayBody(req.Body, req.ContentLength, f.opts.ReplayBuffer)
	}
	trace.Pool, trace.Target = f.pool.Name, t.Addr
	start := time.Now()
	t.ask(start)
	resp, err := x.run()
	x.settle()
	now := time.Now()
	f.pool.state.pulse.failedOver(now, trace.steps)
	if err != nil {
		failure := x.asError(err)
		trace.Err = failure.Reason
		x.tally(failure.Status, true)
		return nil, failure
	}
	f.pool.state.pulse.answered(now.Sub(start))
	x.tally(resp.StatusCode, false)
	return resp, nil
}

// exchange is one request on its way, from proxy to proxy.
type exchange struct {
	ctx    context.Context // of the client
	pool   *Pool
	opts   *Options
	req    *http.Request // nil where a tunnel is wanted
	target *Target
	trace  *Trace
	body   *replayBody // nil where the request has none
	http1  bool        // an upgrade: not over HTTP/2
	via    string      // see [Dialing]

	tried  places
	count  int    // proxies tried
	repeat *Proxy // once more, on a fresh connection
	stale  places // proxies that were repeated for a stale one
	fault  error  // the last failure, as the client is told it
	wrote  bool   // some of the request may have gone out
	held   []*heldAnswer

	overtaken int // connects that were overdue when a later one stood
}

// attempt is one try of a request through one proxy.
type attempt struct {
	*exchange
	proxy *Proxy
	route *Route
	conn  *standing
	fresh bool // the connection has carried no answer yet
	start time.Time

	proxyMade bool // the answer is the proxy's own
}

// run is the path of a request. Each turn is one attempt: get a connection
// through the cheapest proxy that stands, send, and judge what came of it.
func (x *exchange) run() (*http.Response, error) {
	for {
		a, err := x.reach()
		if err != nil {
			return x.giveUp(err)
		}
		resp, err := a.send()
		if err == nil {
			err = a.judge(resp)
		}
		if err == nil {
			x.blockHeld()
			return resp, nil
		}
		if !x.mayRepeat(err) {
			return x.giveUp(err)
		}
	}
}

// reach returns an attempt on a connection that stands: a kept one, or the
// first to stand of connects that race. Only connects race, never requests.
func (x *exchange) reach() (*attempt, error) {
	var r race
	defer r.leave(x)
	for {
		if r.due(x) {
			p := x.next()
			switch {
			case p == nil && len(r.running) == 0:
				return nil, x.noneLeft()
			case p == nil:
				r.exhausted = true
			default:
				route := x.target.route(p)
				if conn := x.kept(p, route); conn != nil {
					x.overtaken += len(r.running)
					return x.begin(p, route, conn), nil
				}
				r.start(x, p, route)
			}
		}
		if p, conn := r.won(x); conn != nil {
			return x.begin(p, conn.route, conn), nil
		}
		if err := r.wait(x); err != nil {
			return nil, err
		}
	}
}

// kept claims a standing connection, but not where the last one proved stale.
func (x *exchange) kept(p *Proxy, route *Route) *standing {
	if x.repeat == p {
		x.repeat = nil
		return nil
	}
	return route.take(x.http1, time.Now().UnixNano())
}

func (x *exchange) begin(p *Proxy, route *Route, conn *standing) *attempt {
	x.trace.Proxy = p.Name
	x.trace.carrier = conn
	return &attempt{exchange: x, proxy: p, route: route, conn: conn, fresh: !conn.used.Load(), start: time.Now()}
}

// next is the proxy to try next, nil where there is none. It passes over
// proxies with an overdue connect, because this request would only wait in
// line behind it, unless all others are worse.
func (x *exchange) next() *Proxy {
	if x.repeat != nil && !x.repeat.State.gateHas(gateSpent) {
		return x.repeat
	}
	x.repeat = nil
	if x.opts.MaxTries > 0 && x.count >= x.opts.MaxTries {
		return nil
	}
	began := time.Now()
	now := began.UnixNano()
	p := x.pool.choose(x.target, &x.tried, now)
	if p == nil && x.count == 0 {
		p = x.pool.chooseUnproved(x.target, &x.tried, now)
	}
	if p == nil {
		return nil
	}
	if x.pending(p, now) > 0 {
		p = x.passOverdue(p, now)
	}
	x.tried.add(p.place)
	x.count++
	if r := x.target.known(p.State); r != nil && r.failing.Load() {
		r.proving(began, x.opts)
	}
	if x.pool.Order == OrderRoundRobin {
		p.rank.took(p)
	}
	return p
}

func (x *exchange) passOverdue(first *Proxy, now int64) *Proxy {
	seen := x.tried.clone()
	for p := first; ; {
		seen.add(p.place)
		following := x.pool.choose(x.target, &seen, now)
		delay, never := x.hedgeDelay(p, following)
		switch {
		case never || x.pending(p, now) <= delay:
			return p
		case following == nil:
			return first
		}
		p = following
	}
}

// pending is for how long a connect has been under way that this request would
// wait for as well; 0 where it would not.
func (x *exchange) pending(p *Proxy, now int64) time.Duration {
	waited := p.State.unready.since(now)
	r := x.target.known(p.State)
	if r != nil {
		waited = max(waited, r.pending.since(now))
	}
	if waited > 0 && r != nil && !r.suspect.Load() && r.standing() {
		return 0
	}
	return waited
}

// send sends the request on the attempt's connection, watched for silence.
func (a *attempt) send() (*http.Response, error) {
	out, interrupt := a.outgoing()
	w := a.watch(interrupt)
	resp, err := a.conn.RoundTrip(out)
	if interrupted := w.stop(); interrupted != nil {
		if err == nil {
			_ = resp.Body.Close()
		}
		return nil, a.failed(interrupted)
	}
	if err != nil {
		if a.conn.Multiplexed() {
			interrupt(err) // frees what the cancelling needs
		}
		return nil, a.failed(err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols && !a.askedFor(resp) {
		_ = resp.Body.Close()
		return nil, a.failed(errUnasked)
	}
	took := time.Since(w.quietSince())
	a.route.answerTime.observe(took)
	a.proxy.State.counts.answers.observe(took)
	a.conn.used.Store(true)
	a.proxyMade = a.conn.ProxyMade(resp)
	a.adopt(resp, interrupt)
	return resp, nil
}

// askedFor reports whether the protocol that the target switched to is the one
// that was asked for. Otherwise nobody would ever close the connection.
func (a *attempt) askedFor(resp *http.Response) bool {
	return a.http1 && strings.EqualFold(resp.Header.Get("Upgrade"), a.req.Header.Get("Upgrade"))
}

// outgoing is the request as this attempt sends it, and what interrupts it. A
// connection that carries one request is closed; on one that carries many the
// request alone is cancelled.
func (a *attempt) outgoing() (*http.Request, context.CancelCauseFunc) {
	out := a.req
	interrupt := func(error) { _ = a.conn.Close() }
	switch {
	case a.conn.Multiplexed():
		var ctx context.Context
		ctx, interrupt = context.WithCancelCause(a.req.Context())
		out = a.req.WithContext(ctx)
	case a.body != nil:
		shallow := *a.req
		out = &shallow
	}
	if a.body != nil {
		out.Body = a.body.view()
	}
	return out, interrupt
}

// failed says what went wrong with a send, and whose failure it is.
func (a *attempt) failed(err error) error {
	a.wrote = a.wrote || !unsent(err)
	if a.proxy.State.overdrawn() {
		err = cutOff(err)
	}
	reason := failureReason(err)
	a.trace.tally(a.conn)
	if !a.conn.Multiplexed() || !a.conn.Alive() || errors.Is(err, errSilent) || errors.Is(err, errUnheard) {
		a.conn.discard()
	} else {
		a.conn.keepOrClose() // only this request was cut off
	}
	switch {
	case a.req.Context().Err() != nil:
		a.step(a.proxy, reasonClientGone)
		return a.clientGone(a.req.Context().Err())
	case a.body != nil && a.body.failure() != nil:
		a.step(a.proxy, reasonClientGone)
		return a.clientGone(a.body.failure())
	case isBadRequest(err):
		a.step(a.proxy, reason)
	case a.isStale(err) || errors.Is(err, errUnheard):
		a.step(a.proxy, reasonStale)
		a.repeat = a.proxy
		a.stale.add(a.proxy.place) // once: others may use up the fresh one, too
	case errors.Is(err, errOverdrawn):
		a.route.countAttempt(OutcomeCutOff)
		a.step(a.proxy, reason)
	case errors.Is(err, errTargetSlow):
		a.route.countAttempt(OutcomeTimeout)
		a.step(a.proxy, reason)
	default:
		a.route.countAttempt(OutcomeRouteFailed)
		a.step(a.proxy, reason)
		a.proxy.blameRoute(a.route, a.start, reason)
	}
	a.fault = err
	return err
}

// isStale reports whether a kept connection had been closed by the other side
// while it was idle: it broke about as soon as it was used.
func (a *attempt) isStale(err error) bool {
	reason := failureReason(err)
	return !a.fresh && !a.stale.has(a.proxy.place) && (reason == reasonReset || reason == reasonConnClosed) &&
		time.Since(a.start) < autoHedge(a.proxy.State.connectTime.value())
}

// judge looks at an answer: the target's own goes to the client, the proxy's
// and one that a block rule recognises lead to the next proxy.
func (a *attempt) judge(resp *http.Response) error {
	if a.proxyMade {
		return a.proxyAnswered(resp)
	}
	if !a.target.key.Quiet {
		a.proxy.succeeded(time.Now())
		if err := a.holdIfBlocked(resp); err != nil {
			a.route.countAttempt(OutcomeBlocked)
			a.step(a.proxy, reasonBlocked)
			return err
		}
	}
	if err := a.readShort(resp); err != nil {
		return err
	}
	a.route.countAttempt(OutcomeOK)
	a.step(a.proxy, reasonOK)
	return nil
}

// mayRepeat reports whether the request may be sent again after err: nothing of
// it was written, or it is safe to repeat, and all of its body is at hand.
func (x *exchange) mayRepeat(err error) bool {
	if x.body != nil && !x.body.rewind() {
		return false
	}
	switch {
	case errors.Is(err, errClientGone), errors.Is(err, errTargetSlow), isBadRequest(err):
		return false
	case errors.Is(err, errBlocked), unsent(err):
		return true
	default:
		return idempotent(x.req) || x.opts.RetryUnsafe
	}
}

// giveUp is the end without an answer that was accepted. An answer that was
// held because it matched a block rule is the target's own after all.
func (x *exchange) giveUp(err error) (*http.Response, error) {
	if n := len(x.held); n > 0 && !errors.Is(err, errClientGone) {
		last := x.held[n-1]
		x.held = x.held[:n-1]
		x.trace.Proxy = last.proxy.Name
		return last.resp, nil
	}
	return nil, err
}

// settle lets go of what was only needed to try again.
func (x *exchange) settle() {
	for _, h := range x.held {
		drop(h.resp)
	}
	x.held = nil
	if x.body != nil {
		x.body.settle()
	}
}
