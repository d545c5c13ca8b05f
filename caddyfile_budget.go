package proxypool

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// unmarshal reads a budget.
//
//	budget <amount> day|month|total [hard]
func (c *BudgetConfig) unmarshal(d *caddyfile.Dispenser) error {
	const where = "budget"
	if !d.NextArg() {
		return d.Errf("%s: expected an amount such as 5GB or 50USD, and day, month or total", where)
	}
	var err error
	if c.USD, c.GB, err = parse.Amount(d.Val()); err != nil {
		return d.Errf("%s: %w", where, err)
	}
	if !d.NextArg() {
		return d.Errf("%s: expected day, month or total after the amount", where)
	}
	c.Per = d.Val()
	if d.NextArg() {
		if d.Val() != "hard" {
			return d.Errf("%s: expected hard or nothing after %s, got %s", where, parse.Quote(c.Per), parse.Quote(d.Val()))
		}
		c.Hard = true
	}
	return parse.NoMore(d, where)
}
