package alert

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// console answers from what it holds.
type fakeConsole struct {
	pools    []PoolStatus
	use      Usage
	counts   Counts
	explains []Explanation
	proxy    ProxyStatus
	err      error
}

func (c *fakeConsole) Status(context.Context) []PoolStatus { return c.pools }

func (c *fakeConsole) Usage(context.Context) (Usage, error) { return c.use, c.err }

func (c *fakeConsole) Check(context.Context) (Counts, error) { return c.counts, c.err }

func (c *fakeConsole) Explain(_ context.Context, target string) ([]Explanation, error) {
	return c.explains, wrapped(target, c.err)
}

func (c *fakeConsole) SetDisabled(_ context.Context, proxy string, off bool) (ProxyStatus, error) {
	p := c.proxy
	p.Active = !off
	return p, wrapped(proxy, c.err)
}

func wrapped(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

type commandCase struct {
	command Command
	console *fakeConsole
}

func commandCases() map[string]commandCase {
	vps := ProxyStatus{
		Pool: "main", Name: "VPS-Germany-Main", Status: "healthy", Active: true, Usable: true,
		Uptime: 99.98, ResponseTime: 143 * time.Millisecond,
	}
	pools := []PoolStatus{
		{Pool: "main", Carrier: vps.Name, Counts: Counts{Total: 5, Healthy: 2, Degraded: 1, Down: 1, Blocked: 1, Disabled: 1}, Proxies: []ProxyStatus{
			vps,
			{Name: "Datacenter-1", Status: "down", Reason: "check: dial_timeout", Active: true, Uptime: 12.34, ResponseTime: time.Second},
			{Name: "Datacenter-2", Status: "degraded", Reason: "its last checks took more than 2s", Active: true, Usable: true, Uptime: 100, ResponseTime: 12_345 * time.Millisecond},
			{Name: "پروکسی<۱>", Status: "blocked", Reason: "blocked by api.telegram.org:443, www.instagram.com:443", Active: true, Usable: true, Uptime: 50},
			{Name: "Residential", Status: "healthy", Reason: "budget spent: 50.01 USD of 50.00 USD a month", Active: true, Uptime: 100},
			{Name: "Own", Status: "healthy", Uptime: 100},
		}},
		{Pool: "instagram", Counts: Counts{Total: 1, Down: 1}, Proxies: []ProxyStatus{
			{Name: "VPS", Status: "down", Reason: "marked down", Active: true, Uptime: 0},
		}},
		{Pool: "empty"},
	}
	many := PoolStatus{Pool: "main", Carrier: "VPS-001", Counts: Counts{Total: 1000, Healthy: 950, Down: 50}}
	explained := Explanation{Pool: "main", Target: "api.telegram.org:443"}
	for i := range 1000 {
		p := vps
		p.Name = fmt.Sprintf("VPS-%03d", i+1)
		if i%20 == 19 {
			p.Status, p.Reason, p.Usable = "down", "dial_refused", false
		}
		many.Proxies = append(many.Proxies, p)
		explained.Proxies = append(explained.Proxies, Verdict{Proxy: p.Name, Usable: p.Usable, Reason: "usable"})
	}
	usage := Usage{
		Today: Used{Requests: 1, Bytes: 5600, CostUSD: 0.000065},
		Month: Used{Requests: 1234, Bytes: 3_579_139_413, CostUSD: 40, SavedUSD: 123.456},
		Rows: []UsageRow{
			{Pool: "main", Proxy: "VPS-Germany-Main", Month: Used{Requests: 1000, Bytes: 12_999_999, SavedUSD: 0.15}},
			{Pool: "main", Proxy: "Residential", Budget: "40.00 USD of 50.00 USD a month",
				Today: Used{Requests: 1, Bytes: 5600, CostUSD: 0.000065}, Month: Used{Requests: 234, Bytes: 3_566_139_414, CostUSD: 40}},
		},
	}
	rows := Usage{Month: Used{Requests: 60, Bytes: 60 * megabyte}}
	for i := range 60 {
		rows.Rows = append(rows.Rows, UsageRow{Pool: "main", Proxy: fmt.Sprint("VPS-", i+1), Month: Used{Requests: 1, Bytes: megabyte}})
	}
	soon := raised.In(tehran)
	why := []Explanation{
		{Pool: "main", Target: "api.telegram.org:443", Proxies: []Verdict{
			{Proxy: "VPS-Germany-Main", Reason: "down: check: dial_refused", Until: soon},
			{Proxy: "Datacenter-1", Reason: "blocked by api.telegram.org:443", Until: soon.Add(10 * time.Minute)},
			{Proxy: "Datacenter-2", Reason: "failing for api.telegram.org:443", Until: soon.Add(5 * time.Second)},
			{Proxy: "Datacenter-3", Reason: "well again, but held back because it keeps going down", Until: soon.Add(time.Minute)},
			{Proxy: "Datacenter-4", Reason: "usable, degraded", Usable: true},
			{Proxy: "Residential", Reason: "budget spent: 512.00 MB of 0.50 GB a day", Until: ends.In(tehran)},
			{Proxy: "Own", Reason: "disabled"},
		}},
		{Pool: "instagram", Target: "api.telegram.org:443", Proxies: []Verdict{{Proxy: "VPS", Usable: true, Reason: "usable"}}},
		{Pool: "empty", Target: "api.telegram.org:443"},
	}
	blocked := vps
	blocked.Status, blocked.Reason = "blocked", "blocked by api.telegram.org:443"
	return map[string]commandCase{
		"status":            {Command{"status", ""}, &fakeConsole{pools: pools}},
		"status-many":       {Command{"Status", ""}, &fakeConsole{pools: []PoolStatus{many}}},
		"status-no-pools":   {Command{"status", ""}, &fakeConsole{}},
		"usage":             {Command{"usage", ""}, &fakeConsole{use: usage}},
		"usage-many":        {Command{"usage", ""}, &fakeConsole{use: rows}},
		"usage-none":        {Command{"usage", ""}, &fakeConsole{}},
		"usage-failed":      {Command{"usage", ""}, &fakeConsole{err: errors.New("the disk is full <really>")}},
		"check":             {Command{"check", ""}, &fakeConsole{counts: Counts{Total: 5, Healthy: 4, Degraded: 1}}},
		"check-failed":      {Command{"check", ""}, &fakeConsole{err: context.DeadlineExceeded}},
		"explain":           {Command{"explain", " api.telegram.org "}, &fakeConsole{explains: why}},
		"explain-many":      {Command{"explain", "api.telegram.org"}, &fakeConsole{explains: []Explanation{explained}}},
		"explain-no-pools":  {Command{"explain", "api.telegram.org"}, &fakeConsole{}},
		"explain-no-target": {Command{"explain", "a b"}, &fakeConsole{err: ErrTarget}},
		"explain-what":      {Command{"explain", ""}, &fakeConsole{}},
		"enable":            {Command{"enable", vps.Name}, &fakeConsole{proxy: blocked}},
		"enable-unknown":    {Command{"enable", "<VPN>"}, &fakeConsole{err: ErrUnknown}},
		"enable-what":       {Command{"enable", " "}, &fakeConsole{}},
		"disable":           {Command{"disable", vps.Name}, &fakeConsole{proxy: vps}},
		"disable-ambiguous": {Command{"disable", "VPS"}, &fakeConsole{err: ErrAmbiguous}},
		"disable-what":      {Command{"disable", ""}, &fakeConsole{}},
		"help":              {Command{"help", ""}, &fakeConsole{}},
		"start":             {Command{"start", "x"}, &fakeConsole{}},
		"unknown":           {Command{"reboot<now>", "please"}, &fakeConsole{}},
	}
}
