package proxypool

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	// Zones are known by name also on servers and in containers that have no
	// zone database of their own.
	_ "time/tzdata"

	"github.com/caddyserver/caddy/v2"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// AppConfig is the configuration of the proxy_pool app.
type AppConfig struct {
	// Where state and books are kept. "memory" loses them when the process ends.
	// Default: "sqlite", in the file proxy_pool.db in Caddy's data directory.
	StorageRaw json.RawMessage `json:"storage,omitempty" caddy:"namespace=proxy_pool.storage inline_key=module"`

	// The time zone in which days and months begin, for budgets, traffic alerts
	// and usage, as in "Asia/Tehran". Default: the server's.
	Timezone string `json:"timezone,omitempty"`

	// One row for each request, for audit and billing. Default: off.
	UsageLog *UsageLogConfig `json:"usage_log,omitempty"`

	// Who is told when something happens. Default: nobody.
	Alerts *AlertsConfig `json:"alerts,omitempty"`

	// The pools.
	Pools []*PoolConfig `json:"pools,omitempty"`
}

// resolve puts the values of placeholders into the strings of the app's
// configuration and names the pool that has no name, in place. What it leaves
// for later are the URLs of proxies, which are split before their placeholders
// are replaced: see [ProxyConfig.proxies].
func (c *AppConfig) resolve(repl *caddy.Replacer) error {
	if err := resolveWord(repl, "timezone", &c.Timezone); err != nil {
		return err
	}
	if c.UsageLog != nil {
		if err := c.UsageLog.resolve(repl); err != nil {
			return fmt.Errorf("usage_log: %w", err)
		}
	}
	if c.Alerts != nil {
		if err := c.Alerts.resolve(repl); err != nil {
			return fmt.Errorf("alerts: %w", err)
		}
	}
	for i, p := range c.Pools {
		if p == nil {
			return nullEntry("pools", i)
		}
		if err := p.resolve(repl); err != nil {
			return p.mistake(err)
		}
	}
	return nil
}

// validate reports the first mistake in the app's configuration. A string that
// still holds a placeholder is taken to be right.
func (c *AppConfig) validate() error {
	if err := cmp.Or(
		checkStorage(c.StorageRaw),
		c.checkUsageLog(),
		c.checkAlerts(),
		c.checkTimezone(),
	); err != nil {
		return err
	}
	names := make(map[string]bool, len(c.Pools))
	for i, p := range c.Pools {
		if p == nil {
			return nullEntry("pools", i)
		}
		if err := p.validate(); err != nil {
			return p.mistake(err)
		}
		if names[p.name()] {
			return p.mistake(errTwice)
		}
		names[p.name()] = true
	}
	return nil
}

func (c *AppConfig) checkUsageLog() error {
	if c.UsageLog == nil {
		return nil
	}
	if err := c.UsageLog.validate(); err != nil {
		return fmt.Errorf("usage_log: %w", err)
	}
	return nil
}

func (c *AppConfig) checkAlerts() error {
	if c.Alerts == nil {
		return nil
	}
	if err := c.Alerts.validate(); err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	return nil
}

func (c *AppConfig) checkTimezone() error {
	if hasPlaceholder(c.Timezone) {
		return nil
	}
	if _, err := c.location(); err != nil {
		return fmt.Errorf("timezone: expected a name such as Asia/Tehran, got %s", parse.Quote(c.Timezone))
	}
	return nil
}

// location is the configured time zone, or the server's.
func (c *AppConfig) location() (*time.Location, error) {
	if c.Timezone == "" {
		return time.Local, nil
	}
	return time.LoadLocation(c.Timezone)
}

func checkStorage(raw json.RawMessage) error {
	if absent(raw) {
		return nil
	}
	name := moduleNamed(raw, "module")
	if name == "" {
		return errors.New(`storage: expected a "module", the name of a store`)
	}
	_, err := findModule("storage", storageNamespace, name)
	return err
}

// moduleNamed is the name of the module that raw configures, "" where the key for it
// does not hold one. Keys are told apart by case, as Caddy does, whose error for a
// missing one would show all of raw, and so passwords and tokens.
func moduleNamed(raw json.RawMessage, key string) (name string) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || json.Unmarshal(fields[key], &name) != nil {
		return ""
	}
	return name
}

func absent(raw json.RawMessage) bool {
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}
