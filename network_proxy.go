package proxypool

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// NetworkProxy names the proxy in use to whatever in Caddy takes a network
// proxy: the HTTP transport of reverse_proxy, and ACME issuers (in JSON alone):
//
//	{"from": "proxy_pool", "pool": "main"}
//
// It is asked for each request, and answers with a free proxy, with a metered one
// only where no free one is usable and its budget is not hard, and with no proxy
// where direct is the one in use. Where none is usable the request fails: it
// never goes out directly, unless the pool lists direct.
//
// Caddy does the rest itself, past the pool. Nothing of it is counted, checked,
// hedged or failed over, and only the health of proxies counts, not what is known
// of one target. TLS with a proxy of the scheme https is the transport's, too: the
// proxy's tls_trust_pool is not used. For all of that there is the transport
// proxy_pool.
//
// On HTTP/1.1 the first request after a change goes through the other proxy. A
// connection of HTTP/2 that stands is used on without asking, whichever proxy it
// leads through and whatever became of it; so reverse_proxy is better off with:
//
//	versions 1.1
//
// For HTTP/3 no network proxy is asked at all, which is refused.
//
// To an upstream without TLS, reverse_proxy sends the Host of its client, and
// net/http asks an HTTP proxy for that host in place of the upstream. Such a
// request is refused. It needs in reverse_proxy:
//
//	header_up Host {upstream_hostport}
type NetworkProxy struct {
	// The name of the pool whose proxy is used. Default: the only pool.
	Pool string `json:"pool,omitempty"`

	app  *App
	pool *livePool
}

// CaddyModule returns the Caddy module information.
func (NetworkProxy) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.network_proxy.proxy_pool", New: func() caddy.Module { return new(NetworkProxy) }}
}

// Provision finds the pool.
func (n *NetworkProxy) Provision(ctx caddy.Context) error {
	err := cmp.Or(resolveWord(caddy.NewReplacer(), "pool", &n.Pool), n.validate())
	if err != nil {
		return err
	}
	if n.app, n.pool, err = loadPool(ctx, n.Pool); err != nil {
		return err
	}
	return checkVersions(ctx)
}

// checkVersions looks at the transport that asks for proxies, where it is that
// of reverse_proxy.
func checkVersions(ctx caddy.Context) error {
	lineage := ctx.Modules()
	if len(lineage) < 2 {
		return nil
	}
	transport, ok := lineage[len(lineage)-2].(*reverseproxy.HTTPTransport)
	if !ok {
		return nil
	}
	if slices.Contains(transport.Versions, "3") {
		return errors.New("versions 3: no network proxy is asked for HTTP/3, so that requests would go out directly")
	}
	if transport.TLS != nil && slices.Contains(transport.Versions, "2") {
		ctx.Logger().Warn("connections of HTTP/2 are used on whichever proxy they lead through, also when it is down; " +
			"give the transport of reverse_proxy the option \"versions 1.1\" to change over at once")
	}
	return nil
}

func (n *NetworkProxy) validate() error { return checkPoolRef(n.Pool) }

// ProxyFunc implements caddy.ProxyFuncProducer.
func (n *NetworkProxy) ProxyFunc() func(*http.Request) (*url.URL, error) { return n.proxyFor }

// proxyFor is the address of the proxy in use, nil for direct. As no byte of the
// request was sent, the error is one that reverse_proxy always may try again.
func (n *NetworkProxy) proxyFor(r *http.Request) (*url.URL, error) {
	n.app.begin(r.Context())
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	proxy, hand := n.pool.handOut(nil)
	if proxy == nil {
		return nil, reverseproxy.NewDialError(fmt.Errorf("asking pool %s for a proxy: none is usable", n.pool.Name))
	}
	address := hand.address(r.URL.Scheme)
	if address != nil && strings.HasPrefix(address.Scheme, "http") && misdirected(r) {
		return nil, errMisdirected
	}
	return address, nil
}

var errMisdirected = errors.New("choosing network proxy: an HTTP proxy would be asked for the Host of the request, " +
	"which is not the upstream's; reverse_proxy needs header_up Host {upstream_hostport}")

// misdirected reports whether an HTTP proxy would be asked for another host than
// the request is for: net/http writes Host into the absolute-form of http://, and
// there it is the client's choice.
func misdirected(r *http.Request) bool {
	if r.URL.Scheme != "http" || r.Host == "" {
		return false
	}
	asked, err := hostPort(r.Host, r.URL.Scheme)
	if err != nil {
		return true
	}
	wanted, err := hostPort(r.URL.Host, r.URL.Scheme)
	return err != nil || asked != wanted
}

// Interface guards
var (
	_ caddy.Provisioner       = (*NetworkProxy)(nil)
	_ caddy.ProxyFuncProducer = (*NetworkProxy)(nil)
)
