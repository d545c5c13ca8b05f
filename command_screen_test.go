package proxypool

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"
	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/internal/table"
)

// shownStatus has a proxy of every kind.
func shownStatus() *statusAnswer {
	return &statusAnswer{
		Timestamp: "2026-01-01T09:00:03Z",
		Summary:   summary{alert.Counts{Total: 4, Healthy: 2, Blocked: 1, Down: 1, Disabled: 1}, 42.5},
		Store:     storeAnswer{Error: "disk full"},
		Notifiers: []notifierAnswer{{Notifier: "telegram 4711", Error: "chat not found"}},
		Pools: []poolRow{
			{Name: "main", Carrier: "VPS-Germany-Main", Total: 4, Usable: 2, CostTodayUSD: 0.5, CostMonthUSD: 42.5},
			{Name: "b", Total: 1},
		},
		Warnings: []string{"pool main: health checks fail"},
		Proxies: []statusRow{
			{
				ID: "main/VPS-Germany-Main", Pool: "main", Name: "VPS-Germany-Main", Type: "vps", Status: "blocked", Since: new("2026-01-01T08:00:00Z"),
				Reason: "blocked by api.telegram.org:443", Active: true, Usable: true, Uptime: 99.98, ResponseTimeMS: 143,
				TotalRequests: 12_345, FailedRequests: 1, TrafficMB: 12.4, NextCheck: new("2026-01-01T09:01:00Z"),
			},
			{ID: "main/آلمان", Pool: "main", Name: "آلمان", Type: "datacenter", Status: "healthy", Active: true, Usable: true, Uptime: 100, FailingFor: []string{"a.example:443"}},
			{
				ID: "main/Residential", Pool: "main", Name: "Residential", Type: "residential", Status: "healthy", Active: true, Uptime: 87.55, ResponseTimeMS: 2400,
				Reason: "budget spent: 50 USD of 50 USD a month", EstimatedCost: 42.5, TrafficMB: 3626.6,
				Budget: &budget{Limit: 50, Used: 50, Unit: "usd", Per: "month", Hard: true, Spent: true},
			},
			{ID: "main/Off", Pool: "main", Name: "Off", Type: "other", Status: "healthy", Uptime: 100, Budget: &budget{Limit: 5, Used: 1, Unit: "gb", Per: "day"}},
			{ID: "b/Dead", Pool: "b", Name: "Dead", Type: "other", Status: "down", Reason: "dial_refused\x1b[2J", Active: true, Since: new("2026-01-01T09:00:00Z")},
		},
	}
}

func TestStatusTable(t *testing.T) {
	tests := []struct {
		name  string
		width int
		want  string
	}{
		{"a wide terminal", 200, `
   PROXY                  TYPE         STATUS    USABLE  FOR  RESPONSE  UPTIME  REQUESTS  FAILED  TRAFFIC    COST              BUDGET   CHECK  REASON
→  main/VPS-Germany-Main  vps          blocked   yes      1h    143 ms  99.9 %    12,345       1    12 MB      $0                      in 57s  blocked by api.telegram.org:443
   main/آلمان             datacenter   healthy   yes                     100 %         0       0      0 B      $0                              failing for a.example:443
   main/Residential       residential  healthy   no              2.4 s  87.5 %         0       0   3.5 GB  $42.50  100 % of $50/month          budget spent: 50 USD of 50 USD a month
   main/Off               other        disabled  no                      100 %         0       0      0 B      $0  20 % of 5.0 GB/day
   b/Dead                 other        down      no       3s               0 %         0       0      0 B      $0                              dial_refused` + "\ufffd" + `[2J
`},
		{"80 columns", 80, `
   PROXY             STATUS    USABLE  FOR              BUDGET  REASON
→  main/VPS-German…  blocked   yes      1h                      blocked by api.…
   main/آلمان        healthy   yes                              failing for a.e…
   main/Residential  healthy   no           100 % of $50/month  budget spent: 5…
   main/Off          disabled  no           20 % of 5.0 GB/day
   b/Dead            down      no       3s                      dial_refused` + "\ufffd" + `[2J
`},
		{"a phone", 49, `
   PROXY             STATUS    USABLE  REASON
→  main/VPS-German…  blocked   yes     blocked b…
   main/آلمان        healthy   yes     failing f…
   main/Residential  healthy   no      budget sp…
   main/Off          disabled  no
   b/Dead            down      no      dial_refu…
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var text strings.Builder
			status := shownStatus()
			if err := statusTable(status, status.Proxies).Write(&text, test.width, false); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, "\n"+strings.ReplaceAll(text.String(), "\u200e", "")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	var text strings.Builder
	s := screen{out: &text}
	s.summary(shownStatus())
	const want = `5 proxies: 2 healthy, 1 blocked, 1 down, 1 disabled. Cost $42.50.
Pool main: VPS-Germany-Main carries the traffic, 2 of 4 usable. Spent $0.5000 today, $42.50 this month.
Pool b has no usable proxy.
Warning: pool main: health checks fail
Warning: the books are not written: disk full
Warning: alerts do not reach telegram 4711: chat not found
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var escapes = regexp.MustCompile(`\x1b\[[0-9]*m`)

// TestDraw: a frame is never larger than the terminal.
func TestDraw(t *testing.T) {
	shown := frame{status: shownStatus()}
	for _, height := range []int{24, 14, 10, 2, 0} {
		s := screen{width: 60, height: height, colour: true}
		lines, err := s.draw(&shown, "localhost:2019, every 2s")
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(lines, "\n")
		for _, line := range lines {
			if width := displaywidth.String(escapes.ReplaceAllString(line, "")); width > s.width {
				t.Errorf("a line of %d columns on a screen of %d: %q", width, s.width, line)
			}
		}
		if whole := strings.Contains(all, "b/Dead"); height > 0 && len(lines) > height || whole != (height == 0 || height >= 14) {
			t.Errorf("%d lines of %d:\n%s", len(lines), height, all)
		}
		if !strings.Contains(lines[0], "localhost:2019") || len(lines) == height && height == 10 && lines[9] != "and 5 more" {
			t.Errorf("height %d:\n%s", height, all)
		}
	}
}

func TestWords(t *testing.T) {
	tests := []struct{ got, want string }{
		{dollars(0), "$0"},
		{dollars(0.00001), "<$0.0001"},
		{dollars(0.0354), "$0.0354"},
		{dollars(1234.5), "$1,234.50"},
		{bytesOf(0), "0 B"},
		{bytesOf(1536), "1.5 KB"},
		{bytesOf(-1), "0 B"},
		{percent(100), "100 %"},
		{percent(99.999), "99.9 %"},
		{percent(0), "0 %"},
		{roughly(-time.Second), "0s"},
		{roughly(90 * time.Second), "1m"},
		{roughly(30 * time.Hour), "30h"},
		{roughly(100 * time.Hour), "4d"},
		{local("never"), "never"},
		{in(nil, time.Time{}), ""},
		{table.Fit("سلام دنیا", 5), "سلام…"},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
