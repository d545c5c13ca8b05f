package pool

import (
	"fmt"
	"net/http"
	"time"
)

// heldAnswer is an answer that matched a block rule. It is kept until another
// proxy's answer tells whether the target refuses this proxy or the request.
type heldAnswer struct {
	proxy  *Proxy
	route  *Route
	resp   *http.Response
	until  time.Time
	reason string
}

// holdIfBlocked keeps an answer that a block rule matches, where another proxy
// may still be asked, and returns errBlocked.
func (a *attempt) holdIfBlocked(resp *http.Response) error {
	for i := range a.pool.Blocks {
		rule := &a.pool.Blocks[i]
		if !rule.matches(resp) {
			continue
		}
		if len(a.held)+1 >= rule.Tries || !a.othersLeft() || (a.body != nil && !a.body.rewind()) {
			return a.ownAnswer()
		}
		if n := len(a.held); n > 0 {
			drop(a.held[n-1].resp) // only the last is of use
		}
		now := time.Now()
		a.held = append(a.held, &heldAnswer{
			proxy: a.proxy, route: a.route, resp: resp,
			until:  now.Add(rule.length(resp, now)),
			reason: fmt.Sprintf("%s answered %d", a.target.Addr, resp.StatusCode),
		})
		return errBlocked
	}
	return nil
}

// ownAnswer says that an answer which matched is the target's own: all proxies
// that could be asked got one. Nobody is blocked for it.
func (a *attempt) ownAnswer() error {
	for _, h := range a.held {
		drop(h.resp)
	}
	a.held = nil
	return nil
}

// blockHeld marks the proxies as blocked whose answers matched, now that
// another one got an answer that does not; never the target's last usable one.
func (x *exchange) blockHeld() {
	var blocked places
	for _, h := range x.held {
		blocked.add(h.proxy.place)
	}
	now := time.Now().UnixNano()
	for _, h := range x.held {
		last, marked := x.markBlocked(h, &blocked, now)
		if last {
			return
		}
		if marked {
			h.proxy.tellBlocked(h.reason)
		}
	}
}

// markBlocked blocks one of them, unless no other proxy is left: two requests
// that do so at once must not take each other's.
func (x *exchange) markBlocked(h *heldAnswer, blocked *places, now int64) (last, marked bool) {
	x.target.blocking.Lock()
	defer x.target.blocking.Unlock()
	if x.pool.choose(x.target, blocked, now) == nil {
		return true, false
	}
	return false, h.proxy.markBlocked(h.route, h.until)
}

// othersLeft reports whether the request may be tried through another proxy.
func (x *exchange) othersLeft() bool {
	return x.triesLeft() && x.pool.choose(x.target, &x.tried, time.Now().UnixNano()) != nil
}
