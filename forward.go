package proxypool

import (
	"net/http"
	"net/netip"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-proxypool/proxypool/pool"
)

// ForwardFront is the forward front: it takes CONNECT and absolute-form
// requests from clients that know it as their proxy, and sends them through the
// cheapest proxy of a pool that works.
type ForwardFront struct {
	FrontConfig

	app     *App
	pool    *livePool
	trust   trust
	forward *pool.Forwarder
	logger  *zap.Logger

	allow   allowList
	clients clientList
	logins  *logins
	private []netip.Prefix // what direct may reach all the same
}

// CaddyModule returns the Caddy module information.
func (*ForwardFront) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.proxy_pool_forward", New: func() caddy.Module { return new(ForwardFront) }}
}

// ServeHTTP hands everything on.
func (*ForwardFront) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*ForwardFront)(nil)
	_ caddyhttp.MiddlewareHandler = (*ForwardFront)(nil)
)
