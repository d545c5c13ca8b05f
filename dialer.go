package proxypool

import (
	"context"
	"crypto/tls"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/pool"
)

// dialer reaches targets through one proxy of a pool: package pool says when,
// package dial knows how.
type dialer struct {
	forHTTP, forHTTPS dial.Dialer
}

// newDialer makes a dialer whose bytes are counted by meter. proxyTLS is for
// proxies of the scheme https, nil for the system's roots.
func newDialer(forHTTP, forHTTPS dial.Proxy, proxyTLS *tls.Config, meter dial.Meter) *dialer {
	return &dialer{
		forHTTP:  dial.Dialer{Proxy: forHTTP, TLS: proxyTLS, Meter: meter},
		forHTTPS: dial.Dialer{Proxy: forHTTPS, TLS: proxyTLS, Meter: meter},
	}
}

// Dial implements [pool.Dialer].
func (d *dialer) Dial(ctx context.Context, t *pool.Target, http1 bool, ready func()) (pool.Conn, error) {
	through := &d.forHTTPS
	if t.Scheme == "http" {
		through = &d.forHTTP
	}
	conn, err := through.Open(ctx, dial.Target{Scheme: t.Scheme, Addr: t.Addr, TLS: t.TLS, HTTP1Only: http1}, ready)
	if err != nil {
		return nil, err // and not a typed nil
	}
	return conn, nil
}

var _ pool.Dialer = (*dialer)(nil)
