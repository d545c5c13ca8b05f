package proxypool

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

const notifierNamespace = "proxy_pool.notifiers"

// unmarshal reads the alerts.
//
//	alerts {
//		language     en|fa
//		cooldown     <duration>
//		daily_report <HH:MM>|off
//		<notifier>   ...
//	}
//
// A notifier is a module, such as webhook. It may be given more than once, and
// what follows its name is read by the module.
func (c *AlertsConfig) unmarshal(d *caddyfile.Dispenser) error {
	const where = "alerts"
	if err := parse.NoMore(d, where); err != nil {
		return err
	}
	options := make(parse.Options)
	for _, module := range caddy.GetModules(notifierNamespace) {
		options[module.ID.Name()] = parse.Repeated(c.unmarshalNotifier)
	}
	return with(options, parse.Options{
		"language":     parse.Value(&c.Language, parse.Text),
		"cooldown":     parse.Pointer(&c.Cooldown, parse.Duration),
		"daily_report": parse.Value(&c.DailyReport, parse.Text),
	}).Block(d, where, c.validate)
}

// unmarshalNotifier reads the notifier that the current word names.
func (c *AlertsConfig) unmarshalNotifier(d *caddyfile.Dispenser) error {
	name := d.Val()
	unmarshaled, err := unmarshalModule(d, "alerts", notifierNamespace)
	if err != nil {
		return err
	}
	c.NotifiersRaw = append(c.NotifiersRaw, caddyconfig.JSONModuleObject(unmarshaled, "notifier", name, nil))
	return nil
}
