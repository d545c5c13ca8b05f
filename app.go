package proxypool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-proxypool/proxypool/books"
	parse "github.com/caddy-proxypool/proxypool/caddyfile"
	"github.com/caddy-proxypool/proxypool/health"
)

// App owns the pools: it makes them of the configuration, keeps them healthy
// from Start to Stop, and gives them to whoever forwards through them. A pool
// works from Provision on, because the servers may start before this app.
type App struct {
	AppConfig

	pools    []*livePool
	fronts   []*ForwardFront // of this configuration
	registry *registry
	books    *books.Books
	begun    <-chan struct{}
	settings books.Settings
	redact   []books.Rule
	where    *time.Location
	checker  *health.Checker
	alerting alerting
	emitter  *emitter
	logger   *zap.Logger
	holds    bool  // the registry, to be released
	number   int64 // a later configuration has a higher one
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "proxy_pool", New: func() caddy.Module { return new(App) }}
}

// Provision makes the pools. It opens no connection and no store, and starts
// nothing.
func (a *App) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger()
	if err := a.resolve(caddy.NewReplacer()); err != nil {
		return err
	}
	if err := a.validate(); err != nil {
		return err
	}
	if err := a.loadStorage(ctx); err != nil {
		return err
	}
	var err error
	if a.where, err = a.location(); err != nil {
		return err
	}
	registry, err := acquireRegistry()
	if err != nil {
		return err
	}
	a.registry, a.books, a.begun, a.holds = registry, registry.books, registry.begun, true
	a.number = registry.nextNumber()
	if a.emitter, err = newEmitter(ctx, a.logger); err != nil {
		return err
	}
	if err := a.makePools(ctx); err != nil {
		return err
	}
	if err := a.loadAlerts(ctx); err != nil {
		return err
	}
	return a.registerMetrics(ctx)
}

// makePools builds every pool and the checker that looks after them.
func (a *App) makePools(ctx caddy.Context) error {
	var settings []health.Settings
	for _, config := range a.Pools {
		built, checks, err := a.makePool(ctx, config)
		if err != nil {
			return config.mistake(err)
		}
		a.pools = append(a.pools, built)
		settings = append(settings, checks)
	}
	a.checker = health.New(settings)
	return nil
}

// Start makes the pools' state follow this configuration and begins the checks.
func (a *App) Start() error {
	for _, warning := range a.alerting.warnings {
		a.logger.Warn(warning)
	}
	a.registry.started(a)
	a.checker.Start()
	return nil
}

// Stop ends the checks. Requests that run go on. Where this configuration is
// given up because another part of it did not start, the state follows the one
// before again, which goes on.
func (a *App) Stop() error {
	a.checker.Stop()
	a.registry.stopped(a)
	a.emitter.end()
	return nil
}

// adopt makes the state follow this configuration.
func (a *App) adopt() {
	configured := make(map[string]bool, len(a.pools))
	for _, p := range a.pools {
		p.Adopt()
		configured[p.Name] = true
	}
	a.registry.keepOnly(configured)
}

// Cleanup lets go of what outlives a reload, unless another configuration uses it.
func (a *App) Cleanup() error {
	if !a.holds {
		return nil
	}
	a.holds = false
	return releaseRegistry()
}

// pool is the pool of a name; no name stands for the only pool there is.
func (a *App) pool(name string) (*livePool, error) {
	if name == "" && len(a.pools) == 1 {
		return a.pools[0], nil
	}
	var names []string
	for _, p := range a.pools {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	slices.Sort(names)
	known := strings.Join(names, ", ")
	switch {
	case len(a.pools) == 0:
		return nil, errors.New("no pool is configured, expected one in the proxy_pool app")
	case name == "":
		return nil, fmt.Errorf("expected the name of a pool, one of %s", known)
	default:
		return nil, fmt.Errorf("pool %s does not exist, expected one of %s", parse.Quote(name), known)
	}
}

// loadPool finds a pool for a module that forwards through it.
func loadPool(ctx caddy.Context, name string) (*App, *livePool, error) {
	value, err := ctx.AppIfConfigured("proxy_pool")
	if err != nil {
		return nil, nil, fmt.Errorf("the proxy_pool app is needed, with a pool: %w", err)
	}
	app := value.(*App)
	p, err := app.pool(name)
	return app, p, err
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
