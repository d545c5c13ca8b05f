package proxypool

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func TestAlertsDefaults(t *testing.T) {
	absent := (*AlertsConfig)(nil).withDefaults()
	if absent.Language != "en" || *absent.Cooldown != *lasts(15 * time.Minute) || absent.DailyReport != "" || absent.NotifiersRaw != nil {
		t.Errorf("got %s", canonical(t, absent))
	}
	given := (&AlertsConfig{Language: "fa", Cooldown: lasts(0), DailyReport: "09:00"}).withDefaults()
	if given.Language != "fa" || *given.Cooldown != 0 || given.DailyReport != "09:00" {
		t.Errorf("got %s", canonical(t, given))
	}
	if off := (&AlertsConfig{DailyReport: "off"}).withDefaults(); off.DailyReport != "" {
		t.Errorf("got %s", canonical(t, off))
	}
}

// TestAlertsMistakes has what is refused in JSON, also what no Caddyfile can say.
func TestAlertsMistakes(t *testing.T) {
	t.Setenv("PP_LANGUAGE", "de")
	t.Setenv("PP_AT", "24:00")
	const expected = "telegram, webhook"
	for name, test := range map[string]struct{ config, want string }{
		"language":              {`{"language": "de"}`, `language: expected one of en, fa, got "de"`},
		"language in capitals":  {`{"language": "EN"}`, `language: expected one of en, fa, got "EN"`},
		"language of a value":   {`{"language": "{env.PP_LANGUAGE}"}`, `language: expected one of en, fa, got "de"`},
		"language unset":        {`{"language": "{env.PP_UNSET}"}`, `language: evaluated placeholder {env.PP_UNSET} is empty`},
		"cooldown":              {`{"cooldown": "-1s"}`, `cooldown: must not be negative, got -1s`},
		"cooldown off":          {`{"cooldown": -1}`, `cooldown: must not be negative, got -1ns`},
		"cooldown of an age":    {`{"cooldown": "3651d"}`, `cooldown: must be at most ten years, got 87624h0m0s`},
		"report at midnight":    {`{"daily_report": "24:00"}`, `daily_report: expected a time from 00:00 to 23:59 as HH:MM, or off, got "24:00"`},
		"report at one digit":   {`{"daily_report": "9:00"}`, `daily_report: expected a time from 00:00 to 23:59 as HH:MM, or off, got "9:00"`},
		"report in two lines":   {`{"daily_report": "09:00\n"}`, `daily_report: expected a time from 00:00 to 23:59 as HH:MM, or off, got "09:00\n"`},
		"report at a value":     {`{"daily_report": "{env.PP_AT}"}`, `daily_report: expected a time from 00:00 to 23:59 as HH:MM, or off, got "24:00"`},
		"report unset":          {`{"daily_report": "{env.PP_UNSET}"}`, `daily_report: evaluated placeholder {env.PP_UNSET} is empty`},
		"null notifier":         {`{"notifiers": [{"notifier": "webhook"}, null]}`, `notifiers: number 2 must not be null`},
		"notifier without name": {`{"notifiers": [{"url": "https://us:hunter2@h"}]}`, `notifiers: number 1: expected a "notifier", the name of a module, one of ` + expected},
		"another case":          {`{"notifiers": [{"Notifier": "webhook", "url": "https://us:hunter2@h"}]}`, `notifiers: number 1: expected a "notifier", the name of a module, one of ` + expected},
		"empty name":            {`{"notifiers": [{"notifier": ""}]}`, `notifiers: number 1: expected a "notifier", the name of a module, one of ` + expected},
		"number for a name":     {`{"notifiers": [{"notifier": 7}]}`, `notifiers: number 1: expected a "notifier", the name of a module, one of ` + expected},
		"name alone":            {`{"notifiers": ["webhook"]}`, `notifiers: number 1: expected a "notifier", the name of a module, one of ` + expected},
		"another notifier":      {`{"notifiers": [{"notifier": "webhook"}, {"notifier": "pager"}]}`, `notifiers: number 2: notifier: unknown module "pager", expected one of ` + expected},
	} {
		t.Run(name, func(t *testing.T) {
			c := new(AppConfig)
			if err := caddy.StrictUnmarshalJSON([]byte(`{"alerts": `+test.config+`}`), c); err != nil {
				t.Fatal(err)
			}
			err := c.resolve(caddy.NewReplacer())
			if err == nil {
				err = c.validate()
			}
			if err == nil || err.Error() != "alerts: "+test.want {
				t.Errorf("got\n%v\nexpected\nalerts: %s", err, test.want)
			}
		})
	}
}

func TestReportAt(t *testing.T) {
	t.Setenv("PP_AT", "07:05")
	for given, want := range map[string]struct {
		hour, minute int
		daily        bool
	}{
		"":            {},
		"off":         {},
		"00:00":       {0, 0, true},
		"23:59":       {23, 59, true},
		"{env.PP_AT}": {7, 5, true},
	} {
		c := &AlertsConfig{DailyReport: given}
		if err := c.validate(); err != nil {
			t.Errorf("%q, before its placeholders are replaced: %v", given, err)
		}
		if err := c.resolve(caddy.NewReplacer()); err != nil {
			t.Fatal(err)
		}
		if err := c.validate(); err != nil {
			t.Errorf("%q: %v", given, err)
		}
		if hour, minute, daily := c.reportAt(); hour != want.hour || minute != want.minute || daily != want.daily {
			t.Errorf("%q: got %d:%d, %t, expected %v", given, hour, minute, daily, want)
		}
	}
}
