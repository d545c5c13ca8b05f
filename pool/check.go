package pool

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// maxCheckBody is how much of a check's answer is read to have the connection
// back. More would be paid for, and tells nothing.
const maxCheckBody = 4 << 10

// Visit makes one request to a target through the proxy, for a health check: on
// a connection of its own, but for a metered proxy on a standing one where
// there is one, because handshakes are most of what a check costs. It returns
// the answer's status, and blames nobody.
func (p *Proxy) Visit(ctx context.Context, t *Target, req *http.Request) (status int, err error) {
	t.use(time.Now())
	if p.Metered() {
		if conn := t.route(p).take(false, time.Now().UnixNano()); conn != nil {
			// That it was closed while idle, or is dead, says nothing of the
			// proxy yet; half of the time is left for a fresh one.
			half, cancel := halfOf(ctx)
			defer cancel()
			if status, err = conn.visit(half, req, true); err == nil {
				return status, nil
			}
		}
	}
	conn, err := p.visiting(ctx, t)
	if err != nil {
		return 0, err
	}
	return conn.visit(ctx, req, p.Metered())
}

// halfOf ends when half of the time of ctx has passed.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

// visit asks on a connection that is reserved for it, and keeps it afterwards
// where that is wanted.
func (c *standing) visit(ctx context.Context, req *http.Request, keep bool) (status int, err error) {
	resp, err := c.RoundTrip(req.WithContext(ctx))
	if err != nil {
		c.endUnread()
		return 0, err
	}
	_, readErr := io.CopyN(io.Discard, resp.Body, maxCheckBody)
	_ = resp.Body.Close()
	switch {
	case !keep:
		c.discard()
	case errors.Is(readErr, io.EOF):
		c.keepOrClose()
	default:
		c.endUnread()
	}
	if c.ProxyMade(resp) {
		reason, _ := proxyAnswerReason(resp)
		return 0, &answerError{reason: reason, status: resp.StatusCode}
	}
	return resp.StatusCode, nil
}

// visiting is a fresh connection for a check. That of a free proxy leaves
// nothing behind, no route either: there may be ten thousand of them.
func (p *Proxy) visiting(ctx context.Context, t *Target) (*standing, error) {
	route := newRoute(p.State, t)
	if p.Metered() {
		route = t.route(p)
	}
	raw, err := p.Dialer.Dial(ctx, Dialing{Target: t, HTTP1: !p.Metered(), Account: route.account, Ready: func() {}})
	if err != nil {
		return nil, err
	}
	conn := &standing{Conn: raw, route: route, identity: p.Identity}
	conn.born.Store(time.Now().UnixNano())
	if p.Metered() {
		conn.keep = p.pool.Options.Keepalive
	}
	if !raw.Reserve() {
		conn.discard()
		return nil, errUnclaimed
	}
	if raw.Multiplexed() {
		t.h2.Store(true)
		conn.route.share(conn)
	}
	return conn, nil
}

// Reason is the failure in one word, as in a trail.
func Reason(err error) string { return failureReason(err) }

// BeginCheck claims the proxy for one check at a time, also where two
// configurations overlap; EndCheck gives it back. It refuses where the proxy's
// budget is spent, and where the proxy is reached in another way by now: that is
// for the other configuration to check.
func (p *Proxy) BeginCheck() bool {
	return p.current() && !p.State.gateHas(gateSpent) && p.State.checking.CompareAndSwap(false, true)
}

// EndCheck is the end of what BeginCheck began.
func (p *Proxy) EndCheck() { p.State.checking.Store(false) }

// PlanCheck sets when the next check is due, unless one is planned already that
// comes within the interval.
func (p *Proxy) PlanCheck(at time.Time) {
	s := p.State
	latest := time.Now().Add(p.pool.Checks.Interval).UnixNano()
	if due := s.nextCheck.Load(); due == 0 || due > latest {
		s.nextCheck.CompareAndSwap(due, at.UnixNano())
	}
}

// Spent reports whether a hard budget of the proxy is spent, so that nothing may
// go through it.
func (p *Proxy) Spent() bool { return p.State.gateHas(gateSpent) }

// Checkable reports whether the proxy may be checked: not where an admin took it
// out of use, and not where its budget is spent.
func (p *Proxy) Checkable() bool { return !p.State.gateHas(gateDisabled | gateSpent) }
