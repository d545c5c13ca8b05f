package proxypool

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/health"
	"github.com/caddy-proxypool/proxypool/pool"
)

// livePool is a pool with what its fronts inherit from its configuration.
type livePool struct {
	*pool.Pool
	forward ForwardConfig // complete, but for the trust pool
	trust   trust
	hands   map[string]handout // by proxy
}

// makePool builds a pool and the settings of its checks.
func (a *App) makePool(ctx caddy.Context, config *PoolConfig) (*livePool, health.Settings, error) {
	state := a.registry.state(config.Name)
	live := &livePool{forward: config.Over(defaultForward()), hands: make(map[string]handout)}
	var err error
	if live.trust, err = a.registry.loadTrust(ctx, &config.ForwardConfig, config.TLSTrustPoolRaw); err != nil {
		return nil, health.Settings{}, err
	}
	checks := config.HealthCheck.withDefaults()
	pc := pool.Config{
		Name:          config.Name,
		Order:         cmp.Or(pool.Order(config.Order), pool.OrderFirst),
		PreferHealthy: config.PreferHealthy != nil && *config.PreferHealthy,
		Options:       live.forward.forwarding(),
		Checks:        checks.schedule(),
		Location:      a.where,
		OnEvent:       a.tell,
		OnBudget:      a.tellBudget,
		OnDue:         func() { a.checker.Wake() },
	}
	for _, proxy := range config.Proxies {
		built, err := a.makeProxy(ctx, live, config, proxy)
		if err != nil {
			return nil, health.Settings{}, proxy.mistake(err)
		}
		pc.Proxies = append(pc.Proxies, built)
	}
	for _, block := range config.Block {
		set := block.withDefaults()
		pc.Blocks = append(pc.Blocks, pool.BlockRule{
			Status: set.Status, Header: set.Header, For: time.Duration(*set.For), Tries: *set.Tries,
		})
	}
	live.Pool = pool.New(pc, state)
	settings, err := live.checkSettings(checks)
	return live, settings, err
}

// makeProxy builds one proxy. Its state counts the bytes of its connections.
func (a *App) makeProxy(ctx caddy.Context, l *livePool, config *PoolConfig, c *ProxyConfig) (pool.ProxyConfig, error) {
	forHTTP, forHTTPS, err := c.proxies(caddy.NewReplacer())
	if err != nil {
		return pool.ProxyConfig{}, err
	}
	trusted, err := a.registry.loadTrust(ctx, c, c.TLSTrustPoolRaw)
	if err != nil {
		return pool.ProxyConfig{}, err
	}
	hand := handout{forHTTP, forHTTPS}
	l.hands[c.Name] = hand
	kind := cmp.Or(pool.Type(c.Type), pool.TypeOther)
	built := pool.ProxyConfig{
		Name: c.Name, Type: kind, URL: forHTTPS.String(),
		Address:   forHTTP.String() + " " + forHTTPS.String(),
		CostPerGB: c.CostPerGB, CostPerMonth: c.CostPerMonth,
		Budget: c.Budget.budget(), TrafficAlert: c.trafficAlert(),
		MaxFailures:  *cmp.Or(c.MaxFailures, config.MaxFailures, new(defaultMaxFailures)),
		Priority:     pool.DefaultPriority(kind, forHTTPS.Scheme == "direct", c.CostPerGB),
		Identity:     identity(forHTTP, forHTTPS, trusted.id),
		TwoAddresses: forHTTP != forHTTPS,
		Dialer:       newDialer(config.Name, hand, trusted.config(), &a.registry.errands),
	}
	if c.Priority != nil {
		built.Priority = *c.Priority
	}
	return built, nil
}

// budget is the budget as the pool keeps to it. It may be called on nil, which
// is none.
func (c *BudgetConfig) budget() pool.Budget {
	if c == nil {
		return pool.Budget{}
	}
	return pool.Budget{Bytes: c.bytes(), Money: pool.Dollars(c.dollars()), Per: pool.Period(c.Per), Hard: c.Hard}
}

// identity stands for how a proxy is reached, password included, without
// holding any of it.
func identity(forHTTP, forHTTPS dial.Proxy, trustID string) string {
	h := sha256.New()
	for _, p := range []dial.Proxy{forHTTP, forHTTPS} {
		fmt.Fprintf(h, "%q %q %t %q %q\n", p.Scheme, p.Addr, p.HasAuth, p.Username, p.Password)
	}
	fmt.Fprintf(h, "%q\n", trustID)
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// checkSettings says how the pool's proxies are checked.
func (l *livePool) checkSettings(c HealthCheckConfig) (health.Settings, error) {
	s := health.Settings{
		Pool: l.Pool, Expect: c.Expect,
		Timeout: time.Duration(*c.Timeout), Concurrency: *c.Concurrency,
	}
	if c.Disabled {
		return s, nil
	}
	schemes := make(map[string]bool)
	for _, raw := range c.URLs {
		u, err := url.Parse(raw)
		if err != nil {
			return s, fmt.Errorf("health_check: %w", checkURL(raw))
		}
		schemes[u.Scheme] = true
		s.Probes = append(s.Probes, health.Probe{URL: u, Target: func() *pool.Target { return l.target(u, l.trust) }})
	}
	if !schemes["http"] || !schemes["https"] {
		other := map[bool]string{true: "https", false: "http"}[schemes["http"]]
		for _, p := range s.Probes {
			u := &url.URL{Scheme: other, Host: p.URL.Hostname(), Path: "/"}
			s.Counterparts = append(s.Counterparts, health.Probe{URL: u, Target: func() *pool.Target { return l.target(u, l.trust) }, AnyStatus: true})
		}
	}
	return s, nil
}

// target is what is known of the host of a URL.
func (l *livePool) target(u *url.URL, t trust) *pool.Target {
	return l.State().Target(pool.TargetKey{Scheme: u.Scheme, Addr: targetAddr(u), Trust: t.id}, t.config)
}

// targetAddr is the "host:port" of a URL, in lower case and with its port.
func targetAddr(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), port)
}

// forwarding is what the request path works with.
func (f ForwardConfig) forwarding() pool.Options {
	o := pool.Options{
		ConnectTimeout:    time.Duration(*f.ConnectTimeout),
		HedgeDelay:        time.Duration(*f.HedgeDelay),
		HedgeMeteredDelay: time.Duration(*f.HedgeMeteredDelay),
		ResponseTimeout:   time.Duration(*f.ResponseTimeout),
		MaxTries:          *f.MaxTries,
		ReplayBuffer:      *f.ReplayBuffer,
		RetryUnsafe:       *f.RetryUnsafe,
		Keepalive:         time.Duration(*f.Keepalive),
	}
	if *f.HedgeDelay == HedgeAuto {
		o.HedgeDelay = pool.Auto
	}
	return o
}

// schedule says when proxies are checked.
func (c HealthCheckConfig) schedule() pool.Checks {
	return pool.Checks{
		Disabled:         c.Disabled,
		Interval:         time.Duration(*c.Interval),
		MeteredInterval:  time.Duration(*c.MeteredInterval),
		RecoveryInterval: min(time.Duration(*c.RecoveryInterval), time.Duration(*c.Interval)),
		Passes:           *c.Passes,
		Slow:             time.Duration(*c.Slow),
	}
}
