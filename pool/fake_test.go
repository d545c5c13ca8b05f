package pool

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// fakeProxy is an upstream proxy that is not there: connects through it take
// the time they are told to, and end as they are told to.
type fakeProxy struct {
	name string

	mu     sync.Mutex
	now    behaviour
	dials  int
	whole  bool // the last dial asked for a whole handshake
	conns  []*fakeConn
	origin *fakeOrigin
}

// behaviour is what a proxy does with the next connect and the next request.
type behaviour struct {
	reach time.Duration // until the proxy itself is reached
	delay time.Duration // until the connection stands, or fails; forever = never
	err   error         // how the connect fails
	on    map[string]error
	probe error // how the probe of a tunnel fails

	answer func(*fakeConn, *http.Request) (*http.Response, error) // nil: 200
	h2     bool
	places int // requests at once on HTTP/2
	ping   func(context.Context) error

	unheard bool // nothing that is sent on connections arrives

	connectBytes, requestBytes, answerBytes int // that cross the connection; connectBytes each way
}

const forever = 1000 * time.Hour

// be changes what the proxy does from now on.
func (f *fakeProxy) be(b behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = b
}

func (f *fakeProxy) behaviour() behaviour {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// dialled is how many connects were begun.
func (f *fakeProxy) dialled() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dials
}

// askedWhole reports whether the last connect asked for a whole handshake.
func (f *fakeProxy) askedWhole() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.whole
}

// open is how many of its connections are open.
func (f *fakeProxy) open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.conns {
		if !c.isClosed() {
			n++
		}
	}
	return n
}

// breakAll is the other side's closing of all connections.
func (f *fakeProxy) breakAll() {
	f.mu.Lock()
	conns := slices.Clone(f.conns)
	f.mu.Unlock()
	for _, c := range conns {
		c.die()
	}
}

func (f *fakeProxy) Dial(ctx context.Context, d Dialing) (Conn, error) {
	t, ready := d.Target, d.Ready
	f.mu.Lock()
	b := f.now
	f.dials++
	f.whole = d.Whole
	f.mu.Unlock()
	if err := pause(ctx, min(b.reach, b.delay)); err != nil {
		return nil, err
	}
	if b.reach <= b.delay {
		ready()
	}
	if err := pause(ctx, b.delay-min(b.reach, b.delay)); err != nil {
		return nil, err
	}
	err := b.err
	if b.on[t.Addr] != nil {
		err = b.on[t.Addr]
	}
	if err != nil {
		return nil, err
	}
	c := &fakeConn{proxy: f, target: t, places: 1, closed: make(chan struct{}), account: d.Account}
	if !c.carry(b.connectBytes, b.connectBytes) {
		return nil, reset
	}
	if b.h2 && !d.HTTP1 {
		c.h2, c.places = true, b.places
		if c.places == 0 {
			c.places = 100
		}
	}
	f.mu.Lock()
	f.conns = append(f.conns, c)
	f.mu.Unlock()
	return c, nil
}

// Tunnel is Dial for those who bring their own bytes.
func (f *fakeProxy) Tunnel(ctx context.Context, d Dialing) (Pipe, error) {
	c, err := f.Dial(ctx, d)
	if err == nil && d.Probe {
		err = f.behaviour().probe
	}
	if err != nil {
		return nil, err
	}
	return fakePipe{c.(*fakeConn)}, nil
}

// fakePipe is a tunnel in which nobody says anything.
type fakePipe struct{ *fakeConn }

func (p fakePipe) Read([]byte) (int, error) {
	<-p.closed
	return 0, io.EOF
}

func (p fakePipe) Write(b []byte) (int, error) { return len(b), nil }

func (p fakePipe) CloseWrite() error { return nil }

// pause waits, and fails as a dialer does where its context ends first.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		return &fault{reason: "dial_timeout", proxy: true, timeout: true}
	}
}

// fakeConn is a connection of a fakeProxy.
type fakeConn struct {
	proxy   *fakeProxy
	target  *Target
	account *Account
	h2      bool
	in, out atomic.Int64

	mu       sync.Mutex
	places   int
	reserved int
	active   int
	dead     bool
	closed   chan struct{}
}

func (c *fakeConn) RoundTrip(req *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.reserved--
	c.active++
	dead := c.dead
	c.mu.Unlock()
	resp, err := (*http.Response)(nil), error(reset)
	b := c.proxy.behaviour()
	if !dead && !c.carry(b.answerBytes, b.requestBytes) {
		dead = true
	}
	if !dead {
		answer := b.answer
		if answer == nil {
			answer = ok
		}
		resp, err = answer(c, req)
	}
	if err != nil || resp.Body == http.NoBody {
		c.free()
	}
	if err != nil && !c.h2 {
		c.die()
	}
	return resp, err
}

// carry counts bytes as a connection does that is cut off where it must be.
func (c *fakeConn) carry(in, out int) bool {
	c.in.Add(int64(in))
	c.out.Add(int64(out))
	return c.account.Count(in, out)
}

func (c *fakeConn) Bytes() (in, out int64) { return c.in.Load(), c.out.Load() }

func (c *fakeConn) Reserve() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead || c.reserved+c.active >= c.places {
		return false
	}
	c.reserved++
	return true
}

func (c *fakeConn) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reserved--
}

func (c *fakeConn) free() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active--
}

func (c *fakeConn) Alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.dead
}

func (c *fakeConn) InFlight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reserved + c.active
}

func (c *fakeConn) Multiplexed() bool { return c.h2 }

func (c *fakeConn) Ping(ctx context.Context) error {
	if ping := c.proxy.behaviour().ping; ping != nil {
		return ping(ctx)
	}
	return nil
}

func (c *fakeConn) Unheard() bool { return c.proxy.behaviour().unheard }

func (c *fakeConn) ProxyMade(resp *http.Response) bool { return resp.Header.Get("Proxy-Made") != "" }

func (c *fakeConn) Close() error {
	c.die()
	return nil
}

func (c *fakeConn) die() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dead {
		c.dead = true
		close(c.closed)
	}
}

func (c *fakeConn) isClosed() bool { return !c.Alive() }

// fakeOrigin counts the requests that reached the target, by their id.
type fakeOrigin struct {
	mu   sync.Mutex
	seen map[string]int
	body map[string]string // of the last one
}

func (o *fakeOrigin) arrived(id string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[id]
}

// most is how often the one arrived that arrived most often.
func (o *fakeOrigin) most() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	most := 0
	for _, n := range o.seen {
		most = max(most, n)
	}
	return most
}

// arrive is the request's coming to the origin, body and all.
func (c *fakeConn) arrive(req *http.Request) error {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return &sendFault{reason: "send_failed", err: err}
		}
	}
	o := c.proxy.origin
	o.mu.Lock()
	defer o.mu.Unlock()
	id := req.Header.Get("Id")
	o.seen[id]++
	o.body[id] = string(body)
	return nil
}
