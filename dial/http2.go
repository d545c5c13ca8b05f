package dial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"
)

// transport2 makes the HTTP/2 of all connections. It dials nothing and repeats
// nothing: only its client connections are used. What does not fit under the
// target's limit of streams waits in the connection, because a stream is freed
// there a moment after its answer was read.
//
//nolint:staticcheck // deprecated for net/http's ClientConn, which has no Ping
var transport2 = &http2.Transport{
	DisableCompression:         true,
	MaxHeaderListSize:          maxResponseHead,
	StrictMaxConcurrentStreams: true,
}

// unknownStreamLimit stands for the target's limit until its settings came.
const unknownStreamLimit = 100

// http2Conn carries many requests at once. It counts places itself, because the
// connection frees a stream only some time after its answer was read.
//
//nolint:staticcheck // see transport2
type http2Conn struct {
	cc     *http2.ClientConn
	stream *stream

	mu       sync.Mutex
	reserved int // claimed, not yet used by a request
	active   int // taken by requests
	limit    int
	settled  bool // limit is the target's
}

// begin2 speaks HTTP/2 on conn.
//
//nolint:staticcheck // see transport2
func (c *HTTPConn) begin2(ctx context.Context, conn net.Conn) (*HTTPConn, error) {
	c.stream = &stream{Conn: conn, beneath: c.conn}
	h := &http2Conn{stream: c.stream, limit: unknownStreamLimit}
	c.proto = h
	var err error
	if h.cc, err = transport2.NewClientConn(c.stream); err != nil {
		return nil, stageHTTP.fail(ctx, err)
	}
	return c, nil
}

func (h *http2Conn) roundTrip(req *http.Request) (*http.Response, error) {
	h.take()
	a := newAttempt(h, req)
	resp, err := a.send(req)
	if err != nil {
		failed := a.failure(req, err)
		a.done()
		return nil, failed
	}
	h.learnLimit()
	resp.Request = req
	if req.Method == http.MethodHead || resp.ContentLength == 0 {
		a.done() // nobody need read or close a body that is not there
		return resp, nil
	}
	a.body, resp.Body = resp.Body, a
	return resp, nil
}

// take turns a claimed place into a taken one.
func (h *http2Conn) take() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reserved > 0 {
		h.reserved--
	}
	h.active++
}

// free gives a taken place back.
func (h *http2Conn) free() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active--
}

// learnLimit asks for the target's limit of streams once its settings have
// come, which is before its first answer.
func (h *http2Conn) learnLimit() {
	h.mu.Lock()
	settled := h.settled
	h.mu.Unlock()
	if settled {
		return
	}
	limit := h.cc.State().MaxConcurrentStreams
	h.mu.Lock()
	defer h.mu.Unlock()
	if limit > 0 {
		h.limit = int(min(limit, maxStreams))
	}
	h.settled = true
}

// maxStreams bounds the requests on one connection, whatever the target allows.
const maxStreams = 1 << 16

func (h *http2Conn) reserve() bool {
	if !h.alive() {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reserved+h.active >= h.limit {
		return false
	}
	h.reserved++
	return true
}

func (h *http2Conn) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reserved > 0 {
		h.reserved--
	}
}

func (h *http2Conn) alive() bool { return !h.stream.closed.Load() && h.cc.CanTakeNewRequest() }

func (h *http2Conn) inFlight() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reserved + h.active
}

func (h *http2Conn) ping(ctx context.Context) error { return h.cc.Ping(ctx) }

func (h *http2Conn) close() error { return h.cc.Close() }

// attempt is one request on an HTTP/2 connection: the context that sees whether
// it was written, and afterwards the body of the answer, whose end frees the
// place. It is one allocation for both.
type attempt struct {
	context.Context
	conn  *http2Conn
	trace httptrace.ClientTrace
	// traced holds nothing but the trace. The package httptrace can only put it
	// on a context, by a key of its own, and joins it with the trace of the
	// caller by reflection; the latter is done here by hand instead.
	traced context.Context
	wrote  atomic.Bool

	body io.ReadCloser
	once atomic.Bool
}

func newAttempt(h *http2Conn, req *http.Request) *attempt {
	a := &attempt{Context: req.Context(), conn: h}
	var wroteHeaders func()
	if callers := httptrace.ContextClientTrace(a.Context); callers != nil {
		a.trace, wroteHeaders = *callers, callers.WroteHeaders
	}
	a.trace.WroteHeaders = func() {
		a.wrote.Store(true)
		if wroteHeaders != nil {
			wroteHeaders()
		}
	}
	a.traced = httptrace.WithClientTrace(context.Background(), &a.trace)
	return a
}

// send looks at the method before anything else does: HTTP/2 sends whatever it
// is, and the target resets the stream.
func (a *attempt) send(req *http.Request) (*http.Response, error) {
	if req.Method != "" && !httpguts.ValidHeaderFieldName(req.Method) {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, fmt.Errorf("http2: invalid method %q", req.Method)
	}
	return a.conn.cc.RoundTrip(req.WithContext(a))
}

// Value finds the trace under the key of httptrace, the rest where it was.
func (a *attempt) Value(key any) any {
	if v := a.traced.Value(key); v != nil {
		return v
	}
	return a.Context.Value(key)
}

func (a *attempt) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	if err != nil {
		a.done()
	}
	return n, err
}

func (a *attempt) Close() error {
	err := a.body.Close()
	a.done()
	return err
}

func (a *attempt) done() {
	if a.once.CompareAndSwap(false, true) {
		a.conn.free()
	}
}

// goAwayError begins the errors of streams that the target's GOAWAY says it has
// not seen; they have no type.
const goAwayError = "http2: Transport received"

func (a *attempt) failure(req *http.Request, err error) *SendError {
	failed := newSendError(req, err, ReasonSendFailed)
	var reset http2.StreamError
	switch {
	case errors.As(err, &reset) && reset.Code == http2.ErrCodeRefusedStream:
		failed.reason, failed.unsent = ReasonStreamRefused, true
	case errors.As(err, &reset):
		failed.reason = ReasonStreamReset
	case strings.HasPrefix(err.Error(), goAwayError):
		failed.reason, failed.unsent = ReasonConnClosed, true
	case req.Context().Err() == nil:
		// The end of ctx is the one error that does not wait for the stream's
		// end, so that only without it no writing is certain to remain none.
		failed.unsent = !a.wrote.Load()
		failed.refusedLocally()
	}
	return failed
}
