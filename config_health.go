package proxypool

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// defaultCheckURLs are asked for where the configuration names no others.
var defaultCheckURLs = []string{"https://api.telegram.org/botTEST/getMe", "https://www.google.com"}

// HealthCheckConfig is the configuration of a pool's active health checks.
type HealthCheckConfig struct {
	// No checks at all.
	Disabled bool `json:"disabled,omitempty"`

	// What is asked for through each proxy, in turn: the first that passes is
	// the verdict. Default: https://api.telegram.org/botTEST/getMe and
	// https://www.google.com.
	URLs []string `json:"urls,omitempty"`

	// The statuses that pass. One digit stands for its class: 2 is 2xx.
	// Default: 200, 401 and 404.
	Expect []int `json:"expect,omitempty"`

	// How long after a check the next one is due. Default: 60s.
	Interval *caddy.Duration `json:"interval,omitempty"`

	// The same through a proxy that is billed by the gigabyte, counted from the
	// last check or successful request. Default: 10m.
	MeteredInterval *caddy.Duration `json:"metered_interval,omitempty"`

	// How long after it went down a proxy is checked first; the wait doubles up
	// to the interval. Default: 5s.
	RecoveryInterval *caddy.Duration `json:"recovery_interval,omitempty"`

	// How many checks in a row, recovery_interval apart, must pass before a
	// proxy that is down is used again. At least 1. Default: 1.
	Passes *int `json:"passes,omitempty"`

	// How long one check may take, for all its URLs together. Default: 10s.
	Timeout *caddy.Duration `json:"timeout,omitempty"`

	// A proxy whose last three checks took longer than this in the mean is
	// degraded: used, and said to be slow. Default: 2s.
	Slow *caddy.Duration `json:"slow,omitempty"`

	// How many checks of the pool run at once. At least 1. Default: 64.
	Concurrency *int `json:"concurrency,omitempty"`
}

// withDefaults is the configuration with every option set. It may be called on
// nil, which is a pool without health_check.
func (c *HealthCheckConfig) withDefaults() HealthCheckConfig {
	var set HealthCheckConfig
	if c != nil {
		set = *c
	}
	if set.URLs == nil {
		set.URLs = defaultCheckURLs
	}
	if set.Expect == nil {
		set.Expect = []int{http.StatusOK, http.StatusUnauthorized, http.StatusNotFound}
	}
	set.Interval = cmp.Or(set.Interval, lasts(time.Minute))
	set.MeteredInterval = cmp.Or(set.MeteredInterval, lasts(10*time.Minute))
	set.RecoveryInterval = cmp.Or(set.RecoveryInterval, lasts(5*time.Second))
	set.Passes = cmp.Or(set.Passes, new(1))
	set.Timeout = cmp.Or(set.Timeout, lasts(10*time.Second))
	set.Slow = cmp.Or(set.Slow, lasts(2*time.Second))
	set.Concurrency = cmp.Or(set.Concurrency, new(64))
	return set
}

func lasts(d time.Duration) *caddy.Duration { return new(caddy.Duration(d)) }

func (c *HealthCheckConfig) resolve(repl *caddy.Replacer) error {
	for i := range c.URLs {
		if err := resolveWord(repl, "urls", &c.URLs[i]); err != nil {
			return err
		}
	}
	return nil
}

// validate reports the first mistake in the health checks.
func (c *HealthCheckConfig) validate() error {
	if c.URLs != nil && len(c.URLs) == 0 {
		return errors.New("urls: expected at least one")
	}
	if c.Expect != nil && len(c.Expect) == 0 {
		return errors.New("expect: expected at least one status")
	}
	for i, raw := range c.URLs {
		if err := checkURL(raw); err != nil {
			return fmt.Errorf("urls: number %d: %w", i+1, err)
		}
	}
	return cmp.Or(
		statuses("expect", c.Expect),
		lasting("interval", c.Interval, positive),
		lasting("metered_interval", c.MeteredInterval, positive),
		lasting("recovery_interval", c.RecoveryInterval, positive),
		within("passes", c.Passes, 1, maxCount),
		lasting("timeout", c.Timeout, positive),
		lasting("slow", c.Slow, positive),
		within("concurrency", c.Concurrency, 1, maxCount),
	)
}

// checkURL refuses what is no URL to ask for. Its path may hold a token, so that
// no error shows more than the scheme.
func checkURL(raw string) error {
	if hasPlaceholder(raw) {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("expected a URL with http:// or https://")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return badScheme(raw, "http or https")
	case u.Fragment != "":
		return errors.New("expected a URL without a fragment")
	}
	if _, err := hostPort(u.Host, u.Scheme); err != nil {
		return err
	}
	return nil
}

// badScheme says which scheme was expected and shows the one that was given,
// where that is what it is.
func badScheme(raw, expected string) error {
	scheme, _, found := strings.Cut(raw, "://")
	if !found || !isScheme(scheme) {
		return fmt.Errorf("expected a URL that begins with its scheme, %s, and ://", expected)
	}
	return fmt.Errorf("expected the scheme %s, got %s", expected, parse.Quote(scheme))
}
