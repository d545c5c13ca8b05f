package dial

import (
	"context"
	"crypto/tls"
	"net"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Dialer reaches targets through one proxy. It holds no state; its methods may
// be called concurrently, its fields not changed then.
type Dialer struct {
	Proxy Proxy

	// TLS is for a proxy of the scheme https; nil means the system's roots and
	// the name in the proxy's address. It is cloned; no protocol but HTTP/1.1
	// is ever offered to a proxy.
	TLS *tls.Config

	// Meter is told of every byte; nil for nobody.
	Meter Meter

	// Control is called for each address before it is dialled, with what was
	// resolved, and may refuse it: see [net.Dialer]. Where a name has further
	// addresses, they are tried. An [*Error] with [ReasonNotAllowed] is returned
	// as it is where all were refused. nil allows everything.
	Control func(network, address string, c syscall.RawConn) error

	// Via is sent to an HTTP proxy in the field Via of CONNECT (RFC 9110,
	// 7.6.3), so that a tunnel which leads back to its sender is recognised. It
	// goes no further than the proxy, and never with requests in absolute-form,
	// which the target reads. Empty sends none.
	Via string
}

// keepAlive notices, within half a minute, a peer that died without a word on a
// connection on which nothing moves.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// Tunnel makes a pipe of bytes to addr (host:port) through the proxy. Names are
// left to the proxy to resolve. proxyReady, where not nil, is called once when
// the proxy itself was reached, with TLS where the proxy has it; without a
// proxy, when the target was. Every error is an [*Error].
func (d *Dialer) Tunnel(ctx context.Context, addr string, proxyReady func()) (*Conn, error) {
	var tunnel *Conn
	err := d.guarded(ctx, addr, func(c *Conn, target hostPort) (err error) {
		tunnel, err = c, d.tunnel(ctx, c, target, proxyReady)
		return err
	})
	if err != nil {
		return nil, err
	}
	return tunnel, nil
}

// guarded dials and then does the rest of the way on the connection, which the
// end of ctx interrupts and an error closes.
func (d *Dialer) guarded(ctx context.Context, addr string, rest func(*Conn, hostPort) error) error {
	target, err := parseHostPort(addr)
	if err != nil {
		return badTarget(err)
	}
	if !httpguts.ValidHeaderFieldValue(d.Via) {
		return badVia()
	}
	conn, err := d.dialTCP(ctx, target)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.wire.SetDeadline(time.Unix(1, 0)) })
	err = rest(conn, target)
	if !stop() && err == nil {
		// Too late for ctx to matter to what was done, but its deadline is set
		// on the connection.
		err = stageHTTP.fail(ctx, ctx.Err())
	}
	if err != nil {
		_ = conn.wire.Close()
	}
	return err
}

// dialTCP connects to the proxy, or to the target where there is none.
func (d *Dialer) dialTCP(ctx context.Context, target hostPort) (*Conn, error) {
	addr, stage := d.Proxy.Addr, stageDial
	switch d.Proxy.Scheme {
	case schemeHTTP, schemeHTTPS, schemeSOCKS5, schemeSOCKS5H:
	case schemeDirect:
		addr, stage = target.String(), stageDirect
	default:
		return nil, badProxy("dialling proxy: unknown scheme %q", d.Proxy.Scheme)
	}
	g := &gate{control: d.Control}
	dialer := net.Dialer{KeepAliveConfig: keepAlive, Control: g.pass}
	tcp, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, stage.fail(ctx, g.cause(err))
	}
	w := &wire{Conn: tcp, meter: d.Meter}
	return &Conn{Conn: w, wire: w, born: time.Now()}, nil
}

// reach makes ready what is spoken to the proxy itself: its TLS.
func (d *Dialer) reach(ctx context.Context, c *Conn, proxyReady func()) error {
	if d.Proxy.Scheme == schemeHTTPS {
		config := d.TLS.Clone()
		if config == nil {
			config = new(tls.Config)
		}
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(d.Proxy.Addr)
		}
		config.NextProtos = []string{protoHTTP1}
		secure := tls.Client(c.wire, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return stageProxyTLS.fail(ctx, err)
		}
		c.Conn = secure
	}
	if proxyReady != nil {
		proxyReady()
	}
	return nil
}

// tunnel makes of a connection to the proxy one to the target.
func (d *Dialer) tunnel(ctx context.Context, c *Conn, target hostPort, proxyReady func()) error {
	err := d.reach(ctx, c, proxyReady)
	if err != nil {
		return err
	}
	switch d.Proxy.Scheme {
	case schemeHTTP, schemeHTTPS:
		c.prefix, err = connect(c.Conn, target, d.Proxy.basicAuth(), d.Via)
	case schemeSOCKS5, schemeSOCKS5H:
		err = socks(c.Conn, target, d.Proxy)
	}
	if err != nil {
		return stageConnect.fail(ctx, err)
	}
	return nil
}
