package pool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeProxy is an upstream proxy that is not there: connects through it take
// the time they are told to, and end as they are told to.
type fakeProxy struct {
	name string

	mu     sync.Mutex
	now    behaviour
	dials  int
	conns  []*fakeConn
	origin *fakeOrigin
}

// behaviour is what a proxy does with the next connect and the next request.
type behaviour struct {
	reach time.Duration // until the proxy itself is reached
	delay time.Duration // until the connection stands, or fails; forever = never
	err   error         // how the connect fails
	on    map[string]error

	answer func(*fakeConn, *http.Request) (*http.Response, error) // nil: 200
	h2     bool
	places int // requests at once on HTTP/2
	ping   func(context.Context) error
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

func (f *fakeProxy) Dial(ctx context.Context, t *Target, http1 bool, ready func()) (Conn, error) {
	f.mu.Lock()
	b := f.now
	f.dials++
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
	c := &fakeConn{proxy: f, target: t, places: 1, closed: make(chan struct{})}
	if b.h2 && !http1 {
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
	proxy  *fakeProxy
	target *Target
	h2     bool

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
	if !dead {
		answer := c.proxy.behaviour().answer
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

// What a connection may do with a request.

// ok is an answer of the target that names the proxy.
func ok(c *fakeConn, req *http.Request) (*http.Response, error) {
	return status(http.StatusOK)(c, req)
}

// status is an answer of the target, with header fields: name, value, ...
func status(code int, header ...string) func(*fakeConn, *http.Request) (*http.Response, error) {
	return func(c *fakeConn, req *http.Request) (*http.Response, error) {
		if err := c.arrive(req); err != nil {
			return nil, err
		}
		return c.respond(code, strings.NewReader(c.proxy.name), header...), nil
	}
}

func (c *fakeConn) respond(code int, body io.Reader, header ...string) *http.Response {
	resp := &http.Response{StatusCode: code, Header: make(http.Header), Body: &fakeBody{Reader: body, conn: c}}
	for i := 0; i+1 < len(header); i += 2 {
		resp.Header.Add(header[i], header[i+1])
	}
	return resp
}

// proxySays is an answer of the proxy in the target's place, which sees nothing.
func proxySays(code int) func(*fakeConn, *http.Request) (*http.Response, error) {
	return func(c *fakeConn, _ *http.Request) (*http.Response, error) {
		return c.respond(code, strings.NewReader(""), "Proxy-Made", "1"), nil
	}
}

// after is an answer that takes its time.
func after(d time.Duration, then func(*fakeConn, *http.Request) (*http.Response, error)) func(*fakeConn, *http.Request) (*http.Response, error) {
	return func(c *fakeConn, req *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return then(c, req)
		case <-c.closed:
			return nil, closedErr
		case <-req.Context().Done():
			return nil, &sendFault{reason: "canceled", err: req.Context().Err()}
		}
	}
}

// silent takes a request and never answers.
func silent(c *fakeConn, req *http.Request) (*http.Response, error) {
	if err := c.arrive(req); err != nil {
		return nil, err
	}
	return after(forever, nil)(c, req)
}

// breaks takes a request and breaks the connection.
func breaks(c *fakeConn, req *http.Request) (*http.Response, error) {
	if err := c.arrive(req); err != nil {
		return nil, err
	}
	c.die()
	return nil, reset
}

// refuses breaks before a byte of the request was written.
func refuses(*fakeConn, *http.Request) (*http.Response, error) { return nil, notWritten }

// breaksOff answers half of its body.
func breaksOff(c *fakeConn, req *http.Request) (*http.Response, error) {
	if err := c.arrive(req); err != nil {
		return nil, err
	}
	half := io.MultiReader(strings.NewReader("ha"), failingReader{io.ErrUnexpectedEOF})
	return c.respond(http.StatusOK, half), nil
}

// fakeBody frees its connection at its end.
type fakeBody struct {
	io.Reader
	conn *fakeConn
	over bool
}

func (b *fakeBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && !b.over {
		b.over = true
		b.conn.free()
		if !errors.Is(err, io.EOF) && !b.conn.h2 {
			b.conn.die()
		}
	}
	return n, err
}

func (b *fakeBody) Close() error {
	if !b.over {
		b.over = true
		b.conn.free()
		if !b.conn.h2 {
			b.conn.die()
		}
	}
	return nil
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// fault is what a dialer says of a connect that failed.
type fault struct {
	reason         string
	proxy, timeout bool
}

func (f *fault) Error() string         { return f.reason }
func (f *fault) ProxyFault() bool      { return f.proxy }
func (f *fault) FailureReason() string { return f.reason }
func (f *fault) Timeout() bool         { return f.timeout }

// sendFault is what a connection says of a request that failed.
type sendFault struct {
	reason  string
	unsent  bool
	timeout bool
	err     error
}

func (f *sendFault) Error() string         { return f.reason }
func (f *sendFault) Unwrap() error         { return f.err }
func (f *sendFault) Unsent() bool          { return f.unsent }
func (f *sendFault) FailureReason() string { return f.reason }
func (f *sendFault) Timeout() bool         { return f.timeout }

var (
	refused    = &fault{reason: "dial_refused", proxy: true}
	noTunnel   = &fault{reason: "tunnel_refused"}
	reset      = &sendFault{reason: "conn_reset"}
	closedErr  = &sendFault{reason: "conn_closed"}
	notWritten = &sendFault{reason: "conn_closed", unsent: true}
)

// slowReader gives its parts one by one, with a pause before each.
type slowReader struct {
	parts []string
	pause time.Duration
}

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.parts) == 0 {
		return 0, io.EOF
	}
	time.Sleep(r.pause)
	n := copy(p, r.parts[0])
	r.parts = r.parts[1:]
	return n, nil
}

func (r *slowReader) Close() error { return nil }

func readAll(t *testing.T, body io.ReadCloser) string {
	t.Helper()
	var b bytes.Buffer
	_, err := b.ReadFrom(body)
	_ = body.Close()
	if err != nil {
		return b.String() + "!" + err.Error()
	}
	return b.String()
}
