package proxypool

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// statusKeys is what scripts depend on.
var statusKeys = []string{
	"active", "blocked_for", "cost_per_gb", "estimated_cost", "failed_requests", "failing_for", "failure_count", "id",
	"last_check", "last_error", "last_success", "name", "next_check", "pool", "priority", "reason", "response_time_ms",
	"since", "status", "total_requests", "traffic_mb", "type", "uptime", "url", "usable",
}

func TestStatusKeys(t *testing.T) {
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", proxy), reverse("https://127.0.0.1:1", ""))
	var answer struct {
		Summary   map[string]float64 `json:"summary"`
		Proxies   []map[string]any   `json:"proxies"`
		Store     map[string]any     `json:"store"`
		Timestamp string             `json:"timestamp"`
	}
	resp := s.call(http.MethodGet, "/proxy_pool/status/", &answer)
	if diff := cmp.Diff(map[string]any{"ok": true}, answer.Store); diff != "" {
		t.Errorf("store (-want +got):\n%s", diff)
	}
	if resp.Header.Get("Content-Type") != "application/json" || answer.Timestamp == "" {
		t.Errorf("got %v, timestamp %q", resp.Header, answer.Timestamp)
	}
	var keys []string
	for key := range answer.Proxies[0] {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if diff := cmp.Diff(statusKeys, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	want := map[string]float64{"total": 1, "healthy": 1, "degraded": 0, "down": 0, "blocked": 0, "disabled": 0, "total_cost_usd": 0}
	if diff := cmp.Diff(want, answer.Summary); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	row := answer.Proxies[0]
	for key, want := range map[string]any{
		"id": "main/P1", "url": proxy.URL(), "last_check": nil, "last_success": nil, "uptime": 100.0,
		"blocked_for": []any{}, "failing_for": []any{}, "type": "other", "active": true, "usable": true,
	} {
		if diff := cmp.Diff(want, row[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}

// TestStatusOfPools: who carries the traffic of each pool, how many could, and
// what it costs.
func TestStatusOfPools(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	priced := strings.Replace(onePool(t, "", first, second), "priority 1\n", "priority 1\ncost_per_gb 1000\n", 1)
	s := serve(t, priced+"pool b {\nhealth_check off\nproxy X http://127.0.0.1:1\n}\n", reverse(origin.URL(), "pool main"))
	pools := func() []poolRow {
		t.Helper()
		var answer struct{ Pools []poolRow }
		s.call(http.MethodGet, "/proxy_pool/status", &answer)
		return answer.Pools
	}
	want := []poolRow{{Name: "main", Carrier: "P1", Total: 2, Usable: 2}, {Name: "b", Carrier: "X", Total: 1, Usable: 1}}
	if diff := cmp.Diff(want, pools()); diff != "" {
		t.Errorf("before anything (-want +got):\n%s", diff)
	}
	s.get(client(t), "/")
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/disable", nil)
	s.call(http.MethodPost, "/proxy_pool/proxies/b/X/mark-down", nil)
	got := pools()
	if spent := got[0].CostMonthUSD; spent <= 0 || spent != got[0].CostTodayUSD {
		t.Errorf("spent %v today, %v this month", got[0].CostTodayUSD, spent)
	}
	got[0].CostTodayUSD, got[0].CostMonthUSD = 0, 0
	want = []poolRow{{Name: "main", Carrier: "P2", Total: 2, Usable: 1}, {Name: "b", Total: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("without P1 and X (-want +got):\n%s", diff)
	}
}

func TestAdminErrors(t *testing.T) {
	two := "pool a {\nhealth_check off\nproxy X http://127.0.0.1:1\n}\npool b {\nhealth_check off\nproxy X http://127.0.0.1:1\n}"
	s := serve(t, two, reverse("https://127.0.0.1:1", "pool a"))
	tests := []struct {
		method, path string
		status       int
	}{
		{"GET", "/status?pool=nope", 404},
		{"GET", "/nonsense", 404},
		{"POST", "/status", 405},
		{"GET", "/health-check", 405},
		{"POST", "/health-check?pool=nope", 404},
		{"GET", "/active", 400},
		{"GET", "/active?pool=nope", 404},
		{"GET", "/explain?pool=a", 400},
		{"GET", "/explain?target=x", 400},
		{"GET", "/usage?from=0001-01-01T00:00:00Z", 400},
		{"GET", "/usage?to=9999-12-31T23:59:59-12:00", 400},
		{"GET", "/explain?pool=a&target=ftp://x", 400},
		{"POST", "/proxies/a/nope/enable", 404},
		{"POST", "/proxies/nope/X/enable", 404},
		{"POST", "/proxies/a/X/explode", 404},
		{"POST", "/proxies/a/X", 404},
		{"POST", "/proxies/a/X/check", 400},
		{"GET", "/proxies/a/X/enable", 405},
		{"GET", "/status", 200},
		{"GET", "/active?pool=a&target=api.example.org/", 200},
		{"POST", "/proxies/a/%58/enable/", 200},
	}
	for _, test := range tests {
		t.Run(test.method+test.path, func(t *testing.T) {
			var answer struct {
				Error string `json:"error"`
			}
			resp := s.call(test.method, "/proxy_pool"+test.path, &answer)
			if resp.StatusCode != test.status || (answer.Error == "") != (test.status == 200) {
				t.Errorf("got %s %q", resp.Status, answer.Error)
			}
		})
	}
}

func TestActions(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	checked := fmt.Sprintf("health_check {\nurl %s\ninterval 1h\n}", origin.URL())
	s := serve(t, strings.Replace(onePool(t, "", proxy), "health_check off", checked, 1), reverse(origin.URL(), ""))
	c := client(t)
	s.get(c, "/")
	s.call(http.MethodPost, "/proxy_pool/health-check", nil) // or the first check comes in between
	act := func(action string) (row statusRow) {
		t.Helper()
		s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/"+action, &row)
		return row
	}
	code := func() int {
		resp, _ := s.do(c, http.MethodGet, "/", "", "")
		return resp.StatusCode
	}
	if row := act("disable"); row.Active || row.Usable || code() != 503 {
		t.Errorf("disable: %+v", row)
	}
	if row := act("enable"); !row.Active || !row.Usable || code() != 200 {
		t.Errorf("enable: %+v", row)
	}
	if row := act("mark-down"); row.Status != "down" || row.Usable || row.NextCheck == nil || code() != 503 {
		t.Errorf("mark-down: %+v", row)
	}
	if row := act("check"); row.Status != "healthy" || row.LastCheck == nil || code() != 200 {
		t.Errorf("check: %+v", row)
	}
	act("mark-down")
	if row := act("mark-healthy"); row.Status != "healthy" || !row.Usable || code() != 200 {
		t.Errorf("mark-healthy: %+v", row)
	}
	if row := act("reset-stats"); row.TotalRequests != 0 || row.TrafficMB != 0 || row.Uptime != 100 {
		t.Errorf("reset-stats: %+v", row)
	}
}

func TestHealthCheckCall(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	good, bad := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	bad.MustSetMode(t, proxytest.Refuse)
	checked := fmt.Sprintf("max_failures 1\nhealth_check {\nurl %s\ninterval 1h\n}", origin.URL())
	s := serve(t, strings.Replace(onePool(t, "", good, bad), "health_check off", checked, 1), reverse(origin.URL(), ""))
	var answer struct {
		Message string         `json:"message"`
		Results map[string]int `json:"results"`
	}
	s.call(http.MethodPost, "/proxy_pool/health-check", &answer)
	want := map[string]int{"total": 2, "healthy": 1, "degraded": 0, "down": 1, "blocked": 0}
	if diff := cmp.Diff(want, answer.Results); diff != "" || answer.Message != "Health check completed" {
		t.Errorf("%q (-want +got):\n%s", answer.Message, diff)
	}
	var explained explainAnswer
	s.call(http.MethodGet, "/proxy_pool/explain?target="+origin.Addr(), &explained)
	if len(explained.Proxies) != 2 || !explained.Proxies[0].Usable || explained.Proxies[1].Usable ||
		explained.Proxies[1].Reason != "down: check: dial_refused" || explained.Proxies[1].Until == nil {
		t.Errorf("explain: %+v", explained)
	}
	eventually(t, "the change is in the log", func() bool {
		return strings.Contains(captured.String(), `"msg":"proxy changed status","pool":"main","proxy":"P2","from":"healthy","to":"down"`)
	})
}

// TestActive: what Python's requests takes, and who it is.
func TestActive(t *testing.T) {
	pools := `pool main {
		health_check off
		proxy Metered http://127.0.0.1:3 {
			cost_per_gb 10
			priority 1
		}
		proxy Free socks5://127.0.0.1:4
		proxy Own direct {
			priority 300
		}
	}`
	s := serve(t, pools, reverse("https://127.0.0.1:1", ""))
	get := func() (string, map[string]string) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.admin+"/proxy_pool/active", nil)
		resp, err := client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer := map[string]string{}
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatal(err)
		}
		return resp.Header.Get("X-Proxy-Pool-Proxy"), answer
	}
	steps := []struct {
		disable, name string
		want          map[string]string
	}{
		{"", "Free", map[string]string{"http": "socks5h://127.0.0.1:4", "https": "socks5h://127.0.0.1:4"}},
		{"Free", "Own", map[string]string{}},
		{"Own", "Metered", map[string]string{"http": "http://127.0.0.1:3", "https": "http://127.0.0.1:3"}},
		{"Metered", "", map[string]string{}},
	}
	for _, step := range steps {
		if step.disable != "" {
			s.call(http.MethodPost, "/proxy_pool/proxies/main/"+step.disable+"/disable", nil)
		}
		name, got := get()
		if diff := cmp.Diff(step.want, got); diff != "" || name != step.name {
			t.Errorf("after disabling %q: %q (-want +got):\n%s", step.disable, name, diff)
		}
	}
}
