package proxypool

import (
	"context"
	"net/http"
	"sync"

	"github.com/caddy-proxypool/proxypool/dial"
)

// errands are the requests in absolute-form that are with a proxy now: our end of
// the connection to the pools that the request went through. A request that comes
// from there is the same one, gone round. It cannot say so itself as CONNECT does:
// what is in its header reaches the target.
type errands struct{ list sync.Map } // string to via

// of is what is known of a request that came from an address.
func (e *errands) of(client string) via {
	if v, ok := e.list.Load(client); ok {
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
	e, from := c.dialer.errands, c.LocalAddr().String()
	e.list.Store(from, viaFrom(req.Context()).with(c.dialer.pool))
	defer e.list.Delete(from)
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
