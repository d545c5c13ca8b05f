package pool

import (
	"errors"
	"time"
)

// race is the connects of one request that are under way. The next proxy's
// starts when the youngest is overdue, or failed; the first to stand wins.
type race struct {
	running   []*connect
	wake      chan struct{}
	timer     *time.Timer
	exhausted bool // there is no further proxy
}

// due reports whether it is time for the next proxy.
func (r *race) due(x *exchange) bool {
	if len(r.running) == 0 || x.repeat != nil {
		return true
	}
	left, never := r.untilNext(x)
	return !never && left <= 0
}

// untilNext is how long to wait until the next proxy's connect starts.
func (r *race) untilNext(x *exchange) (left time.Duration, never bool) {
	if r.exhausted || !x.triesLeft() {
		return 0, true
	}
	now := time.Now()
	following := x.pool.choose(x.target, &x.tried, now.UnixNano())
	if following == nil {
		return 0, true
	}
	youngest := r.running[len(r.running)-1]
	delay, never := x.hedgeDelay(youngest.proxy, following)
	return youngest.start.Add(delay).Sub(now), never
}

func (r *race) start(x *exchange, p *Proxy, route *Route) {
	if r.wake == nil {
		r.wake = make(chan struct{}, 1)
	}
	if len(r.running) > 0 {
		x.trace.Hedges++
	}
	r.running = append(r.running, p.connect(route, x.opts, wanted{http1: x.http1, via: x.via}, r.wake))
}

// won takes the connection of the first connect that stands. Those that failed
// leave the race.
func (r *race) won(x *exchange) (*Proxy, *standing) {
	for i := 0; i < len(r.running); i++ {
		c := r.running[i]
		conn, over, err := c.result()
		if !over {
			continue
		}
		r.running = append(r.running[:i], r.running[i+1:]...)
		i--
		if conn != nil {
			x.trace.Connect = time.Since(c.start)
			x.overtaken += i + 1 // those that started before it and still run
			return c.proxy, conn
		}
		r.exhausted = false
		switch {
		case errors.Is(err, errTaken):
			x.repeat = c.proxy
			continue
		case errors.Is(err, errOverdrawn):
			c.leave(r.wake) // it may stand all the same
		case errors.Is(err, errUnclaimed):
			c.route.countAttempt(OutcomeRouteFailed)
			c.proxy.blameRoute(c.route, c.start, failureReason(err))
		}
		x.connectFailed(c, err)
	}
	return nil, nil
}

// wait waits for whatever comes first: a connect's end, the time for the next
// one, or the client's going away.
func (r *race) wait(x *exchange) error {
	if len(r.running) == 0 {
		return nil
	}
	var overdue <-chan time.Time
	if left, never := r.untilNext(x); !never {
		if left <= 0 {
			return nil
		}
		if r.timer == nil {
			r.timer = time.NewTimer(left)
		} else {
			r.timer.Reset(left)
		}
		overdue = r.timer.C
	}
	select {
	case <-r.wake:
		return nil
	case <-overdue:
		return nil
	case <-x.ctx.Done():
		return x.clientGone(x.ctx.Err())
	}
}

// leave lets the connects that did not win run on by themselves.
func (r *race) leave(x *exchange) {
	if r.timer != nil {
		r.timer.Stop()
	}
	outcome := reasonOverdue
	if errors.Is(x.fault, errClientGone) {
		outcome = reasonClientGone
	}
	for _, c := range r.running {
		x.step(c.proxy, outcome)
		c.leave(r.wake)
	}
}

// connectFailed notes a connect of this request that came to nothing.
func (x *exchange) connectFailed(c *connect, err error) {
	x.step(c.proxy, failureReason(err))
	x.fault = err
}

func (x *exchange) triesLeft() bool {
	return x.opts.MaxTries == 0 || x.count < x.opts.MaxTries
}
