package dial

import (
	"context"
	"crypto/tls"
)

// Target says what HTTP requests are for.
type Target struct {
	Scheme string // http or https
	Addr   string // host:port

	// TLS is the base for TLS with the target, which is cloned: roots, server
	// name (default: the host in Addr), session cache and so on. The protocols
	// in it are not used. nil means defaults.
	TLS *tls.Config

	// HTTP1Only offers no HTTP/2, for a request that upgrades.
	HTTP1Only bool
}

// Open makes a connection that carries HTTP requests to the target: for https a
// tunnel with TLS in it; for http a connection to the proxy that takes requests
// in absolute-form where the proxy speaks HTTP, and a tunnel elsewhere.
// proxyReady is as in [Dialer.Tunnel]. Every error is an [*Error].
func (d *Dialer) Open(ctx context.Context, t Target, proxyReady func()) (*HTTPConn, error) {
	var opened *HTTPConn
	err := d.guarded(ctx, t.Addr, func(c *Conn, target hostPort) (err error) {
		opened, err = d.open(ctx, c, t, target, proxyReady)
		return err
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

func (d *Dialer) open(ctx context.Context, c *Conn, t Target, target hostPort, proxyReady func()) (*HTTPConn, error) {
	h := &HTTPConn{conn: c}
	if t.Scheme != schemeHTTPS && d.Proxy.speaksHTTP() {
		if err := d.reach(ctx, c, proxyReady); err != nil {
			return nil, err
		}
		h.absoluteForm, h.proxyAuth = true, d.Proxy.basicAuth()
		return h.begin1(ctx, c, target)
	}
	if err := d.tunnel(ctx, c, target, proxyReady); err != nil {
		return nil, err
	}
	if t.Scheme != schemeHTTPS {
		return h.begin1(ctx, c, target)
	}
	secure := tls.Client(c, t.tlsConfig(target))
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, stageTargetTLS.fail(ctx, err)
	}
	if secure.ConnectionState().NegotiatedProtocol == protoHTTP2 {
		return h.begin2(ctx, secure)
	}
	return h.begin1(ctx, secure, target)
}

// The names of HTTP's versions in TLS.
const (
	protoHTTP1 = "http/1.1"
	protoHTTP2 = "h2"
)

func (t Target) tlsConfig(target hostPort) *tls.Config {
	config := t.TLS.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	if config.ServerName == "" {
		config.ServerName = target.host
	}
	config.NextProtos = []string{protoHTTP2, protoHTTP1}
	if t.HTTP1Only {
		config.NextProtos = []string{protoHTTP1}
	}
	return config
}
