package proxypool

import (
	"log"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-proxypool/proxypool/pool"
)

// carrier is what both fronts forward with.
type carrier struct {
	app      *App
	pool     *livePool
	trust    trust
	forward  *pool.Forwarder
	logger   *zap.Logger
	errorLog *log.Logger // of ReverseProxy
}

// newCarrier finds the pool of a front.
func newCarrier(ctx caddy.Context, poolName string, f *ForwardConfig) (c carrier, err error) {
	if c.app, c.pool, err = loadPool(ctx, poolName); err != nil {
		return c, err
	}
	if c.trust, err = c.pool.trustOf(ctx, c.app, f); err != nil {
		return c, err
	}
	c.forward = pool.NewForwarder(c.pool.Pool, f.Over(c.pool.forward).forwarding())
	c.logger = ctx.Logger()
	c.errorLog, err = zap.NewStdLogAt(c.logger, zapcore.DebugLevel)
	return c, err
}

// trustOf is the trust of a front: its own, or its pool's.
func (l *livePool) trustOf(ctx caddy.Context, app *App, f *ForwardConfig) (trust, error) {
	if absent(f.TLSTrustPoolRaw) {
		return l.trust, nil
	}
	return app.registry.loadTrust(ctx, f, f.TLSTrustPoolRaw)
}

// removeTraces removes what would tell the target of the app: fields that
// proxies and Caddy add about the client.
func removeTraces(header http.Header) {
	for field := range header {
		switch {
		case strings.HasPrefix(field, "X-Forwarded-"), field == "Forwarded", field == "Via", field == "X-Real-Ip":
			delete(header, field)
		}
	}
}
