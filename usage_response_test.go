package proxypool

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
	"github.com/caddy-proxypool/proxypool/pool"
	"github.com/caddy-proxypool/proxypool/storage/sqlite"
)

// seeded is a file of books that knows of a past.
func seeded(t *testing.T, pools string, cells ...pool.UsageCell) (config string) {
	t.Helper()
	file, config := onDisk(t, pools)
	store, err := (&sqlite.Storage{Path: file}).Open(t.Context(), func(notice string) { t.Error(notice) })
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Write(t.Context(), &pool.Batch{ID: 1, Usage: cells}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return config
}

// TestUsageResponseTimes: where there are checks, how long they took, and
// otherwise how long it took to connect. Both outlive a restart.
func TestUsageResponseTimes(t *testing.T) {
	origin := sends(t, 10)
	var urls []any
	for range 3 {
		urls = append(urls, proxytest.NewProxy(t, proxytest.ProxyConfig{}).URL())
	}
	pools := fmt.Sprintf(`pool checked {
	tls_trust_pool file %[1]s
	health_check {
		url %[2]s/check
		expect 200
	}
	proxy A %[3]s
}
pool main {
	tls_trust_pool file %[1]s
	health_check off
	proxy B %[4]s
	proxy C %[5]s
}`, append([]any{proxytest.CAFile(t), origin.URL()}, urls...)...)
	_, pools = onDisk(t, pools)
	s := serve(t, pools, "http://127.0.0.1:{port} {\n\tproxy_pool "+origin.URL()+" {\n\t\tpool main\n\t}\n}\n")
	s.call(http.MethodPost, "/proxy_pool/health-check?pool=checked", nil)
	s.get(client(t), "/")
	timed := func() map[string]bool {
		known := make(map[string]bool)
		answer := s.usage("")
		for _, row := range append(answer.Rows, map[string]any{"key": "total", "response_ms": answer.Total["response_ms"]}) {
			ms, ok := row["response_ms"].(float64)
			if _, told := row["response_ms"]; !told || ok && (ms <= 0 || ms > 30_000) {
				t.Errorf("row %v", row)
			}
			known[row["key"].(string)] = ok
		}
		return known
	}
	want := map[string]bool{"checked/A": true, "main/B": true, "main/C": false, "total": true}
	if diff := cmp.Diff(want, timed()); diff != "" {
		t.Errorf("with a response time (-want +got):\n%s", diff)
	}
	s.restart()
	if diff := cmp.Diff(want, timed()); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

// TestUsageOfDays: they are those of the time zone that was chosen, to the
// quarter of an hour, and the empty ones are there when asked for.
func TestUsageOfDays(t *testing.T) {
	for name, tt := range map[string]struct {
		zone, midnight string
		hours          []any // around midnight
	}{
		"+03:30": {"Asia/Tehran", "2026-11-23T20:30:00Z", []any{"2026-11-23T19:30:00Z", "2026-11-23T20:30:00Z"}},
		"+05:45": {"Asia/Kathmandu", "2026-11-23T18:15:00Z", []any{"2026-11-23T17:15:00Z", "2026-11-23T18:15:00Z"}},
		"-03:30": {"America/St_Johns", "2026-11-24T03:30:00Z", []any{"2026-11-24T02:30:00Z", "2026-11-24T03:30:00Z"}},
		"UTC":    {"UTC", "2026-11-24T00:00:00Z", []any{"2026-11-23T23:00:00Z", "2026-11-24T00:00:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			midnight, err := time.Parse(time.RFC3339, tt.midnight)
			if err != nil {
				t.Fatal(err)
			}
			cell := func(quarters, requests int) pool.UsageCell {
				return pool.UsageCell{
					Pool: "main", Proxy: "P1", Target: "api:443", Quarter: pool.QuarterOf(midnight) + pool.Quarter(quarters),
					Usage: pool.Usage{Requests: int64(requests), Timed: 2, Took: time.Duration(requests) * time.Second},
				}
			}
			config := seeded(t, "timezone "+tt.zone+"\n"+onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})),
				cell(-97, 1), cell(-96, 2), cell(-1, 4), cell(0, 8), cell(95, 16), cell(96, 32))
			s := serve(t, config, reverse("https://127.0.0.1:1", ""))
			rows := func(query string) (keys, requests, ms []any) {
				found := s.usage(query).Rows
				return column(found, "key"), column(found, "requests"), column(found, "response_ms")
			}
			keys, requests, ms := rows("?by=day&empty=true&from=2026-11-22&to=2026-11-26")
			want := [][]any{
				{"2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26"},
				{1., 6., 24., 32., 0.}, {500., 1500., 6000., 16000., nil},
			}
			if diff := cmp.Diff(want, [][]any{keys, requests, ms}); diff != "" {
				t.Errorf("days (-want +got):\n%s", diff)
			}
			if keys, _, _ = rows("?by=day&from=2026-11-22&to=2026-11-26"); len(keys) != 4 {
				t.Errorf("days that are not empty: %v", keys)
			}
			keys, requests, _ = rows("?by=hour&from=" + midnight.Add(-time.Hour).Format(time.RFC3339) + "&to=" + midnight.Add(time.Hour).Format(time.RFC3339))
			if diff := cmp.Diff([][]any{tt.hours, {4., 8.}}, [][]any{keys, requests}); diff != "" {
				t.Errorf("hours (-want +got):\n%s", diff)
			}
		})
	}
}
