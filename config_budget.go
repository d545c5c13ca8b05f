package proxypool

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	gigabyte = 1 << 30

	// defaultTrafficAlert is for metered proxies; free ones have none.
	defaultTrafficAlert = 5 * gigabyte

	// Amounts of traffic that are watched: less is used up by a few requests,
	// and more would be a slip of the finger.
	minTraffic = 1 << 20
	maxTraffic = 1 << 50

	minBudgetDollars = 0.01
)

// BudgetConfig is what may be used of a proxy in a span of calendar time: an
// amount of money or of traffic. Exactly one of USD and GB is given.
type BudgetConfig struct {
	// US dollars, counted at the proxy's cost_per_gb, which must be above 0.
	// From 0.01 to a million.
	USD *float64 `json:"usd,omitempty"`

	// Gigabytes of 1024^3 bytes, both ways and checks included. A fraction is
	// less than one of them: 0.5. From 1/1024 (1MB) to 1048576 (1024TB).
	GB *float64 `json:"gb,omitempty"`

	// What the amount is for: "day", "month" or "total", which never ends. Days
	// and months are those of the calendar, in the app's time zone. Required.
	Per string `json:"per,omitempty"`

	// Whether the proxy is used no more when the amount is spent, for the rest
	// of the day or the month, or for good. Default: false, it goes on.
	Hard bool `json:"hard,omitempty"`
}

// bytes is the budget in bytes, 0 where it is one in dollars.
func (c *BudgetConfig) bytes() int64 {
	if c.GB == nil {
		return 0
	}
	return int64(math.Round(*c.GB * gigabyte))
}

// dollars is the budget in US dollars, 0 where it is one in bytes.
func (c *BudgetConfig) dollars() float64 {
	if c.USD == nil {
		return 0
	}
	return *c.USD
}

// validate reports the first mistake in the budget.
func (c *BudgetConfig) validate() error {
	switch {
	case c.USD == nil && c.GB == nil:
		return errors.New("expected an amount, usd or gb")
	case c.USD != nil && c.GB != nil:
		return errors.New("expected one amount, usd or gb, got both")
	case c.Per == "":
		return errors.New("per: expected day, month or total")
	}
	return cmp.Or(
		within("usd", c.USD, minBudgetDollars, maxDollars),
		c.checkTraffic(),
		oneOf("per", c.Per, pool.PerDay, pool.PerMonth, pool.PerTotal),
	)
}

func (c *BudgetConfig) checkTraffic() error {
	if c.GB == nil || *c.GB*gigabyte >= minTraffic && *c.GB*gigabyte <= maxTraffic {
		return nil
	}
	return fmt.Errorf("gb: must be from 1MB to 1024TB, got %vGB", *c.GB)
}

// checkTrafficAlert refuses an amount of traffic that nobody wants to be told of.
func checkTrafficAlert(bytes *int64) error {
	if bytes == nil || *bytes == parse.SizeOff || *bytes >= minTraffic && *bytes <= maxTraffic {
		return nil
	}
	return fmt.Errorf("traffic_alert: must be from 1MB to 1024TB, got %d bytes", *bytes)
}

// trafficAlert is how many bytes in a calendar month are told of; 0 is none.
func (c *ProxyConfig) trafficAlert() int64 {
	switch {
	case c.TrafficAlert == nil && c.CostPerGB > 0:
		return defaultTrafficAlert
	case c.TrafficAlert == nil, *c.TrafficAlert == parse.SizeOff:
		return 0
	}
	return *c.TrafficAlert
}
