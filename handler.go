package proxypool

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-proxypool/proxypool/pool"
)

// Handler is the reverse front: it forwards a route to one target through the
// cheapest proxy of a pool that works.
//
// It stands on net/http/httputil.ReverseProxy and not on Caddy's reverse_proxy,
// because all that Caddy's adds (upstreams, balancing, retries, buffering) is
// what the pool does for itself, and costs about a third of the requests per
// second: docs/performance.md has the figures. ReverseProxy does what is left,
// and does it well: hop-by-hop fields, trailers, upgrades, streaming, 1xx.
type Handler struct {
	HandlerConfig

	carrier
	url   *url.URL
	known atomic.Pointer[pool.Target]
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.proxy_pool", New: func() caddy.Module { return new(Handler) }}
}

// Provision finds the pool and the target.
func (h *Handler) Provision(ctx caddy.Context) error {
	if err := h.resolve(caddy.NewReplacer()); err != nil {
		return err
	}
	if err := h.validate(); err != nil {
		return err
	}
	var err error
	if h.carrier, err = newCarrier(ctx, h.Pool, &h.ForwardConfig); err != nil {
		return err
	}
	if h.url, err = targetURL(h.Target); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	return nil
}

// targetURL is the URL of a target as requests name it: without the port where
// that is the scheme's own, because clients leave it out of Host, too.
func targetURL(raw string) (*url.URL, error) {
	scheme, addr, err := parseTarget(raw)
	if err != nil {
		return nil, err
	}
	if own := map[string]string{"http": ":80", "https": ":443"}[scheme]; strings.HasSuffix(addr, own) {
		addr = strings.TrimSuffix(addr, own)
	}
	return &url.URL{Scheme: scheme, Host: addr}, nil
}

// ServeHTTP forwards one request. Only the configured target is ever reached,
// whatever the request line says.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	p := &passage{carrier: &h.carrier, writer: w, to: h}
	p.placeholders(r)
	if r.Method == http.MethodConnect {
		w.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
		http.Error(w, "CONNECT is for a forward proxy; this one only forwards to its own target", http.StatusMethodNotAllowed)
		return nil
	}
	if r.URL.Opaque != "" {
		// "x:http://elsewhere/" would reach the target in absolute-form, and win
		// over Host there (RFC 9112, 3.2.2).
		http.Error(w, "the request target is no path", http.StatusBadRequest)
		return nil
	}
	return p.forwardAs(r, h.rewrite)
}

// target is what is known of the target. It was made by the first request, and
// is made anew where it was forgotten because others were asked for.
func (h *Handler) target() *pool.Target {
	if t := h.known.Load(); t != nil && !t.Evicted() {
		return t
	}
	t := h.pool.target(h.url, h.trust)
	h.known.Store(t)
	return t
}

// rewrite makes the request one for the target.
func (h *Handler) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.User = h.url.Scheme, h.url.Host, nil
	r.Out.Host = h.url.Host
	// As the client wrote it: what ReverseProxy could not parse is not ours to drop.
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	// Not a copy: its values come when the body was read.
	r.Out.Trailer = r.In.Trailer
	removeTraces(r.Out.Header)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
