package proxypool

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// Provision finds the pool, and refuses a front that would be an open proxy or
// that nothing would reach.
func (f *ForwardFront) Provision(ctx caddy.Context) error {
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
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
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
