package dial

import (
	"context"
	"net"
	"net/http"
	"time"
)

// HTTPConn is one connection that carries HTTP requests to a target. Its
// methods may be called concurrently.
type HTTPConn struct {
	conn   *Conn
	stream *stream
	proto  httpProto

	absoluteForm bool
	proxyAuth    string // sent with requests in absolute-form alone
}

// httpProto is one version of HTTP on a connection.
type httpProto interface {
	roundTrip(*http.Request) (*http.Response, error) // errors are *SendError
	reserve() bool
	release()
	alive() bool
	inFlight() int
	ping(context.Context) error
	close() error
}

// RoundTrip sends a request, whose URL has the target's scheme and host, and
// returns the answer when its head is there. It uses up a place that
// [HTTPConn.Reserve] claimed. The request is not modified; its body is closed
// in any case, but only read from while RoundTrip or the reading of the answer
// goes on. Every error is a [*SendError]; what the body's Read returned is in
// it. Where a Read of the body is under way, an error comes only after it.
//
// Nothing is sent twice, and nothing decompressed. After an error on HTTP/1.1
// the connection is closed. After a 101 it belongs to the answer's body, an
// [io.ReadWriteCloser].
func (c *HTTPConn) RoundTrip(req *http.Request) (*http.Response, error) {
	return c.proto.roundTrip(c.prepare(req))
}

// Multiplexed reports whether many requests are carried at once: HTTP/2.
func (c *HTTPConn) Multiplexed() bool {
	_, ok := c.proto.(*http2Conn)
	return ok
}

// Reserve claims a place for one RoundTrip. It is false where none is free or
// the connection is dead.
func (c *HTTPConn) Reserve() bool { return c.proto.reserve() }

// Release gives a claimed place back unused.
func (c *HTTPConn) Release() { c.proto.release() }

// Alive reports whether the connection takes further requests, now or when
// there is a free place.
func (c *HTTPConn) Alive() bool { return c.proto.alive() }

// InFlight is how many places are claimed or taken.
func (c *HTTPConn) InFlight() int { return c.proto.inFlight() }

// Ping asks the target whether it is still there; on HTTP/2 alone.
func (c *HTTPConn) Ping(ctx context.Context) error { return c.proto.ping(ctx) }

// Unheard reports whether nothing of what was sent arrives any more: the system
// has sent it again, and the other end of the TCP connection acknowledges none of
// it. A peer that reads slowly acknowledges. It is false where the system does not
// tell, which only Linux does.
func (c *HTTPConn) Unheard() bool { return unheard(c.conn.wire.Conn) }

// LocalAddr is our end of the TCP connection.
func (c *HTTPConn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr is the other end of the TCP connection: the proxy, or the target.
func (c *HTTPConn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// Bytes is how many bytes crossed the TCP connection so far.
func (c *HTTPConn) Bytes() (in, out int64) { return c.conn.Bytes() }

// Born is when the TCP connection was made.
func (c *HTTPConn) Born() time.Time { return c.conn.Born() }

// Close closes the connection at once and interrupts what runs on it. A
// connection that a 101 upgraded is left to the answer's body.
func (c *HTTPConn) Close() error { return c.proto.close() }
