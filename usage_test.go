package proxypool

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// onDisk makes the books of some pools be kept in a file of the test's own.
func onDisk(t *testing.T, pools string) (file, config string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "books", "proxy_pool.db")
	return file, "storage sqlite " + file + "\n" + pools
}

// restart stops Caddy as an admin does, and starts it anew.
func (s *server) restart() {
	s.t.Helper()
	if err := caddy.Stop(); err != nil {
		s.t.Fatalf("stopping Caddy: %v", err)
	}
	s.load(s.pool, s.sites)
}

// sends is an origin that answers with so many bytes.
func sends(t *testing.T, size int) *proxytest.Origin {
	t.Helper()
	return proxytest.NewOrigin(t, proxytest.OriginConfig{
		TLS: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, size))
		}),
	})
}

type usageTest struct {
	Rows  []map[string]any `json:"rows"`
	Total map[string]any   `json:"total"`
}

func (s *server) usage(query string) usageTest {
	s.t.Helper()
	var answer usageTest
	if resp := s.call(http.MethodGet, "/proxy_pool/usage"+query, &answer); resp.StatusCode != http.StatusOK {
		s.t.Fatalf("usage%s: %s", query, resp.Status)
	}
	return answer
}

func TestUsage(t *testing.T) {
	origin := sends(t, 100_000)
	cheap, dear := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	pools := fmt.Sprintf(`timezone Asia/Tehran
pool main {
	tls_trust_pool file %s
	health_check off
	proxy Cheap %s {
		cost_per_gb 2
		cost_per_month 5
	}
	proxy Dear %s {
		cost_per_gb 12
	}
}`, proxytest.CAFile(t), cheap.URL(), dear.URL())
	s := serve(t, pools, reverse(origin.URL(), ""))
	c := client(t)
	for range 10 {
		s.get(c, "/")
	}
	answer := s.usage("")
	fromClient, toClient := cheap.Bytes()
	gb := float64(fromClient+toClient) / (1 << 30)
	row := answer.Rows[0]
	if row["key"] != "main/Cheap" || row["requests"] != 10. || row["failed"] != 0. || row["cost_per_month"] != 5. ||
		row["bytes_in"] != float64(toClient) || row["bytes_out"] != float64(fromClient) {
		t.Errorf("row %v, the proxy saw %d and %d", row, fromClient, toClient)
	}
	near := func(got any, want float64) bool { return got.(float64)-want < 2e-9 && want-got.(float64) < 2e-9 }
	if !near(row["cost_usd"], 2*gb) || !near(row["saved_usd"], 10*gb) {
		t.Errorf("cost %v and saved %v for %v GB", row["cost_usd"], row["saved_usd"], gb)
	}
	if len(answer.Rows) != 2 || answer.Rows[1]["key"] != "main/Dear" || answer.Rows[1]["requests"] != 0. {
		t.Errorf("rows %v, want one of a proxy that was not used", answer.Rows)
	}
	now := time.Now()
	tehran, err := time.LoadLocation("Asia/Tehran")
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"?by=target": origin.Addr(),
		"?by=day":    now.In(tehran).Format(time.DateOnly),
		"?by=hour":   now.Add(-30 * time.Minute).Truncate(time.Hour).Add(30 * time.Minute).UTC().Format(time.RFC3339),
		"?by=target&proxy=Cheap&pool=main&target=" + origin.URL():                                              origin.Addr(),
		"?by=day&from=" + now.In(tehran).Format(time.DateOnly) + "&to=" + now.In(tehran).Format(time.DateOnly): now.In(tehran).Format(time.DateOnly),
	} {
		answer := s.usage(query)
		if len(answer.Rows) != 1 || answer.Rows[0]["key"] != want || answer.Rows[0]["requests"] != 10. {
			t.Errorf("usage%s: %v, want all under %s", query, answer.Rows, want)
		}
		if answer.Total["bytes_in"] != float64(toClient) {
			t.Errorf("usage%s: total %v", query, answer.Total)
		}
	}
	if rows := s.usage("?by=target&target=other.test").Rows; len(rows) != 0 {
		t.Errorf("rows of a target that nobody asked for: %v", rows)
	}
	if total := s.usage("?to=2020-01-01&from=2019-01-01").Total; total["requests"] != 0. {
		t.Errorf("total of the past: %v", total)
	}
}

func TestUsageErrors(t *testing.T) {
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), reverse("https://127.0.0.1:1", ""))
	for path, status := range map[string]int{
		"usage?by=minute":                         400,
		"usage?by=day&empty=maybe":                400,
		"usage?from=yesterday":                    400,
		"usage?from=2026-02-30":                   400,
		"usage?from=2026-11-02&to=2026-11-01":     400,
		"usage?by=hour&from=2020-01-01":           400,
		"usage?target=ftp://x":                    400,
		"usage?pool=nope":                         404,
		"usage?proxy=nope":                        404,
		"log?limit=0":                             400,
		"log?limit=1001":                          400,
		"log?before=x":                            400,
		"log?success=maybe":                       400,
		"log?pool=nope":                           404,
		"events?limit=-1":                         400,
		"events?proxy=nope":                       404,
		"usage?by=hour&from=2026-11-01T00:00:00Z": 200,
	} {
		var answer map[string]any
		if resp := s.call(http.MethodGet, "/proxy_pool/"+path, &answer); resp.StatusCode != status {
			t.Errorf("%s: %s %v, want %d", path, resp.Status, answer, status)
		}
	}
}

type logTest struct{ Rows []map[string]any }

func (s *server) log(query string) []map[string]any {
	s.t.Helper()
	var answer logTest
	if resp := s.call(http.MethodGet, "/proxy_pool/log"+query, &answer); resp.StatusCode != http.StatusOK {
		s.t.Fatalf("log%s: %s", query, resp.Status)
	}
	return answer.Rows
}

func TestUsageLog(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	file, pools := onDisk(t, "usage_log on {\nredact key=\\w+ key=hidden\n}\n"+onePool(t, "max_failures 100", first, second))
	transport := fmt.Sprintf("http://127.0.0.1:{port} {\n\thandle /transport/* {\n\t\treverse_proxy %s {\n\t\t\ttransport proxy_pool\n\t\t}\n\t}\n\thandle {\n\t\tproxy_pool %s\n\t}\n}\n", origin.URL(), origin.URL())
	s := serve(t, pools, transport)
	c := client(t)
	s.get(c, "/bot123456:AAH-secret_token/getMe?text=query-secret")
	s.get(c, "/api/key=path_secret/x")
	s.get(c, "/transport/bot123456:AAH-secret_token/file")
	first.MustSetMode(t, proxytest.Refuse)
	second.MustSetMode(t, proxytest.Reset)
	c.CloseIdleConnections()
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/mark-healthy", nil)
	resp, _ := s.do(c, http.MethodGet, "/dies", "", "")
	if resp.StatusCode != http.StatusBadGateway {
		t.Fatalf("got %s", resp.Status)
	}

	rows := s.log("")
	if len(rows) != 4 {
		t.Fatalf("%d rows: %v", len(rows), rows)
	}
	if diff := cmp.Diff([]any{"/dies", "/transport/bot***/file", "/api/key=hidden/x", "/bot***/getMe"}, column(rows, "path")); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{false, true, true, true}, column(rows, "success")); diff != "" {
		t.Errorf("success (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{502., 200., 200., 200.}, column(rows, "status")); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if row := rows[0]; row["trail"] != "P1:dial_refused P2:conn_reset" && !strings.HasPrefix(fmt.Sprint(row["trail"]), "P1:") || row["attempts"].(float64) < 2 || row["error"] == "" {
		t.Errorf("the failed one: %v", row)
	}
	if row := rows[3]; row["trail"] != "P1:ok" || row["method"] != "GET" || row["target"] != origin.Addr() || row["pool"] != "main" ||
		row["proxy"] != "P1" || row["attempts"] != 1. || row["bytes_in"].(float64) < 1000 || row["bytes_out"].(float64) < 300 {
		t.Errorf("the first one, with its handshakes: %v", row)
	}
	if row := rows[2]; row["bytes_in"].(float64) > 1000 || row["bytes_in"].(float64) < 50 {
		t.Errorf("on a kept connection: %v", row)
	}
	if got := column(s.log("?success=false"), "path"); !cmp.Equal(got, []any{"/dies"}) {
		t.Errorf("failed ones: %v", got)
	}
	if got := s.log(fmt.Sprintf("?limit=1&before=%v", rows[2]["id"])); len(got) != 1 || got[0]["path"] != "/bot***/getMe" {
		t.Errorf("the one before: %v", got)
	}
	if got := s.log("?proxy=P1&pool=main"); len(got) != 3 {
		t.Errorf("those of P1: %v", got)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	secretsNowhere(t, filepath.Dir(file), "AAH-secret", "query-secret", "path_secret")
}

// secretsNowhere looks into every file of a directory.
func secretsNowhere(t *testing.T, dir string, secrets ...string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s holds %q", filepath.Base(file), secret)
			}
		}
	}
}

func column(rows []map[string]any, key string) []any {
	var values []any
	for _, row := range rows {
		values = append(values, row[key])
	}
	return values
}

// TestClientThatLeaves: an answer that did not come to its end is no success,
// and nobody's failure.
func TestClientThatLeaves(t *testing.T) {
	origin := sends(t, 50<<20)
	s := serve(t, "usage_log on\n"+onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), reverse(origin.URL(), ""))
	resp, err := client(t).Get(s.url)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	var rows []map[string]any
	eventually(t, "a row in the log", func() bool {
		rows = s.log("")
		return len(rows) > 0
	})
	if row := rows[0]; row["success"] != false || row["error"] != "client_gone" || row["status"] != 200. {
		t.Errorf("row %v", row)
	}
	if row := s.row("P1"); row.FailedRequests != 0 || row.FailureCount != 0 || len(row.FailingFor) != 0 {
		t.Errorf("somebody was blamed: %+v", row)
	}
}
