package proxypool

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// everything is what the API tells of the proxies, but for the time it was asked.
func (s *server) everything() map[string]any {
	s.t.Helper()
	answers := make(map[string]any)
	for _, call := range []string{"status", "usage", "usage?by=target", "events", "log"} {
		var answer map[string]any
		s.call(http.MethodGet, "/proxy_pool/"+call, &answer)
		delete(answer, "timestamp")
		delete(answer, "to")
		answers[call] = answer
	}
	return answers
}

// troubledPool is a pool that has seen everything: traffic that costs, failures,
// a proxy that is down, one that is disabled, one that is blocked.
func troubledPool(t *testing.T) *server {
	t.Helper()
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	var proxies []any
	var up []*proxytest.Proxy
	for range 5 {
		p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
		up = append(up, p)
		proxies = append(proxies, p.URL())
	}
	_, pools := onDisk(t, "usage_log on\npool main {\n\ttls_trust_pool file "+proxytest.CAFile(t)+fmt.Sprintf(`
	health_check off
	block {
		header X-Blocked *
		for 1h
	}
	proxy Down %s {
		priority 1
	}
	proxy Blocked %s {
		priority 2
	}
	proxy Disabled %s {
		priority 3
	}
	proxy Good %s {
		priority 4
		cost_per_gb 10
		budget 1USD month
	}
	proxy Never %s {
		priority 5
		cost_per_gb 12
	}
}`, proxies...))
	s := serve(t, pools, reverse(origin.URL(), ""))
	c := client(t)
	s.call(http.MethodPost, "/proxy_pool/proxies/main/Disabled/disable", nil)
	up[0].MustSetMode(t, proxytest.Refuse)
	for range 3 {
		s.get(c, "/")
	}
	first := true
	origin.SetHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if first {
			w.Header().Set("X-Blocked", "yes")
			w.WriteHeader(http.StatusForbidden)
		}
		first = !first
	}))
	s.get(c, "/bot1:secret/x")
	origin.SetHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	for range 20 {
		s.get(c, "/y")
	}
	s.call(http.MethodPost, "/proxy_pool/proxies/main/Down/reset-stats", nil)
	for name, want := range map[string]string{"Down": "down", "Blocked": "blocked", "Disabled": "healthy", "Good": "healthy"} {
		if row := s.row(name); row.Status != want || row.Active != (name != "Disabled") {
			t.Fatalf("%s before: %+v", name, row)
		}
	}
	c.CloseIdleConnections()
	return s
}

// TestRestartLosesNothing: what the API answers after a clean stop and a start
// is what it answered before, byte for byte.
func TestRestartLosesNothing(t *testing.T) {
	s := troubledPool(t)
	// Connections say goodbye when they are closed, which is counted: have it
	// over with.
	for _, name := range []string{"Good", "Blocked"} {
		s.call(http.MethodPost, "/proxy_pool/proxies/main/"+name+"/disable", nil)
		s.call(http.MethodPost, "/proxy_pool/proxies/main/"+name+"/enable", nil)
	}
	before := s.everything()
	for range 2 {
		s.restart()
		// Who carries the traffic is said for the target last asked for, and nobody
		// has asked for one yet.
		if diff := cmp.Diff(before, s.everything(), ignoring("next_check", "from", "carrier")); diff != "" {
			t.Fatalf("after a restart (-before +after):\n%s", diff)
		}
	}
	if total := before["usage"].(map[string]any)["total"].(map[string]any); total["requests"].(float64) < 24 {
		t.Errorf("only %v requests", total)
	}
}

// ignoring leaves some keys of JSON objects out of a comparison.
func ignoring(keys ...string) cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool {
		index, ok := p.Last().(cmp.MapIndex)
		for _, key := range keys {
			if ok && index.Key().String() == key {
				return true
			}
		}
		return false
	}, cmp.Ignore())
}

// TestReloadWritesTheBooks: what was counted is in the file when a reload is over.
func TestReloadWritesTheBooks(t *testing.T) {
	s := troubledPool(t)
	before := s.everything()
	s.reload()
	if diff := cmp.Diff(before, s.everything(), ignoring("next_check", "from")); diff != "" {
		t.Fatalf("after a reload (-before +after):\n%s", diff)
	}
}

// TestProxyComesBack: a proxy that left the configuration has its history when
// it returns, also where the process was another one in between.
func TestProxyComesBack(t *testing.T) {
	s := troubledPool(t)
	before := s.row("Good")
	all := s.pool
	s.pool = strings.Split(all, "\tproxy Good")[0] + "}"
	s.restart()
	var answer statusAnswer
	s.call(http.MethodGet, "/proxy_pool/status", &answer)
	if len(answer.Proxies) != 3 {
		t.Fatalf("%d proxies", len(answer.Proxies))
	}
	if rows := s.usage("?proxy=Good").Rows; len(rows) != 1 || rows[0]["requests"].(float64) == 0 {
		t.Errorf("usage of one that left: %v", rows)
	}
	if rows := s.log("?proxy=Good&before=1"); len(rows) != 0 {
		t.Errorf("rows before the first: %v", rows)
	}
	s.load(all, s.sites)
	after := s.row("Good")
	if after.TotalRequests != before.TotalRequests || after.EstimatedCost < before.EstimatedCost || after.Budget.Used < before.Budget.Used {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
}

// TestStoreThatCannotBeOpened: the pool forwards and counts all the same, and
// what it held in memory is written once the fault is gone.
func TestStoreThatCannotBeOpened(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	file, pools := onDisk(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})))
	if err := os.MkdirAll(file, 0o700); err != nil { // a directory in its place
		t.Fatal(err)
	}
	s := serve(t, pools, reverse(origin.URL(), ""))
	c := client(t)
	for range 5 {
		s.get(c, "/")
	}
	store := func() storeAnswer {
		var answer statusAnswer
		s.call(http.MethodGet, "/proxy_pool/status", &answer)
		return answer.Store
	}
	if got := store(); got.OK || !strings.Contains(got.Error, "directory") {
		t.Errorf("store %+v", got)
	}
	if row := s.row("P1"); row.TotalRequests != 5 {
		t.Errorf("row %+v", row)
	}
	if total := s.usage("").Total; total["requests"] != 5. {
		t.Errorf("usage from memory: %v", total)
	}
	var answer map[string]any
	if resp := s.call(http.MethodGet, "/proxy_pool/events", &answer); resp.StatusCode != http.StatusServiceUnavailable || answer["error"] == "" {
		t.Errorf("events: %s %v", resp.Status, answer)
	}
	if n := strings.Count(captured.String(), "store failed"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the store works", func() bool { return store().OK })
	eventually(t, "the log says so", func() bool { return strings.Contains(captured.String(), "store works again") })
	s.restart()
	if row := s.row("P1"); row.TotalRequests != 5 {
		t.Errorf("after a restart %+v", row)
	}
	if total := s.usage("").Total; total["requests"] != 5. {
		t.Errorf("usage after a restart: %v", total)
	}
}

// TestPasswordsStayOutOfTheFile looks for them in every byte of it.
func TestPasswordsStayOutOfTheFile(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Username: "user-of-mine", Password: "pass-of-mine"})
	file, pools := onDisk(t, "usage_log on\n"+onePool(t, "", proxy))
	url := strings.Replace(proxy.URL(), "http://", "http://user-of-mine:pass-of-mine@", 1)
	if !strings.Contains(proxy.URL(), "@") {
		pools = strings.Replace(pools, proxy.URL(), url, 1)
	}
	s := serve(t, pools, reverse(origin.URL(), ""))
	s.get(client(t), "/")
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	secretsNowhere(t, filepath.Dir(file), "user-of-mine", "pass-of-mine")
}

// TestHardBudget: once it is spent nothing more goes through the proxy, and that
// is nobody's failure.
func TestHardBudget(t *testing.T) {
	origin := sends(t, 10_000) // less than 2 % of the budget
	limited, free := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	pools := onePool(t, "", limited, free)
	pools = strings.Replace(pools, "priority 1\n", "priority 1\nbudget 1MB day hard\n", 1)
	_, pools = onDisk(t, pools)
	s := serve(t, pools, reverse(origin.URL(), ""))
	c := client(t)
	for range 150 {
		s.get(c, "/")
	}
	row := s.row("P1")
	if row.Usable || row.Status != "healthy" || row.FailedRequests != 0 || !row.Budget.Spent || !strings.Contains(row.Reason, "budget spent") {
		t.Errorf("row %+v budget %+v", row, row.Budget)
	}
	if row.TrafficMB < 1 || row.TrafficMB > 1.02 {
		t.Errorf("%v MB went through it", row.TrafficMB)
	}
	_, before := limited.Bytes()
	for range 5 {
		s.get(c, "/")
	}
	if _, after := limited.Bytes(); after > before+200 {
		t.Errorf("%d bytes went through it after that", after-before)
	}
	var explained explainAnswer
	s.call(http.MethodGet, "/proxy_pool/explain?target="+origin.Addr(), &explained)
	if got := explained.Proxies[0]; got.Usable || !strings.Contains(got.Reason, "of 1.00 MB a day") || got.Until == nil {
		t.Errorf("explained %+v", got)
	}
	if resp := s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/check", nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("check: %s", resp.Status)
	}
	if logged := captured.String(); strings.Count(logged, `"percent":80`) != 1 || strings.Count(logged, `"percent":100`) != 1 {
		t.Error("80 and 100 % are not logged once each")
	}
	s.restart()
	if row := s.row("P1"); row.Usable || !row.Budget.Spent {
		t.Errorf("after a restart: %+v", row)
	}
	s.get(c, "/")
	if got := s.row("P2").TotalRequests; got < 40 {
		t.Errorf("the free one carried %d", got)
	}
	if strings.Count(captured.String(), `"percent":100`) != 1 {
		t.Error("what was told before the restart was told again")
	}
}

// TestOverdrawnBudget: what still runs is cut off soon after the budget is spent.
func TestOverdrawnBudget(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	})})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	pools := strings.Replace(onePool(t, "", proxy), "priority 1\n", "priority 1\nbudget 10MB total hard\n", 1)
	s := serve(t, "usage_log on\n"+pools, reverse(origin.URL(), ""))
	resp, err := client(t).Get(s.url)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if err == nil {
		t.Errorf("all of it arrived, %d bytes", n)
	}
	row := s.row("P1")
	if row.TrafficMB < 10.2 || row.TrafficMB > 10.3 {
		t.Errorf("cut off after %v MB, want 10.2", row.TrafficMB)
	}
	if row.FailedRequests != 0 || row.Status != "healthy" || row.FailureCount != 0 || len(row.FailingFor) != 0 {
		t.Errorf("somebody was blamed: %+v", row)
	}
	if log := s.log(""); len(log) != 1 || log[0]["error"] != "budget_spent" || log[0]["success"] != false {
		t.Errorf("log %v", log)
	}
	second, body := s.do(client(t), http.MethodGet, "/", "", "")
	if second.StatusCode != http.StatusServiceUnavailable || second.Header.Get("Retry-After") == "" {
		t.Errorf("the next one: %s %s", second.Status, body)
	}
}
