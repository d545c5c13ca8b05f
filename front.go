package proxypool

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// Provision finds the pool, and refuses a front that would be an open proxy or
// that nothing would reach. Errors say where the front's server listens.
func (f *ForwardFront) Provision(ctx caddy.Context) error {
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	err := f.provision(ctx, server)
	if err != nil && server != nil && len(server.Listen) > 0 {
		return fmt.Errorf("forward front on %s: %w", strings.Join(server.Listen, ", "), err)
	}
	return err
}

// provision is Provision on a server, nil where there is none.
func (f *ForwardFront) provision(ctx caddy.Context, server *caddyhttp.Server) error {
	if err := f.resolve(caddy.NewReplacer()); err != nil {
		return err
	}
	if err := f.validate(); err != nil {
		return err
	}
	if err := f.admit(); err != nil {
		return err
	}
	if err := checkSite(ctx, f.allow, f.guarded()); err != nil {
		return err
	}
	var err error
	if f.carrier, err = newCarrier(ctx, f.Pool, &f.ForwardConfig); err != nil {
		return err
	}
	if f.logins, err = newLogins(f.BasicAuth, &f.app.registry.proven); err != nil {
		return err
	}
	if server != nil {
		f.listen, f.accessLog = server.Listen, server.Logs != nil
		server.RegisterOnShutdown(f.shuttingDown)
	}
	f.app.fronts = append(f.app.fronts, f)
	f.warn(ctx)
	return nil
}

// admit reads which clients may use the front, and for what.
func (f *ForwardFront) admit() (err error) {
	if f.allow, err = newAllowList(f.Allow); err != nil {
		return err
	}
	if f.clients, err = newClientList(f.Clients); err != nil {
		return err
	}
	private, err := parsePrefixes("allow_private", f.AllowPrivate)
	if err != nil {
		return err
	}
	f.guard = newGuard(private)
	return nil
}

// warn says what is allowed and is seldom meant.
func (f *ForwardFront) warn(ctx caddy.Context) {
	if len(f.BasicAuth) == 0 {
		return
	}
	if addr, plain := crossesNetworkPlain(ctx); plain {
		f.logger.Warn("passwords for the forward front cross the network unencrypted; give its site a certificate, or bind it to loopback",
			zap.String("listen", addr))
	}
}
