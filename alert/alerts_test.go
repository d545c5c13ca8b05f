package alert

import (
	"fmt"
	"strings"
	"time"
)

var (
	raised = time.Date(2026, 11, 23, 14, 8, 12, 0, time.UTC)
	ends   = time.Date(2026, 11, 30, 20, 30, 0, 0, time.UTC) // midnight in Tehran
)

// change is one of a free VPS.
func change(name, from, to, reason string) Change {
	return Change{Proxy: name, Type: "vps", Uptime: 95.2, From: from, To: to, Reason: reason}
}

// changes are of n proxies that went down.
func changes(n int) []Change {
	all := make([]Change, n)
	for i := range all {
		all[i] = change(fmt.Sprintf("VPS-%d", i+1), "healthy", "down", "dial_timeout")
	}
	return all
}

func statusChanged(c ...Change) Alert {
	return Alert{Kind: KindStatusChanged, Priority: Normal, Changes: c, Carrier: "Datacenter-1"}
}

// budget is one of which so much was used.
func budget(percent int, b Budget) Alert {
	b.Proxy, b.Type, b.CostPerGB, b.Percent = "Residential", "residential", 12, percent
	if b.Per != "total" {
		b.Until = &ends
	}
	return Alert{Kind: KindBudget, Priority: Normal, Budget: &b}
}

func with[T any](x T, edit func(*T)) T {
	edit(&x)
	return x
}

// alerts are what each kind looks like, in each of its variations. Those without
// a pool are of the pool main.
func alerts() map[string]Alert {
	longest := strings.Repeat("W", 63) + "&"
	residential := Change{
		Proxy: "Residential", Type: "residential", CostPerGB: 12, Uptime: 99.96,
		From: "healthy", To: "degraded", Reason: "its last checks took more than 2s",
	}
	dollars := Budget{Per: "month", Bytes: 3_579_139_413, CostUSD: 40, LimitUSD: 50}
	traffic := Budget{Per: "day", Bytes: 429_496_730, CostUSD: 4.8, Limit: 536_870_912}
	counts := &Counts{Total: 1000, Healthy: 3, Degraded: 1, Down: 995, Blocked: 1, Disabled: 2}
	none := func(a *Alert) { a.Carrier = "" }
	spent := func(b Budget) Budget {
		b.CostUSD, b.Bytes, b.Hard = b.CostUSD*1.25, b.Bytes/4*5, true
		return b
	}
	day := &Report{
		From: raised.Add(-24 * time.Hour), To: raised, Requests: 1234, Failed: 12,
		Bytes: 262_144_000, CostUSD: 2.5, SavedUSD: 3.1,
		Top: &Top{Pool: "main", Proxy: "VPS-Main", Uptime: 100, Requests: 1000},
	}
	return map[string]Alert{
		"status_changed-down": with(statusChanged(change("VPS-Germany-Main", "healthy", "down", "dial_refused")),
			func(a *Alert) { a.Switched = true }),
		"status_changed-down-none-left": with(statusChanged(change("VPS-Germany-Main", "healthy", "down", "check: answered 503")), none),
		"status_changed-healthy": with(statusChanged(change("VPS-Germany-Main", "down", "healthy", "")),
			func(a *Alert) { a.Priority, a.Carrier, a.Seconds = Low, "VPS-Germany-Main", 3660 }),
		"status_changed-degraded": statusChanged(residential),
		"status_changed-blocked":  statusChanged(change("VPS", "healthy", "blocked", "api.telegram.org:443 answered 429")),
		"status_changed-often": statusChanged(with(change("VPS", "healthy", "down", "marked down"),
			func(c *Change) { c.Times = 3 })),
		"status_changed-unknown-words": statusChanged(change("VPS", "healthy", "asleep", "a reason of <later>")),
		"status_changed-few": with(statusChanged(
			change("VPS-1", "healthy", "down", "check: dial_refused"),
			with(change("VPS-2", "down", "healthy", ""), func(c *Change) { c.Times = 4 }), residential,
		), func(a *Alert) { a.Switched = true }),
		"status_changed-many": with(statusChanged(changes(MaxNamed)...), func(a *Alert) { a.More = 980 }),
		"status_changed-names": statusChanged(
			change("<b>&amp;", "healthy", "blocked", "blocked by <x>:443, b:1, c:2, d:3, e:4"),
			change("🚀VPS", "healthy", "down", "proxy_auth"),
			change("پروکسی-آلمان", "healthy", "down", "proxy_auth"),
			change("میان\u200cبر", "degraded", "healthy", ""),
			change("evil\u202e\u2069\u200fname\u2066", "healthy", "down", "line\nbreak\u2028\u2067"),
			change(longest, "healthy", "down", "error")),

		"flapping": {Kind: KindFlapping, Priority: Normal, Carrier: "VPS-2", Seconds: 600,
			Changes: []Change{with(change("VPS-1", "healthy", "down", "proxy_dropped"), func(c *Change) { c.Times = 8 })}},
		"flapping-few": {Kind: KindFlapping, Priority: Normal, Carrier: "VPS-2", Seconds: 3900, More: 1, Changes: []Change{
			with(change("VPS-1", "healthy", "down", "proxy_dropped"), func(c *Change) { c.Times = 8 }),
			with(change("VPS-3", "down", "healthy", ""), func(c *Change) { c.Times = 1234 }),
		}},

		"burst":           {Kind: KindBurst, Priority: High, Carrier: "Residential", Switched: true, Changes: changes(3), More: 980},
		"burst-none-left": {Kind: KindBurst, Priority: High, Changes: changes(2), More: 1},
		"burst_over":      {Kind: KindBurstOver, Priority: Normal, Carrier: "VPS-1", Seconds: 200, Counts: counts},
		"burst_over-none-left": {Kind: KindBurstOver, Priority: High, Seconds: 93_600,
			Counts: &Counts{Total: 1000, Down: 1000}},

		"pool_down":             {Kind: KindPoolDown, Priority: High},
		"pool_down-changes":     {Kind: KindPoolDown, Priority: High, Changes: changes(2)},
		"pool_up":               {Kind: KindPoolUp, Priority: Normal, Seconds: 200, Carrier: "VPS-Germany-Main"},
		"pool_down-many":        {Kind: KindPoolDown, Priority: High, Pools: []string{"instagram", "<main>", "اصلی", "telegram"}, More: 30},
		"pool_up-many":          {Kind: KindPoolUp, Priority: Normal, Pools: []string{"instagram", "main", "other", "telegram"}, Seconds: 70},
		"pool_up-persian-names": {Kind: KindPoolUp, Priority: Normal, Seconds: 1, Carrier: "پروکسی-۱", Pool: "اصلی"},

		"target_unreachable": {Kind: KindTargetUnreachable, Priority: High, Targets: []string{"api.telegram.org:443"}},
		"target_reachable": {Kind: KindTargetReachable, Priority: Normal, Targets: []string{"[2001:db8::1]:443"}, Seconds: 59,
			Carrier: "VPS"},
		"target_unreachable-many": {Kind: KindTargetUnreachable, Priority: High, Targets: []string{"api.telegram.org:443", "i.<b>:443"}, More: 3},
		"target_reachable-many": {Kind: KindTargetReachable, Priority: Normal, Targets: []string{"api.telegram.org:443", "b:80"}, Seconds: 700,
			Carrier: "VPS"},
		"checks_failing": {Kind: KindChecksFailing, Priority: Normal},
		"checks_passing": {Kind: KindChecksPassing, Priority: Low, Seconds: 7260},

		"traffic_alert": {Kind: KindTrafficAlert, Priority: Normal, Budget: &Budget{
			Proxy: "Residential", Type: "residential", CostPerGB: 12, Bytes: 5_583_457_485, CostUSD: 62.4,
			Limit: 5 * gigabyte, Per: "month", Until: &ends,
		}},
		"budget-80-hard":            budget(80, with(dollars, func(b *Budget) { b.Hard = true })),
		"budget-80-soft":            budget(80, dollars),
		"budget-80-traffic-day":     budget(80, with(traffic, func(b *Budget) { b.Hard = true })),
		"budget-80-total-hard":      budget(80, with(dollars, func(b *Budget) { b.Per, b.Hard = "total", true })),
		"budget-80-total-soft":      budget(80, with(dollars, func(b *Budget) { b.Per = "total" })),
		"budget-100-hard":           with(budget(100, spent(dollars)), func(a *Alert) { a.Priority, a.Carrier = High, "VPS" }),
		"budget-100-soft":           budget(100, with(spent(dollars), func(b *Budget) { b.Hard = false })),
		"budget-100-traffic-day":    budget(100, spent(traffic)),
		"budget-100-total-hard":     budget(100, with(spent(dollars), func(b *Budget) { b.Per = "total" })),
		"budget-100-total-soft":     budget(100, with(spent(traffic), func(b *Budget) { b.Per, b.Hard = "total", false })),
		"budget-100-month-rtl-name": with(budget(100, spent(dollars)), func(a *Alert) { a.Budget.Proxy = "گیگی<۲>" }),

		"daily_report":        {Kind: KindDailyReport, Priority: Low, Counts: counts, Report: day},
		"daily_report-no-top": {Kind: KindDailyReport, Priority: Low, Counts: &Counts{}, Report: &Report{From: day.From, To: day.To}},
		"test":                {Kind: KindTest, Priority: Low},
		"unknown":             {Kind: "moon_<phase>", Priority: Normal},
	}
}
