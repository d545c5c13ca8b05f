package proxypool

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// unmarshal reads the usage log.
//
//	usage_log on|off {
//		retention <duration>
//		redact    <regexp> <replacement>
//	}
//
// redact may be given more than once.
func (c *UsageLogConfig) unmarshal(d *caddyfile.Dispenser) error {
	const where = "usage_log"
	if !d.NextArg() {
		return d.Errf("%s: expected on or off", where)
	}
	enabled, err := parse.Switch(d.Val())
	if err != nil {
		return d.Errf("%s: %w", where, err)
	}
	c.Enabled = enabled
	if err := parse.NoMore(d, where); err != nil {
		return err
	}
	return parse.Options{
		"retention": parse.Pointer(&c.Retention, parse.Duration),
		"redact":    parse.Repeated(c.unmarshalRedact),
	}.Block(d, where, c.validate)
}

func (c *UsageLogConfig) unmarshalRedact(d *caddyfile.Dispenser) error {
	var rule RedactConfig
	if !d.Args(&rule.Regexp, &rule.Replacement) {
		return d.Err("redact: expected a regular expression and its replacement")
	}
	c.Redact = append(c.Redact, rule)
	return parse.NoMore(d, "redact")
}
