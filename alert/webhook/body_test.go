package webhook

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/alert"
)

var update = flag.Bool("update", false, "write the bodies into testdata")

// alerts are one of each kind, with what the rules set in it.
func alerts() []alert.Alert {
	until := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	day := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	counts := &alert.Counts{Total: 5, Healthy: 2, Degraded: 1, Down: 1, Blocked: 1, Disabled: 1}
	down := alert.Change{
		Proxy: "VPS <1> & 2", Type: "vps", Uptime: 99.98, From: "healthy", To: "down", Reason: "dial_refused",
	}
	flapping := alert.Change{
		Proxy: "Residential", Type: "residential", CostPerGB: 12, Uptime: 80, From: "down", To: "healthy", Times: 7,
	}
	return []alert.Alert{
		{Kind: alert.KindStatusChanged, Priority: alert.Normal, Pool: "main", Changes: []alert.Change{down}, Carrier: "Datacenter-1", Switched: true, Counts: counts},
		{Kind: alert.KindFlapping, Priority: alert.Normal, Pool: "main", Changes: []alert.Change{flapping}, Seconds: 900},
		{Kind: alert.KindBurst, Priority: alert.High, Pool: "main", Changes: []alert.Change{down, flapping}, More: 31, Counts: counts},
		{Kind: alert.KindBurstOver, Priority: alert.Normal, Pool: "main", Counts: counts, Seconds: 120},
		{Kind: alert.KindPoolDown, Priority: alert.High, Pool: "main", Counts: counts},
		{Kind: alert.KindPoolUp, Priority: alert.Normal, Pool: "main", Carrier: "Own", Counts: counts, Seconds: 61},
		{Kind: alert.KindTargetUnreachable, Priority: alert.High, Pool: "main", Targets: []string{"api.telegram.org:443"}},
		{Kind: alert.KindTargetReachable, Priority: alert.Normal, Pool: "main", Targets: []string{"api.telegram.org:443"}, Seconds: 30},
		{Kind: alert.KindChecksFailing, Priority: alert.Normal, Pool: "main"},
		{Kind: alert.KindChecksPassing, Priority: alert.Low, Pool: "main", Seconds: 600},
		{Kind: alert.KindTrafficAlert, Priority: alert.Normal, Pool: "main", Budget: &alert.Budget{
			Proxy: "Residential", Type: "residential", CostPerGB: 12, Bytes: 10 << 30, CostUSD: 120, Limit: 10 << 30, Per: "month", Until: &until,
		}},
		{Kind: alert.KindBudget, Priority: alert.High, Pool: "main", Budget: &alert.Budget{
			Proxy: "Residential", Type: "residential", CostPerGB: 12, Bytes: 4 << 30, CostUSD: 48, Percent: 80, LimitUSD: 60, Per: "total", Hard: true,
		}},
		{Kind: alert.KindDailyReport, Priority: alert.Low, Counts: counts, Report: &alert.Report{
			From: day.AddDate(0, 0, -1), To: day, Requests: 1200, Failed: 3, Bytes: 123456789, CostUSD: 2.5, SavedUSD: 7.25,
			Top: &alert.Top{Pool: "main", Proxy: "VPS-Germany-Main", Uptime: 100, Requests: 900},
		}},
		{Kind: alert.KindTest, Priority: alert.Normal},
	}
}

// TestBody compares bodies with testdata, where they are indented to be read.
// Receivers depend on what stands there: see [alert.Version].
func TestBody(t *testing.T) {
	h := load(t, `{"url": "https://ops.example.com/hook"}`, nil)
	for i, a := range alerts() {
		t.Run(string(a.Kind), func(t *testing.T) {
			a.Version, a.ID, a.Time = alert.Version, 1767258000000000001+int64(i), sample().Time
			body, err := h.body(&a)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.ContainsAny(body, "\n") {
				t.Errorf("%q is more than one line", body)
			}
			var got bytes.Buffer
			if err := json.Indent(&got, append(body, '\n'), "", "\t"); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", string(a.Kind)+".json")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			back := alert.Alert{}
			if err := json.Unmarshal(body, &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(a, back); diff != "" {
				t.Errorf("read back (-sent +read):\n%s", diff)
			}
		})
	}
}

// TestWords has the words of the alert package in the configured language.
func TestWords(t *testing.T) {
	n := &Notifier{settings: load(t, `{"url": "http://h/"}`, nil).settings}
	tehran := time.FixedZone("Tehran", 12600)
	env := environment(nil, nil)
	env.Language, env.Location = alert.Persian, tehran
	destinations, err := n.Destinations(env)
	if err != nil {
		t.Fatal(err)
	}
	a := sample()
	body, err := destinations[0].(*hook).body(a)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Text string }
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	want := alert.Persian.Message(a, tehran).Plain
	if got.Text != want || want == "" {
		t.Errorf("got the text %q, expected %q", got.Text, want)
	}
}
