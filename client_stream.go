package proxypool

import (
	"errors"
	"net"
	"reflect"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-proxypool/proxypool/relay"
)

// clientStream is the client's connection as the relay takes it. Where a listener
// wrapper that is not known hides what the connection is, one direction alone
// cannot be closed, and a tunnel that broke may look like one that ended well.
func clientStream(conn net.Conn) relay.Stream {
	wrappers := 0
	for inner := conn; inner != nil; inner = unwrapped(inner) {
		half, ok := inner.(halfCloser)
		switch {
		case ok && wrappers == 0:
			return half
		case ok:
			return &wrappedConn{Conn: conn, inner: half, ahead: wrappers}
		}
		wrappers++
	}
	return wholeConn{conn}
}

// halfCloser is a connection of which one direction alone can be closed.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// wrappedConn is a connection with wrappers around it, which pass on its bytes as
// they are. But what they have read ahead can be had from them alone.
type wrappedConn struct {
	net.Conn
	inner halfCloser
	ahead int // how many wrappers may have something left. Owned by Read.
}

func (c *wrappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	// Whoever of them gave less than was asked for has given all it had.
	if n < len(p) && c.ahead > 0 {
		c.ahead--
	}
	return n, err
}

func (c *wrappedConn) CloseWrite() error { return c.inner.CloseWrite() }
func (c *wrappedConn) NetConn() net.Conn { return c.inner }
func (c *wrappedConn) Bare() bool        { return c.ahead == 0 }

// unwrapped is the connection that conn is around; nil where there is none, or conn
// is not known to pass on the bytes as they are.
func unwrapped(conn net.Conn) net.Conn {
	// That of the listener wrapper proxy_protocol.
	if c, ok := conn.(interface {
		Raw() net.Conn
		TCPConn() (*net.TCPConn, bool)
	}); ok {
		return c.Raw()
	}
	// Caddy's own look at what comes first: without TLS, where only some versions
	// of HTTP are allowed, and by http_redirect. They embed the connection.
	c := reflect.Indirect(reflect.ValueOf(conn))
	if c.Kind() != reflect.Struct || c.Type().PkgPath() != reflect.TypeFor[caddyhttp.App]().PkgPath() {
		return nil
	}
	field := c.FieldByName("Conn")
	if !field.IsValid() || !field.CanInterface() {
		return nil
	}
	inner, _ := reflect.TypeAssert[net.Conn](field)
	return inner
}

// wholeConn is a connection that cannot be closed in one direction alone.
type wholeConn struct{ net.Conn }

func (wholeConn) CloseWrite() error { return errors.ErrUnsupported }
