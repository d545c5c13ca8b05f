package proxypool

import (
	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-proxypool/proxypool/pool"
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
	if f.app, f.pool, err = loadPool(ctx, f.Pool); err != nil {
		return err
	}
	if f.trust, err = f.pool.trustOf(ctx, f.app, &f.ForwardConfig); err != nil {
		return err
	}
	f.forward = pool.NewForwarder(f.pool.Pool, f.ForwardConfig.Over(f.pool.forward).forwarding())
	f.logger = ctx.Logger()
	f.warn(ctx)
	return nil
}

// admit reads who may use the front, and for what.
func (f *ForwardFront) admit() (err error) {
	if f.allow, err = newAllowList(f.Allow); err != nil {
		return err
	}
	if f.clients, err = newClientList(f.Clients); err != nil {
		return err
	}
	if f.private, err = parsePrefixes("allow_private", f.AllowPrivate); err != nil {
		return err
	}
	f.logins, err = newLogins(f.BasicAuth)
	return err
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
