package pool

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
)

// dial makes a connection, or a tunnel where the target is one's.
func (p *Proxy) dial(ctx context.Context, d Dialing) (Conn, error) {
	if !d.Target.tunnelled() {
		return p.Dialer.Dial(ctx, d)
	}
	pipe, err := p.Dialer.Tunnel(ctx, d)
	if err != nil {
		return nil, err
	}
	return &tunnelConn{Pipe: pipe}, nil
}

// tunnelConn is a tunnel among the connections that race: one for a single use,
// which is given out once and carries no requests of ours.
type tunnelConn struct {
	Pipe
	claimed, closed atomic.Bool
}

func (c *tunnelConn) Reserve() bool { return !c.closed.Load() && c.claimed.CompareAndSwap(false, true) }

func (c *tunnelConn) Release() {}

func (c *tunnelConn) Alive() bool { return !c.closed.Load() }

func (c *tunnelConn) InFlight() int {
	if c.claimed.Load() {
		return 1
	}
	return 0
}

func (c *tunnelConn) Multiplexed() bool { return false }

func (c *tunnelConn) ProxyMade(*http.Response) bool { return false }

var errTunnel = errors.New("a tunnel carries no requests")

func (c *tunnelConn) Unheard() bool { return false }

func (c *tunnelConn) Ping(context.Context) error { return errTunnel }

func (c *tunnelConn) RoundTrip(*http.Request) (*http.Response, error) { return nil, errTunnel }

func (c *tunnelConn) Close() error {
	c.closed.Store(true)
	return c.Pipe.Close()
}
