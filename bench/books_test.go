//go:build linux

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/pool"
	"github.com/caddy-proxypool/proxypool/storage/sqlite"
)

// TestLoadStopsAtItsLimit counts what arrives, and where.
func TestLoadStopsAtItsLimit(t *testing.T) {
	o, err := startOrigin(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	l := &load{addr: o.addr(), path: checkPath, clients: 7, limit: 100, timeout: 5 * time.Second}
	if samples := l.run(t.Context()); len(samples) != 100 || o.handled.Load() != 100 {
		t.Errorf("the load sent %d requests, and %d arrived at the path, want 100", len(samples), o.handled.Load())
	}
	if len(growthPath) != 40 {
		t.Errorf("the path has %d characters, want 40", len(growthPath))
	}
}

// TestMonth reads what was made up from the file: the log, the usage and the
// records must agree.
func TestMonth(t *testing.T) {
	const requests = 7001
	path := filepath.Join(t.TempDir(), "month.db")
	m := newMonth(time.Now().Add(-monthLength), requests, "a:443", "b:443", "c:443")
	if err := m.writeTo(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), path, func(message string) { t.Error(message) })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows, err := s.Log(t.Context(), pool.LogQuery{Limit: 2 * requests})
	if err != nil {
		t.Fatal(err)
	}
	routes := make(map[string]bool)
	var logged, used, recorded pool.Usage
	for _, row := range rows {
		u := pool.Usage{Requests: 1, BytesIn: row.BytesIn, BytesOut: row.BytesOut}
		if !row.Success {
			u.Failed = 1
		}
		logged.Add(u)
		routes[row.Proxy+row.Target] = true
		if len(row.Path) != 40 {
			t.Fatalf("the path %q has %d characters, want 40", row.Path, len(row.Path))
		}
	}
	if spread := rows[0].Time.Sub(rows[len(rows)-1].Time); logged.Requests != requests || spread < monthLength-time.Hour || len(routes) != 3*monthProxies {
		t.Errorf("%d rows over %v on %d routes", logged.Requests, spread, len(routes))
	}
	if percent := 100 * float64(logged.Failed) / requests; percent < 0.5 || percent > 1.5 {
		t.Errorf("%.2f %% failed, want about 1", percent)
	}
	span := pool.QuarterSpan{From: pool.QuarterOf(m.begin), To: pool.QuarterOf(time.Now()) + 1}
	usage, err := s.Usage(t.Context(), pool.UsageQuery{Spans: []pool.QuarterSpan{span}})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range usage {
		used.Add(row.Usage)
	}
	records, err := s.Records(t.Context(), monthPool)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		recorded.Add(record.Total)
	}
	if diff := cmp.Diff([]pool.Usage{logged, logged}, []pool.Usage{used, recorded}); diff != "" {
		t.Errorf("usage and records (-log +got):\n%s", diff)
	}
}

// TestTimeCalls asks a stand-in for Caddy, which counts.
func TestTimeCalls(t *testing.T) {
	asked := make(map[string]int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked[r.URL.Path]++; r.URL.Path == "/proxy_pool/broken" && asked[r.URL.Path] == timesAsked {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, `{"rows": [{}, {}]}`)
	}))
	defer server.Close()
	c := &caddyProcess{admin: strings.TrimPrefix(server.URL, "http://")}
	timings, err := c.timeCalls(t.Context(), []call{{"one", "one"}, {"other", "other"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, timing := range timings {
		if timing.rows != 2 || len(timing.took) != timesAsked {
			t.Errorf("call %d: %d rows, %d times", i, timing.rows, len(timing.took))
		}
	}
	if want := map[string]int{"/proxy_pool/one": timesAsked, "/proxy_pool/other": timesAsked}; !cmp.Equal(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
	if _, err := c.timeCalls(t.Context(), []call{{"broken", "broken"}}); err == nil {
		t.Error("an answer that failed was timed as if it were good")
	}
	some := timing{took: []time.Duration{5, 90, 1, 7, 6}}
	if some.median() != 6 || some.worst() != 90 {
		t.Errorf("the median is %v and the worst %v", some.median(), some.worst())
	}
}

func TestWeigh(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	if _, _, err := weigh(path); err == nil {
		t.Error("a file that is not there was weighed")
	}
	if err := os.WriteFile(path, make([]byte, 300), 0o600); err != nil {
		t.Fatal(err)
	}
	if file, wal, err := weigh(path); file != 300 || wal != 0 || err != nil {
		t.Errorf("%d and %d bytes, error %v", file, wal, err)
	}
	if err := os.WriteFile(path+"-wal", make([]byte, 20), 0o600); err != nil {
		t.Fatal(err)
	}
	if file, wal, err := weigh(path); file != 300 || wal != 20 || err != nil {
		t.Errorf("%d and %d bytes, error %v", file, wal, err)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 123456: "123,456", 1_000_000: "1,000,000"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
}
