package dial

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// maxResponseHead bounds the head of an answer.
const maxResponseHead = 1 << 20

// transport1 makes the HTTP/1.1 of all connections. It dials nothing: the
// finished connection is in the context. The scheme is http for all of them,
// as TLS was done already.
var transport1 = &http.Transport{
	DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return ctx.Value(streamKey{}).(*stream), nil
	},
	Protocols:              onlyHTTP1(),
	DisableCompression:     true,
	ExpectContinueTimeout:  time.Second,
	MaxResponseHeaderBytes: maxResponseHead,
}

type streamKey struct{}

func onlyHTTP1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

// http1Conn carries one request at a time.
type http1Conn struct {
	*http.ClientConn
	stream *stream
}

// begin1 speaks HTTP/1.1 on conn.
func (c *HTTPConn) begin1(ctx context.Context, conn net.Conn, target hostPort) (*HTTPConn, error) {
	c.stream = &stream{Conn: conn, beneath: c.conn}
	cc, err := transport1.NewClientConn(context.WithValue(ctx, streamKey{}, c.stream), schemeHTTP, target.String())
	if err != nil {
		return nil, stageHTTP.fail(ctx, err)
	}
	c.proto = &http1Conn{ClientConn: cc, stream: c.stream}
	return c, nil
}

func (h *http1Conn) roundTrip(req *http.Request) (*http.Response, error) {
	began := h.stream.writes.Load()
	resp, err := h.RoundTrip(req)
	if err == nil {
		return resp, nil
	}
	unsent := h.stream.seal(began)
	if closed := h.Err(); closed != nil && refuses(closed) {
		err = closed // which ended the reading, too, whose error may have come first
	}
	_ = h.Close()
	if req.Body != nil {
		_ = req.Body.Close()
	}
	failed := newSendError(req, err, ReasonMalformedResponse)
	failed.unsent = unsent
	failed.refusedLocally()
	return nil, failed
}

func (h *http1Conn) reserve() bool { return h.Reserve() == nil }

func (h *http1Conn) release() { h.Release() }

func (h *http1Conn) alive() bool { return h.Err() == nil }

func (h *http1Conn) inFlight() int { return h.InFlight() }

var errNoPing = errors.New("pinging target: HTTP/1.1 has no ping")

func (h *http1Conn) ping(context.Context) error { return errNoPing }

func (h *http1Conn) close() error { return h.Close() }
