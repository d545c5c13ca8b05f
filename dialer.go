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

// newDialer makes a dialer. proxyTLS is for proxies of the scheme https, nil for
// the system's roots.
func newDialer(forHTTP, forHTTPS dial.Proxy, proxyTLS *tls.Config) *dialer {
	return &dialer{
		forHTTP:  dial.Dialer{Proxy: forHTTP, TLS: proxyTLS},
		forHTTPS: dial.Dialer{Proxy: forHTTPS, TLS: proxyTLS},
	}
}

// Dial implements [pool.Dialer].
func (d *dialer) Dial(ctx context.Context, w pool.Dialing) (pool.Conn, error) {
	t, through := w.Target, d.forHTTPS
	if t.Scheme == "http" {
		through = d.forHTTP
	}
	through.Meter = w.Account
	conn, err := through.Open(ctx, dial.Target{Scheme: t.Scheme, Addr: t.Addr, TLS: t.TLS, HTTP1Only: w.HTTP1}, w.Ready)
	if err != nil {
		return nil, err // and not a typed nil
	}
	return conn, nil
}

var _ pool.Dialer = (*dialer)(nil)
