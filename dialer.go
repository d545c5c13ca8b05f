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
	pool              string // whose proxy it is
	errands           *errands
}

// newDialer makes a dialer for a proxy of the pool. proxyTLS is for proxies of the
// scheme https, nil for the system's roots.
func newDialer(pool string, hand handout, proxyTLS *tls.Config, e *errands) *dialer {
	forHTTP, forHTTPS := hand.forHTTP, hand.forHTTPS
	return &dialer{
		pool:     pool,
		errands:  e,
		forHTTP:  dial.Dialer{Proxy: forHTTP, TLS: proxyTLS},
		forHTTPS: dial.Dialer{Proxy: forHTTPS, TLS: proxyTLS},
	}
}

// Dial implements [pool.Dialer].
func (d *dialer) Dial(ctx context.Context, w pool.Dialing) (pool.Conn, error) {
	t, through := w.Target, d.through(w)
	conn, err := through.Open(ctx, dial.Target{Scheme: t.Scheme, Addr: t.Addr, TLS: targetTLS(w), HTTP1Only: w.HTTP1}, w.Ready)
	if err != nil {
		return nil, err // and not a typed nil
	}
	if conn.AbsoluteForm() {
		return &errandConn{conn, d}, nil
	}
	return conn, nil
}

// targetTLS is for TLS with the target; nil stands for defaults.
func targetTLS(w pool.Dialing) *tls.Config {
	config := w.Target.TLS
	if w.Whole && config != nil {
		config = config.Clone()
		config.ClientSessionCache = nil // there is nothing to resume
	}
	return config
}

// Tunnel implements [pool.Dialer]. What can be tunnelled is the client's secret,
// so that a probe learns no more than whether anybody answers at the other end.
func (d *dialer) Tunnel(ctx context.Context, w pool.Dialing) (pool.Pipe, error) {
	through := d.through(w)
	open := through.Tunnel
	if w.Probe {
		open = through.Probe
	}
	conn, err := open(ctx, w.Target.Addr, w.Ready)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// through is the dialer for what is wanted.
func (d *dialer) through(w pool.Dialing) dial.Dialer {
	through := d.forHTTPS
	if w.Target.Scheme == "http" {
		through = d.forHTTP
	}
	through.Meter = w.Account
	through.Via = via(w.Via).with(d.pool).String()
	if g := guard(w.Target.Guard()); g != "" && through.Proxy.Scheme == "direct" {
		through.Control = g.control
	}
	return through
}

var _ pool.Dialer = (*dialer)(nil)
