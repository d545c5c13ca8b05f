package proxypool

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/caddy-proxypool/proxypool/dial"
)

// errands are the requests in absolute-form that are with a proxy now: the
// connection to the pools that the request went through. A request that comes out
// of its other end is the same one, gone round. It cannot say so itself as CONNECT
// does: what is in its header reaches the target.
type errands struct{ list sync.Map } // wireEnds to via

// wireEnds are the ends of a connection, ours first.
type wireEnds struct{ here, there string }

// of is what is known of a request that came to one of our servers.
func (e *errands) of(r *http.Request) via {
	server, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return ""
	}
	if v, ok := e.list.Load(wireEnds{r.RemoteAddr, server.String()}); ok {
		return v.(via)
	}
	return ""
}

// errandConn is a connection to a proxy that takes requests in absolute-form.
type errandConn struct {
	*dial.HTTPConn
	dialer *dialer
}

// RoundTrip lists the request until its answer has begun.
func (c *errandConn) RoundTrip(req *http.Request) (*http.Response, error) {
	e, ends := c.dialer.errands, wireEnds{c.LocalAddr().String(), c.RemoteAddr().String()}
	e.list.Store(ends, viaFrom(req.Context()).with(c.dialer.pool))
	defer e.list.Delete(ends)
	return c.HTTPConn.RoundTrip(req)
}

type viaKey struct{}

// withVia remembers what a request went through already.
func withVia(r *http.Request, v via) *http.Request {
	if v == "" {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), viaKey{}, v))
}

func viaFrom(ctx context.Context) via {
	v, _ := ctx.Value(viaKey{}).(via)
	return v
}
