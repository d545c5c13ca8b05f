package proxypool

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/alert"
	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

const defaultCooldown = 15 * time.Minute

// noReport is the daily report's word for none, as an empty string is.
const noReport = "off"

// AlertsConfig is the configuration of alerts: who is told when something
// happens, in which language and how often.
type AlertsConfig struct {
	// The language of messages: "en" or "fa", English or Persian. Default: "en".
	Language string `json:"language,omitempty"`

	// How long nothing more is told of what was just told of. What has changed
	// by then is told at its end. 0 tells every change. Default: 15m.
	Cooldown *caddy.Duration `json:"cooldown,omitempty"`

	// When the report of the last 24 hours is sent, as "HH:MM" from 00:00 to
	// 23:59 in the time zone of the app. Default: "off", no report.
	DailyReport string `json:"daily_report,omitempty"`

	// Where alerts go: each is a module, such as "telegram" and "webhook", and
	// may be there more than once. Default: nowhere.
	NotifiersRaw []json.RawMessage `json:"notifiers,omitempty" caddy:"namespace=proxy_pool.notifiers inline_key=notifier"`
}

// withDefaults is the configuration with every option set; an empty daily_report
// is none. It may be called on nil, which is an app without alerts.
func (c *AlertsConfig) withDefaults() AlertsConfig {
	var set AlertsConfig
	if c != nil {
		set = *c
	}
	set.Language = cmp.Or(set.Language, string(alert.English))
	set.Cooldown = cmp.Or(set.Cooldown, lasts(defaultCooldown))
	if set.DailyReport == noReport {
		set.DailyReport = ""
	}
	return set
}

// reportAt is the time of day of the daily report, and whether there is one.
func (c *AlertsConfig) reportAt() (hour, minute int, daily bool) {
	at, err := time.Parse("15:04", c.DailyReport)
	return at.Hour(), at.Minute(), err == nil
}

// resolve leaves the notifiers alone: a module resolves what is its own.
func (c *AlertsConfig) resolve(repl *caddy.Replacer) error {
	if err := resolveWord(repl, "language", &c.Language); err != nil {
		return err
	}
	return resolveWord(repl, "daily_report", &c.DailyReport)
}

// validate reports the first mistake in the alerts. What is wrong inside a
// notifier is for the notifier to say.
func (c *AlertsConfig) validate() error {
	if err := cmp.Or(
		c.checkLanguage(),
		lasting("cooldown", c.Cooldown, orZero),
		c.checkDailyReport(),
	); err != nil {
		return err
	}
	for i, raw := range c.NotifiersRaw {
		if absent(raw) {
			return nullEntry("notifiers", i)
		}
		if err := checkNotifier(raw); err != nil {
			return fmt.Errorf("notifiers: number %d: %w", i+1, err)
		}
	}
	return nil
}

func (c *AlertsConfig) checkLanguage() error {
	if hasPlaceholder(c.Language) {
		return nil
	}
	return oneOf("language", c.Language, alert.English, alert.Persian)
}

// timeOfDay is stricter than [time.Parse], which takes 9:00 for 09:00.
var timeOfDay = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

func (c *AlertsConfig) checkDailyReport() error {
	at := c.DailyReport
	if at == "" || at == noReport || hasPlaceholder(at) || timeOfDay.MatchString(at) {
		return nil
	}
	return fmt.Errorf("daily_report: expected a time from 00:00 to 23:59 as HH:MM, or off, got %s", parse.Quote(at))
}

func checkNotifier(raw json.RawMessage) error {
	name := moduleNamed(raw, "notifier")
	if name == "" {
		return fmt.Errorf(`expected a "notifier", the name of a module, one of %s`, moduleNames(notifierNamespace))
	}
	_, err := findModule("notifier", notifierNamespace, name)
	return err
}
