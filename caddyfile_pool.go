package proxypool

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// unmarshal reads a pool. Its name must not be among names, to which it is added.
//
//	pool [<name>] {
//		proxy               <name> [<url>] {
//			... see [ProxyConfig.unmarshal]
//		}
//		max_failures        <number>
//		order               first|round_robin|least_latency
//		prefer_healthy      on|off
//		connect_timeout     <duration>
//		hedge_delay         auto|<duration>|off
//		hedge_metered_delay <duration>|off
//		response_timeout    <duration>
//		max_tries           <number>
//		replay_buffer       <size>
//		retry_unsafe        on|off
//		keepalive           <duration>|off
//		tls_trust_pool      <source> ...
//		health_check        off
//		health_check {
//			... see [HealthCheckConfig.unmarshal]
//		}
//		block {
//			... see [BlockConfig.unmarshal]
//		}
//	}
//
// proxy and block may be given more than once; one proxy is needed.
func (c *PoolConfig) unmarshal(d *caddyfile.Dispenser, names map[string]bool) error {
	at := *d
	if d.NextArg() {
		c.Name = d.Val()
		if err := checkPoolName(c.Name); err != nil {
			return d.Errf("pool: %w", err)
		}
	}
	c.Name = c.name()
	if names[c.Name] {
		return at.Errf("pool: the name %q is taken by another pool", c.Name)
	}
	names[c.Name] = true
	if err := parse.NoMore(d, "pool"); err != nil {
		return err
	}
	proxies := make(map[string]bool)
	err := with(c.caddyfileOptions(), parse.Options{
		"proxy": parse.Repeated(func(d *caddyfile.Dispenser) error {
			p := new(ProxyConfig)
			c.Proxies = append(c.Proxies, p)
			return p.unmarshal(d, proxies)
		}),
		"max_failures":   parse.Pointer(&c.MaxFailures, parse.Int),
		"order":          parse.Value(&c.Order, parse.Text),
		"prefer_healthy": parse.Pointer(&c.PreferHealthy, parse.Switch),
		"health_check": parse.Once(func(d *caddyfile.Dispenser) error {
			c.HealthCheck = new(HealthCheckConfig)
			return c.HealthCheck.unmarshal(d)
		}),
		"block": parse.Repeated(func(d *caddyfile.Dispenser) error {
			b := new(BlockConfig)
			c.Block = append(c.Block, b)
			return b.unmarshal(d)
		}),
	}).Block(d, "pool "+c.Name, c.validateOptions)
	if err != nil {
		return err
	}
	return complete(&at, "pool "+c.Name, c.validateComplete())
}

// complete reports what an option's block lacks, where the option stands.
func complete(at *caddyfile.Dispenser, what string, err error) error {
	if err == nil {
		return nil
	}
	return at.Errf("%s: %w", what, err)
}

// unmarshal reads a proxy. Its name must not be among names, to which it is
// added.
//
//	proxy <name> [<url>] {
//		type           vps|datacenter|residential|other
//		http_url       <url>
//		https_url      <url>
//		priority       <number>
//		cost_per_gb    <dollars>
//		cost_per_month <dollars>
//		max_failures   <number>
//		tls_trust_pool <source> ...
//		traffic_alert  <size>|off
//		budget         <amount> day|month|total [hard]
//	}
//
// The URL after the name is for both kinds of target; http_url and https_url are
// for one of them, and both are needed without it. A budget is an amount of
// traffic, "5GB", or of money, "50USD" or "$50".
func (c *ProxyConfig) unmarshal(d *caddyfile.Dispenser, names map[string]bool) error {
	at := *d
	if !d.NextArg() {
		return d.Err("proxy: expected a name")
	}
	c.Name = d.Val()
	if err := checkProxyName(c.Name); err != nil {
		return d.Errf("proxy: %w", err)
	}
	if names[c.Name] {
		return d.Errf("proxy: the name %s is taken by another proxy of the pool", parse.Quote(c.Name))
	}
	names[c.Name] = true
	where := "proxy " + parse.Quote(c.Name)
	if d.NextArg() {
		c.URL = d.Val()
		if err := checkProxyURL("url", c.URL); err != nil {
			return d.Errf("%s: %w", where, err)
		}
	}
	if err := parse.NoMore(d, where); err != nil {
		return err
	}
	err := parse.Options{
		"type":           parse.Value(&c.Type, parse.Text),
		"http_url":       parse.Value(&c.HTTPURL, parse.Text),
		"https_url":      parse.Value(&c.HTTPSURL, parse.Text),
		"priority":       parse.Pointer(&c.Priority, parse.Int),
		"cost_per_gb":    parse.Value(&c.CostPerGB, parse.Number),
		"cost_per_month": parse.Value(&c.CostPerMonth, parse.Number),
		"max_failures":   parse.Pointer(&c.MaxFailures, parse.Int),
		"tls_trust_pool": unmarshalTrustPool(&c.TLSTrustPoolRaw),
		"budget": parse.Once(func(d *caddyfile.Dispenser) error {
			c.Budget = new(BudgetConfig)
			return c.Budget.unmarshal(d)
		}),
		"traffic_alert": parse.Pointer(&c.TrafficAlert, parse.SizeOrOff),
	}.Block(d, where, c.validateOptions)
	if err != nil {
		return err
	}
	return complete(&at, where, c.validateComplete())
}

// unmarshal reads the health checks of a pool.
//
//	health_check off
//	health_check {
//		url               <url...>
//		expect            <status...>
//		interval          <duration>
//		metered_interval  <duration>
//		recovery_interval <duration>
//		passes            <number>
//		timeout           <duration>
//		slow              <duration>
//		concurrency       <number>
//	}
func (c *HealthCheckConfig) unmarshal(d *caddyfile.Dispenser) error {
	const where = "health_check"
	if d.NextArg() {
		if d.Val() != "off" {
			return d.Errf("%s: expected off or a block, got %s", where, parse.Quote(d.Val()))
		}
		c.Disabled = true
		return parse.NoMore(d, where)
	}
	err := parse.Options{
		"url":               parse.List(&c.URLs, parse.Text),
		"expect":            parse.List(&c.Expect, parse.Status),
		"interval":          parse.Pointer(&c.Interval, parse.Duration),
		"metered_interval":  parse.Pointer(&c.MeteredInterval, parse.Duration),
		"recovery_interval": parse.Pointer(&c.RecoveryInterval, parse.Duration),
		"passes":            parse.Pointer(&c.Passes, parse.Int),
		"timeout":           parse.Pointer(&c.Timeout, parse.Duration),
		"slow":              parse.Pointer(&c.Slow, parse.Duration),
		"concurrency":       parse.Pointer(&c.Concurrency, parse.Int),
	}.Block(d, where, c.validate)
	if err == nil && d.Val() == where { // no block was opened
		return d.Errf("%s: expected off or a block", where)
	}
	return err
}

// unmarshal reads how a block is recognised. All lines must match, one status
// and one header line for each field.
//
//	block {
//		status <status...>
//		header <field> [<pattern>]
//		for    <duration>
//		tries  <number>
//	}
//
// A status may be a class: 4xx. In a pattern "*" at the start or the end stands
// for anything. A field without a pattern matches where it is present.
func (c *BlockConfig) unmarshal(d *caddyfile.Dispenser) error {
	at := *d
	if err := parse.NoMore(d, "block"); err != nil {
		return err
	}
	err := parse.Options{
		"status": parse.List(&c.Status, parse.Status),
		"header": parse.Repeated(c.unmarshalHeader),
		"for":    parse.Pointer(&c.For, parse.Duration),
		"tries":  parse.Pointer(&c.Tries, parse.Int),
	}.Block(d, "block", c.validateOptions)
	if err != nil {
		return err
	}
	return complete(&at, "block", c.validateComplete())
}

func (c *BlockConfig) unmarshalHeader(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Err("header: expected a field and a pattern for its value")
	}
	if !isFieldName(d.Val()) {
		return d.Errf("header: expected the name of a header field, got %s", parse.Quote(d.Val()))
	}
	field, pattern := http.CanonicalHeaderKey(d.Val()), "*"
	if d.NextArg() {
		pattern = d.Val()
	}
	if _, twice := c.Header[field]; twice {
		return d.Errf("header: %s is given twice; lines of one block must all match, another block is the alternative", parse.Quote(field))
	}
	if c.Header == nil {
		c.Header = make(map[string][]string)
	}
	c.Header[field] = []string{pattern}
	return parse.NoMore(d, "header")
}
