package pool

import (
	"context"
	"sync/atomic"
	"time"
)

// watch looks after a request on a standing connection until its answer begins.
// Where the answer takes much longer than usual, a probe tells a dead route
// from a slow target. It runs on one timer, which most answers stop unfired.
type watch struct {
	a         *attempt
	interrupt context.CancelCauseFunc
	timer     *time.Timer
	state     atomic.Int32
	cause     error // why it was interrupted; set before state is

	tried  places        // by the request so far; it goes on while we look
	left   bool          // it may try another proxy
	again  bool          // it may try the same one on a fresh connection
	next   time.Duration // of quiet, until the next probe
	probed time.Time     // when the last one was over
	stood  bool          // it found the route alive
	dead   bool          // it did not, and this request can only wait on
}

const (
	watching int32 = iota
	answered
	interrupted
)

// watch starts watching the attempt, whose request is about to be sent.
func (a *attempt) watch(interrupt context.CancelCauseFunc) *watch {
	w := &watch{a: a, interrupt: interrupt, tried: a.tried.clone(), left: a.triesLeft(), next: a.route.silence()}
	w.again = !a.stale.has(a.proxy.place)
	w.timer = time.AfterFunc(time.Hour, w.fire)
	w.timer.Reset(w.untilDue(time.Now())) // after w.timer is set, which fire needs
	return w
}

// stop ends the watching; it returns why the request was interrupted, if it was.
func (w *watch) stop() error {
	w.timer.Stop()
	if w.state.CompareAndSwap(watching, answered) {
		return nil
	}
	return w.cause
}

// quietSince is when the request was sent, or its body last moved.
func (w *watch) quietSince() time.Time {
	if b := w.a.body; b != nil {
		return time.Unix(0, b.moved.Load())
	}
	return w.a.start
}

// quiet is for how long nothing has moved. A slow client is no silence.
func (w *watch) quiet(now time.Time) time.Duration {
	if b := w.a.body; b != nil && b.waiting.Load() {
		return 0
	}
	return now.Sub(w.quietSince())
}

// untilDue is the time to whatever is due first.
func (w *watch) untilDue(now time.Time) time.Duration {
	quiet := w.quiet(now)
	left := w.next - quiet
	if limit := w.a.opts.ResponseTimeout; limit > 0 && (w.dead || limit-quiet < left) {
		left = limit - quiet
	} else if w.dead {
		left = time.Hour // only the client ends it
	}
	return max(left, 10*time.Millisecond)
}

// fire looks whether something is due, does it, and comes back later.
func (w *watch) fire() {
	now := time.Now()
	quiet := w.quiet(now)
	limit := w.a.opts.ResponseTimeout
	switch {
	case w.state.Load() != watching:
		return
	case limit > 0 && quiet >= limit:
		w.end(w.timedOut())
		return
	case quiet >= w.next && !w.dead:
		w.probe()
	}
	if w.state.Load() == watching {
		w.timer.Reset(w.untilDue(time.Now()))
	}
}

// timedOut is the target's fault where the route is known to be alive.
func (w *watch) timedOut() error {
	if w.stood {
		return errTargetSlow
	}
	return errNoAnswer
}

// probe asks whether the route still stands. Where it does not, a request that
// is safe to repeat moves on to the next proxy, if there is one.
func (w *watch) probe() {
	a := w.a
	w.next *= 2
	if a.proxy.State.gateHas(gateSpent) {
		return // no more is spent on finding out
	}
	since := w.quietSince()
	if w.probed.After(since) {
		since = w.probed
	}
	w.stood = a.route.stands(a, since, w.probeTime())
	w.probed = time.Now()
	switch {
	case w.state.Load() != watching || a.proxy.State.overdrawn():
		return // one that was cut off tells nothing
	case w.stood && a.conn.Unheard():
		w.unheard()
		return
	case w.stood:
		return
	}
	a.proxy.blameRoute(a.route, a.start, reasonSilent)
	if a.safeToRepeat() && w.left && w.following() != nil {
		w.end(errSilent)
		return
	}
	w.dead = true
}

// unheard is what follows where the route stands and this connection is dead, as
// after something on the way, a translator of addresses say, has forgotten it. It
// will have forgotten others as well. That is nobody's failure, and what is safe
// to repeat goes on over a fresh one.
func (w *watch) unheard() {
	w.a.route.letGo(w.a.start)
	if w.a.safeToRepeat() && w.again {
		w.end(errUnheard)
	}
}

func (w *watch) end(cause error) {
	w.cause = cause
	if w.state.CompareAndSwap(watching, interrupted) {
		w.interrupt(cause)
	}
}

// probe is one test of a route, for all whose requests wait on it.
type probe struct {
	began time.Time
	done  chan struct{}
	stood bool
}

// tells reports whether the probe has, or will have, something to tell to a
// request that is quiet since then.
func (p *probe) tells(since time.Time) bool {
	select {
	case <-p.done:
		return p.began.After(since)
	default:
		return true
	}
}

// stands reports whether the route is alive. One probe is made for all who ask
// while it is under way, or whose request was quiet already when it began.
func (r *Route) stands(a *attempt, since time.Time, limit time.Duration) bool {
	r.mu.Lock()
	if p := r.probe; p != nil && p.tells(since) {
		r.mu.Unlock()
		<-p.done
		return p.stood
	}
	p := &probe{began: time.Now(), done: make(chan struct{})}
	r.probe = p
	r.mu.Unlock()

	r.suspect.Store(true)
	p.stood = a.test(limit)
	r.suspect.Store(false)
	if !p.stood {
		r.closeIdle(0)
	}
	close(p.done)
	return p.stood
}

// test makes the probe: a PING on a connection that carries many requests,
// otherwise another connection, which is kept for the next request.
func (a *attempt) test(limit time.Duration) bool {
	if a.conn.Multiplexed() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return a.conn.Ping(ctx) == nil
	}
	wake := make(chan struct{}, 1)
	c := a.proxy.connect(a.route, a.opts, wanted{http1: a.http1, probe: true}, wake)
	defer c.leave(wake)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-wake:
		return c.failure() == nil
	case <-timer.C:
		return false
	}
}

// probeTime is how long a probe may take: as long as a hedge waits, or as a
// connect may take where there is no hedging.
func (w *watch) probeTime() time.Duration {
	delay, never := w.a.hedgeDelay(w.a.proxy, w.following())
	if never {
		return w.a.opts.ConnectTimeout
	}
	return max(delay, minAutoHedge)
}

// following is the proxy that the request would try next, nil for none.
func (w *watch) following() *Proxy {
	return w.a.pool.choose(w.a.target, &w.tried, time.Now().UnixNano())
}

// safeToRepeat reports whether the request could be sent again although it was
// sent: it may be, and all of its body is at hand.
func (x *exchange) safeToRepeat() bool {
	return (idempotent(x.req) || x.opts.RetryUnsafe) && (x.body == nil || !x.body.over.Load())
}
