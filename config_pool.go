package proxypool

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
	"github.com/caddy-proxypool/proxypool/pool"
)

// defaultPoolName is the name of a pool that was given none.
const defaultPoolName = "default"

// defaultMaxFailures is how many failures in a row make a proxy down.
const defaultMaxFailures = 3

var errTwice = errors.New("given twice; its name must be its own")

// PoolConfig is the configuration of a pool: an ordered set of proxies.
type PoolConfig struct {
	// The name that handlers, URLs and metrics know the pool by: 1 to 64 of
	// A-Z a-z 0-9 . _ - but not "direct". Default: "default".
	Name string `json:"name,omitempty"`

	// The proxies, at least one. Their names must differ.
	Proxies []*ProxyConfig `json:"proxies,omitempty"`

	// How many failures in a row make a proxy down, and a route failing.
	// At least 1. Default: 3.
	MaxFailures *int `json:"max_failures,omitempty"`

	// The order of proxies whose priority and cost are equal: "first" (as they
	// are listed), "round_robin" or "least_latency". Default: "first".
	Order string `json:"order,omitempty"`

	// Whether degraded proxies come after every healthy one. Default: false.
	PreferHealthy *bool `json:"prefer_healthy,omitempty"`

	// How a request is forwarded, unless the handler says otherwise.
	ForwardConfig

	// The active health checks. Default: on.
	HealthCheck *HealthCheckConfig `json:"health_check,omitempty"`

	// How an answer is recognised with which a target blocks a proxy. Default:
	// none, every answer is passed on.
	Block []*BlockConfig `json:"block,omitempty"`
}

// name is the pool's name, also where it was given none.
func (c *PoolConfig) name() string { return cmp.Or(c.Name, defaultPoolName) }

// mistake says in which pool a mistake is.
func (c *PoolConfig) mistake(err error) error {
	return fmt.Errorf("pool %s: %w", parse.Quote(c.name()), err)
}

func (c *PoolConfig) resolve(repl *caddy.Replacer) error {
	c.Name = c.name()
	if err := resolveWord(repl, "name", &c.Name); err != nil {
		return err
	}
	for i, p := range c.Proxies {
		if p == nil {
			return nullEntry("proxies", i)
		}
		if err := resolveText(repl, "name", &p.Name); err != nil {
			return p.mistake(err)
		}
	}
	if c.HealthCheck != nil {
		if err := c.HealthCheck.resolve(repl); err != nil {
			return fmt.Errorf("health_check: %w", err)
		}
	}
	for i, b := range c.Block {
		if b == nil {
			return nullEntry("block", i)
		}
		if err := b.resolve(repl); err != nil {
			return fmt.Errorf("block: %w", err)
		}
	}
	return nil
}

// validate reports the first mistake in the pool, without its name.
func (c *PoolConfig) validate() error {
	if err := cmp.Or(checkPoolName(c.name()), c.validateOptions()); err != nil {
		return err
	}
	names := make(map[string]bool, len(c.Proxies))
	for i, p := range c.Proxies {
		if p == nil {
			return nullEntry("proxies", i)
		}
		if err := p.validate(); err != nil {
			return p.mistake(err)
		}
		if names[p.Name] {
			return p.mistake(errTwice)
		}
		names[p.Name] = true
	}
	if c.HealthCheck != nil {
		if err := c.HealthCheck.validate(); err != nil {
			return fmt.Errorf("health_check: %w", err)
		}
	}
	for i, b := range c.Block {
		if b == nil {
			return nullEntry("block", i)
		}
		if err := b.validate(); err != nil {
			return fmt.Errorf("block: %w", err)
		}
	}
	return c.validateComplete()
}

// validateOptions checks the pool's own options.
func (c *PoolConfig) validateOptions() error {
	return cmp.Or(
		within("max_failures", c.MaxFailures, 1, maxCount),
		oneOf("order", c.Order, pool.OrderFirst, pool.OrderRoundRobin, pool.OrderLeastLatency),
		c.ForwardConfig.validate(),
	)
}

// validateComplete reports what the pool lacks.
func (c *PoolConfig) validateComplete() error {
	if len(c.Proxies) == 0 {
		return errors.New("expected at least one proxy")
	}
	return nil
}

// checkPoolName refuses a name that no pool can have.
func checkPoolName(name string) error {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	switch {
	case hasPlaceholder(name):
		return nil
	case name == "direct":
		return errors.New(`expected another name than "direct", which stands for no proxy at all`)
	case name == "", name == ".", name == "..", len(name) > 64, strings.Trim(name, letters) != "":
		return fmt.Errorf("expected a name of 1 to 64 of A-Z a-z 0-9 . _ -, got %s", parse.Quote(name))
	}
	return nil
}
