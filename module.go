// Package proxypool puts a cost-ordered pool of upstream forward proxies behind
// Caddy: every request goes out through the cheapest proxy that works now, and
// a failure fails over to the next within the same request.
//
// This file registers everything that the package adds to Caddy. The app
// (app.go) owns the pools; the handlers and the admin API ask it for them.
// What a pool does is in package pool, how a target is reached in package dial,
// how proxies are checked in package health, how the books are kept in package
// books, and where in the packages below storage.
package proxypool

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	// The notifiers and the stores register themselves.
	_ "github.com/caddy-proxypool/proxypool/alert/telegram"
	_ "github.com/caddy-proxypool/proxypool/alert/webhook"
	_ "github.com/caddy-proxypool/proxypool/storage/memory"
	_ "github.com/caddy-proxypool/proxypool/storage/sqlite"
)

func init() {
	caddy.RegisterModule(App{})
	caddy.RegisterModule(new(Handler))
	caddy.RegisterModule(new(ForwardFront))
	caddy.RegisterModule(new(Dashboard))
	caddy.RegisterModule(Transport{})
	caddy.RegisterModule(NetworkProxy{})
	caddy.RegisterModule(adminAPI{})

	httpcaddyfile.RegisterGlobalOption("proxy_pool", parseGlobalOption)
	httpcaddyfile.RegisterHandlerDirective("proxy_pool", parseHandlerDirective)
	httpcaddyfile.RegisterHandlerDirective(forwardDirective, parseForwardDirective)

	httpcaddyfile.RegisterDirective(dashboardDirective, parseDashboardDirective)

	// The dashboard comes before the fronts, which would take its paths for their
	// own; what is for a proxy it hands on.
	httpcaddyfile.RegisterDirectiveOrder(dashboardDirective, httpcaddyfile.Before, "reverse_proxy")
	// The forward front comes first: what is not for a proxy it hands on.
	httpcaddyfile.RegisterDirectiveOrder(forwardDirective, httpcaddyfile.Before, "reverse_proxy")
	httpcaddyfile.RegisterDirectiveOrder("proxy_pool", httpcaddyfile.Before, "reverse_proxy")

	caddycmd.RegisterCommand(command())
}
