package pool

import (
	"context"
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
	conn, err := p.visiting(ctx, t)
	if err != nil {
		return 0, err
	}
	resp, err := conn.RoundTrip(req.WithContext(ctx))
	if err != nil {
		conn.discard()
		return 0, err
	}
	defer func() {
		_ = resp.Body.Close()
		if p.Metered() && err == nil {
			conn.keepOrClose()
		} else {
			conn.discard()
		}
	}()
	if conn.ProxyMade(resp) {
		reason, _ := proxyAnswerReason(resp)
		return 0, &answerError{reason: reason, status: resp.StatusCode}
	}
	_, readErr := io.CopyN(io.Discard, resp.Body, maxCheckBody)
	if readErr == nil { // there is more
		conn.keep = 0
	}
	return resp.StatusCode, nil
}

// visiting is a reserved connection for a check.
func (p *Proxy) visiting(ctx context.Context, t *Target) (*standing, error) {
	// A free proxy's check leaves nothing behind, no route either: there may be
	// ten thousand of them.
	r := newRoute(p.State, t)
	if p.Metered() {
		r = t.route(p)
		if conn := r.take(true, time.Now().UnixNano()); conn != nil {
			conn.used.Store(true)
			return conn, nil
		}
	}
	raw, err := p.Dialer.Dial(ctx, t, true, func() {})
	if err != nil {
		return nil, err
	}
	conn := &standing{Conn: raw, route: r, identity: p.Identity}
	conn.born.Store(time.Now().UnixNano())
	if p.Metered() {
		conn.keep = p.pool.Options.Keepalive
	}
	if !raw.Reserve() {
		conn.discard()
		return nil, errUnclaimed
	}
	return conn, nil
}

// Reason is the failure in one word, as in a trail.
func Reason(err error) string { return failureReason(err) }

// BeginCheck claims the proxy for one check at a time, also where two
// configurations overlap; EndCheck gives it back.
func (p *Proxy) BeginCheck() bool { return p.State.checking.CompareAndSwap(false, true) }

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

// Disabled reports whether an admin took the proxy out of use.
func (p *Proxy) Disabled() bool { return p.State.gateHas(gateDisabled) }
