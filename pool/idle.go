package pool

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// Conn is one connection to a target that carries requests. Its methods may be
// called concurrently.
type Conn interface {
	// RoundTrip sends a request and waits for the answer's head. An error may
	// implement [SendFault].
	RoundTrip(*http.Request) (*http.Response, error)

	// Reserve claims a place for one RoundTrip, where there is one.
	Reserve() bool
	// Release gives a claimed place back unused.
	Release()

	Alive() bool
	InFlight() int
	Bytes() (in, out int64)         // that crossed the connection to the proxy so far
	Multiplexed() bool              // many requests at once: HTTP/2
	Ping(ctx context.Context) error // only where it is multiplexed

	// Unheard reports whether nothing of what was sent arrives any more: the
	// system has sent it again, and the other end acknowledges none of it.
	Unheard() bool

	// ProxyMade reports whether an answer is the proxy's own, not the target's.
	ProxyMade(*http.Response) bool

	// Close ends the connection and whatever runs on it.
	Close() error
}

// maxIdlePerRoute bounds the standing connections of a route. It is far above
// what a route needs; a lower bound costs a TLS handshake for nearly each
// request as soon as there are more clients than that.
const maxIdlePerRoute = 4096

// standing is a connection of a route, with what decides how long it is kept.
type standing struct {
	Conn
	route    *Route
	identity string // of the proxy that it was made with
	keep     time.Duration
	born     atomic.Int64 // Unix nanoseconds
	retired  atomic.Bool  // not to be used again
	used     atomic.Bool  // it has carried an answer
	idleFrom atomic.Int64

	talliedIn, talliedOut atomic.Int64 // bytes that are in the traces of requests already
}

// reusable reports whether the connection may carry another request.
func (c *standing) reusable(now int64) bool {
	r := c.route
	idleFrom := c.idleFrom.Load() // once: others set it to 0 as they take the connection
	return c.Alive() && !c.retired.Load() && c.keep > 0 && c.born.Load() > r.drainBefore.Load() &&
		!r.target.evicted.Load() && r.target.state.keeps() && r.state.isIdentity(c.identity) && !r.state.gateHas(gateSpent) &&
		(idleFrom == 0 || now-idleFrom < int64(c.keep))
}

// keepOrClose puts a connection back whose request is over, so that the next
// one finds it.
func (c *standing) keepOrClose() {
	now := time.Now().UnixNano()
	c.idleFrom.Store(0)
	switch {
	case c.Multiplexed():
		if c.InFlight() > 0 {
			return
		}
		c.idleFrom.Store(now)
		if !c.reusable(now) {
			c.discard()
		}
	case !c.reusable(now) || c.route.idle.count.Load() >= maxIdlePerRoute:
		_ = c.Close()
	default:
		c.idleFrom.Store(now)
		c.route.idle.push(c)
	}
}

// discard ends a connection that is not wanted, unless somebody else uses it.
func (c *standing) discard() {
	c.retired.Store(true)
	if c.Multiplexed() {
		c.route.unshare(c)
		if c.InFlight() > 0 {
			return // the last of them closes it
		}
	}
	_ = c.Close()
}

// endUnread ends what is left of a connection whose answer was not read to its
// end: nothing more can be read from it, unless it carries others too.
func (c *standing) endUnread() {
	if c.Multiplexed() {
		c.keepOrClose()
		return
	}
	_ = c.Close()
}

// take claims a standing connection for one request, nil where there is none.
func (r *Route) take(http1 bool, now int64) *standing {
	if shared := r.shared.Load(); shared != nil && !http1 {
		for _, c := range *shared {
			if c.reusable(now) && c.Reserve() {
				c.idleFrom.Store(0)
				return c
			}
		}
	}
	for {
		c := r.idle.pop()
		switch {
		case c == nil:
			return nil
		case c.reusable(now) && c.Reserve():
			return c
		default:
			_ = c.Close()
		}
	}
}

// share makes a multiplexed connection known to all who use the route.
func (r *Route) share(c *standing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := []*standing{c}
	if old := r.shared.Load(); old != nil {
		list = append(list, *old...)
	}
	r.shared.Store(&list)
}

func (r *Route) unshare(c *standing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.shared.Load()
	if old == nil {
		return
	}
	var list []*standing
	for _, other := range *old {
		if other != c {
			list = append(list, other)
		}
	}
	r.shared.Store(&list)
}

// closeIdle closes the standing connections but for a few, and lets go of
// those that still carry a request once it is over.
func (r *Route) closeIdle(leave int) {
	now := time.Now().UnixNano()
	spare := func(c *standing) bool {
		if leave == 0 || !c.reusable(now) {
			return false
		}
		leave--
		c.born.Store(now + 1)
		return true
	}
	kept := r.idle.takeAll()
	r.closeShared(func(c *standing) bool { return !spare(c) })
	var spared []*standing
	for n := kept; n != nil; n = n.next {
		if spare(n.conn) {
			spared = append(spared, n.conn)
		} else {
			_ = n.conn.Close()
		}
	}
	r.drainBefore.Store(now)
	for _, c := range spared {
		r.idle.push(c)
	}
}

// letGo has connections let go that were made before a moment.
func (r *Route) letGo(before time.Time) {
	for {
		was := r.drainBefore.Load()
		if was >= before.UnixNano() || r.drainBefore.CompareAndSwap(was, before.UnixNano()) {
			return
		}
	}
}

// prune closes standing connections that were idle for too long or died.
func (r *Route) prune(now int64) {
	if r.idle.any(func(c *standing) bool { return !c.reusable(now) }) {
		var keep []*standing
		for n := r.idle.takeAll(); n != nil; n = n.next {
			if n.conn.reusable(now) {
				keep = append(keep, n.conn)
			} else {
				_ = n.conn.Close()
			}
		}
		for _, c := range slices.Backward(keep) {
			r.idle.push(c)
		}
	}
	r.closeShared(func(c *standing) bool { return !c.reusable(now) })
}

// closeShared drops the multiplexed connections that unwanted says.
func (r *Route) closeShared(unwanted func(*standing) bool) {
	shared := r.shared.Load()
	if shared == nil {
		return
	}
	for _, c := range *shared {
		if unwanted(c) {
			c.discard()
		}
	}
}

// idleStack holds idle connections, the youngest on top. It is a lock-free
// stack (Treiber, 1986), so that requests of one route don't queue for it; each
// push makes a node of its own, which rules out the ABA problem.
type idleStack struct {
	head  atomic.Pointer[idleNode]
	count atomic.Int32
}

type idleNode struct {
	conn *standing
	next *idleNode
}

func (s *idleStack) push(c *standing) {
	n := &idleNode{conn: c}
	s.count.Add(1)
	for {
		n.next = s.head.Load()
		if s.head.CompareAndSwap(n.next, n) {
			return
		}
	}
}

func (s *idleStack) pop() *standing {
	for {
		n := s.head.Load()
		if n == nil {
			return nil
		}
		if s.head.CompareAndSwap(n, n.next) {
			s.count.Add(-1)
			return n.conn
		}
	}
}

// any reports whether want holds for one of them, without taking them.
func (s *idleStack) any(want func(*standing) bool) bool {
	for n := s.head.Load(); n != nil; n = n.next {
		if want(n.conn) {
			return true
		}
	}
	return false
}

// takeAll empties the stack and returns what was on it.
func (s *idleStack) takeAll() *idleNode {
	head := s.head.Swap(nil)
	var n int32
	for node := head; node != nil; node = node.next {
		n++
	}
	s.count.Add(-n)
	return head
}
