package proxypool

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
	"github.com/caddy-proxypool/proxypool/pool"
)

// samples are the module's own metrics, as text and by "name{labels}".
type samples struct {
	text   string
	values map[string]float64
}

// scrape reads the metrics from Caddy's admin endpoint.
func (s *server) scrape() samples {
	s.t.Helper()
	c := client(s.t)
	defer c.CloseIdleConnections()
	var resp *http.Response
	eventually(s.t, "the admin endpoint answers", func() bool { // a reload closes what it has just accepted
		var err error
		resp, err = c.Get("http://" + s.admin + "/metrics")
		return err == nil
	})
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("scraping: %s", resp.Status)
	}
	var own strings.Builder
	read := samples{values: make(map[string]float64)}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		line := lines.Text()
		if !strings.Contains(line, "caddy_proxy_pool_") {
			continue
		}
		own.WriteString(line + "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		end := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			s.t.Fatalf("%q: %v", line, err)
		}
		read.values[strings.TrimPrefix(line[:end], "caddy_proxy_pool_")] = value
	}
	if err := lines.Err(); err != nil {
		s.t.Fatal(err)
	}
	read.text = own.String()
	return read
}

// differ are the samples whose value is not the wanted one; those that are not
// named are not looked at.
func (s samples) differ(want map[string]float64) string {
	got := make(map[string]float64)
	for name := range want {
		if value, ok := s.values[name]; ok {
			got[name] = value
		}
	}
	return cmp.Diff(want, got)
}

// atZero are all the series of a pool "main" with P1, which has a budget, and P2,
// and of a chat, before anything happened.
func atZero() map[string]float64 {
	zero := map[string]float64{"store_dropped_total": 0, `hedges_total{pool="main"}`: 0}
	for label, values := range map[string][]string{
		`alerts_total{notifier="telegram",result=%q}`: {"delivered", "dropped", "failed"},
		`requests_total{code=%q,pool="main"}`:         {"1xx", "2xx", "3xx", "4xx", "5xx", "400", "403", "407", "413", "431", "499", "502", "503", "504", "508"},
		`failovers_total{pool="main",reason=%q}`: strings.Fields(`bad_proxy blocked broken_answer budget_spent conn_closed conn_reset conn_timeout dial_failed
			dial_refused dial_timeout dial_unreachable dns_failed header_too_large loop malformed_response other overdue proxy_answer proxy_auth
			proxy_dropped proxy_nonsense proxy_payment proxy_rate_limited proxy_silent proxy_tls response_timeout send_failed silent stale
			stream_refused stream_reset target_reset target_tls target_tls_timeout tunnel_refused`),
	} {
		for _, value := range values {
			zero[fmt.Sprintf(label, value)] = 0
		}
	}
	for _, proxy := range []string{"P1", "P2"} {
		of := `pool="main",proxy="` + proxy + `"`
		for label, values := range map[string][]string{
			`attempts_total{outcome=%q,` + of + `}`:              {"ok", "blocked", "proxy_failed", "route_failed", "timeout", "cut_off"},
			`traffic_bytes_total{direction=%q,` + of + `}`:       {"in", "out"},
			`proxy_status{` + of + `,status=%q}`:                 {"healthy", "degraded", "blocked", "down"},
			`checks_total{` + of + `,result=%q}`:                 {"ok", "failed"},
			`connect_duration_seconds_bucket{` + of + `,le=%q}`:  {"0.05", "0.1", "0.25", "0.5", "1", "5", "30", "+Inf"},
			`response_duration_seconds_bucket{` + of + `,le=%q}`: {"0.05", "0.1", "0.25", "0.5", "1", "5", "30", "+Inf"},
		} {
			for _, value := range values {
				zero[fmt.Sprintf(label, value)] = 0
			}
		}
		for _, name := range []string{
			"broken_total", "cost_usd_total", "proxy_usable", "proxy_active",
			"connect_duration_seconds_sum", "connect_duration_seconds_count", "response_duration_seconds_sum", "response_duration_seconds_count",
		} {
			zero[name+"{"+of+"}"] = 0
		}
		zero["proxy_usable{"+of+"}"], zero["proxy_active{"+of+"}"], zero["proxy_status{"+of+`,status="healthy"}`] = 1, 1, 1
	}
	zero[`budget_used_ratio{pool="main",proxy="P1"}`] = 0
	return zero
}

// withBudget gives P1 of [onePool] a price and a budget.
func withBudget(pools, budget string) string {
	return strings.Replace(pools, "priority 1\n", "priority 1\n\t\tcost_per_gb 1\n\t\tbudget "+budget+"\n", 1)
}

// TestMetricsAtZero: every series whose pool and proxy are known is there before
// anything happened, and no other is.
func TestMetricsAtZero(t *testing.T) {
	api := telegramtest.NewServer(t, telegramtest.Strict())
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, alertsTo(api, "")+withBudget(onePool(t, "", p, p), "1GB month hard"), "")
	got := s.scrape()
	if diff := cmp.Diff(atZero(), got.values); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	problems, err := promlint.New(strings.NewReader(got.text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}

// TestMetricsAfterTraffic: what is counted is what happened.
func TestMetricsAfterTraffic(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	forward := fmt.Sprintf(":%d {\n\tbind 127.0.0.1\n\tproxy_pool_forward {\n\t\tallow *\n\t}\n}\n", freePort(t))
	s := serve(t, withBudget(onePool(t, "max_failures 2\nhedge_delay 50ms", first, second), "100GB month"), reverse(origin.URL(), "")+forward)
	c := client(t)
	s.get(c, "/")
	s.get(c, "/")
	fromClient, toClient := first.Bytes()
	if diff := s.scrape().differ(map[string]float64{
		`requests_total{code="2xx",pool="main"}`:                             2,
		`attempts_total{outcome="ok",pool="main",proxy="P1"}`:                2,
		`connect_duration_seconds_count{pool="main",proxy="P1"}`:             1,
		`response_duration_seconds_count{pool="main",proxy="P1"}`:            2,
		`response_duration_seconds_bucket{pool="main",proxy="P1",le="+Inf"}`: 2,
		`traffic_bytes_total{direction="in",pool="main",proxy="P1"}`:         float64(toClient),
		`traffic_bytes_total{direction="out",pool="main",proxy="P1"}`:        float64(fromClient),
		`budget_used_ratio{pool="main",proxy="P1"}`:                          float64(fromClient+toClient) / (100 << 30),
	}); diff != "" {
		t.Errorf("after two requests (-want +got):\n%s", diff)
	}

	first.MustSetMode(t, proxytest.Refuse)
	s.get(c, "/")
	s.get(c, "/")
	if diff := s.scrape().differ(map[string]float64{
		`requests_total{code="2xx",pool="main"}`:                        4,
		`attempts_total{outcome="proxy_failed",pool="main",proxy="P1"}`: 2,
		`attempts_total{outcome="ok",pool="main",proxy="P2"}`:           2,
		`failovers_total{pool="main",reason="dial_refused"}`:            2,
		`proxy_status{pool="main",proxy="P1",status="down"}`:            1,
		`proxy_status{pool="main",proxy="P1",status="healthy"}`:         0,
		`proxy_usable{pool="main",proxy="P1"}`:                          0,
		`proxy_active{pool="main",proxy="P1"}`:                          1,
	}); diff != "" {
		t.Errorf("after a failover (-want +got):\n%s", diff)
	}

	second.MustSetMode(t, proxytest.Refuse)
	s.do(c, http.MethodGet, "/", "", "")
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P2/disable", nil)
	if resp, _ := s.do(c, http.MethodGet, "/", "", ""); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without any proxy: %s", resp.Status)
	}
	if diff := s.scrape().differ(map[string]float64{
		`requests_total{code="502",pool="main"}`: 1,
		`requests_total{code="503",pool="main"}`: 1,
		`requests_total{code="5xx",pool="main"}`: 0,
		`proxy_active{pool="main",proxy="P2"}`:   0,
	}); diff != "" {
		t.Errorf("after failures (-want +got):\n%s", diff)
	}
}

// TestMetricsOfHedges: a connect that is overtaken is a failover, too.
func TestMetricsOfHedges(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "hedge_delay 50ms", first, second), reverse(origin.URL(), ""))
	first.MustSetMode(t, proxytest.Silent)
	s.get(client(t), "/")
	if diff := s.scrape().differ(map[string]float64{
		`hedges_total{pool="main"}`:                           1,
		`failovers_total{pool="main",reason="overdue"}`:       1,
		`attempts_total{outcome="ok",pool="main",proxy="P2"}`: 1,
	}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMetricsOfTunnels: a tunnel counts when it stands.
func TestMetricsOfTunnels(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", p), forwardSite(""))
	fetch(t, s.through(nil), origin.URL())
	if diff := s.scrape().differ(map[string]float64{
		`requests_total{code="2xx",pool="main"}`:                 1,
		`attempts_total{outcome="ok",pool="main",proxy="P1"}`:    1,
		`connect_duration_seconds_count{pool="main",proxy="P1"}`: 1,
	}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	eventually(t, "the tunnel's bytes are there", func() bool {
		fromClient, toClient := p.Bytes()
		return s.scrape().differ(map[string]float64{
			`traffic_bytes_total{direction="in",pool="main",proxy="P1"}`:  float64(toClient),
			`traffic_bytes_total{direction="out",pool="main",proxy="P1"}`: float64(fromClient),
		}) == ""
	})
}

// TestMetricsOfAlertsAndChecks: deliveries and checks are counted by what came of
// them.
func TestMetricsOfAlertsAndChecks(t *testing.T) {
	api := telegramtest.NewServer(t, telegramtest.Strict())
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	checked := fmt.Sprintf("health_check {\nurl %s\ninterval 1h\n}", origin.URL())
	s := serve(t, alertsTo(api, "")+strings.Replace(onePool(t, "", p), "health_check off", checked, 1), "")
	s.call(http.MethodPost, "/proxy_pool/health-check", nil)
	checks := func(result string) float64 {
		return s.scrape().values[fmt.Sprintf(`checks_total{pool="main",proxy="P1",result=%q}`, result)]
	}
	if ok, failed := checks("ok"), checks("failed"); ok < 1 || failed != 0 {
		t.Errorf("%v checks passed, %v failed", ok, failed)
	}
	p.MustSetMode(t, proxytest.Refuse)
	s.call(http.MethodPost, "/proxy_pool/health-check", nil)
	if failed := checks("failed"); failed != 1 {
		t.Errorf("%v checks failed", failed)
	}
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/mark-down", nil)
	waitMessages(t, api, 1)
	eventually(t, "the delivery is counted", func() bool {
		return s.scrape().values[`alerts_total{notifier="telegram",result="delivered"}`] >= 1
	})
}

// wantSame compares metrics of before and after. Traffic may have grown: what TLS
// says of itself may come late.
func wantSame(t *testing.T, before, after map[string]float64) {
	t.Helper()
	grown := cmp.FilterPath(func(p cmp.Path) bool {
		return strings.Contains(p.Last().String(), "traffic_bytes_total")
	}, cmp.Comparer(func(x, y float64) bool { return max(x, y) < min(x, y)+5000 && (x == 0) == (y == 0) }))
	if diff := cmp.Diff(before, after, grown); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestMetricsSurviveReload: twenty reloads set no counter back, leave nothing
// behind, and show the proxies of the newest configuration only. reset-stats
// changes no metric.
func TestMetricsSurviveReload(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", first, second), reverse(origin.URL(), ""))
	c := client(t)
	s.get(c, "/")
	c.CloseIdleConnections()
	before := s.scrape().values
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/reset-stats", nil)
	s.reload()
	goroutines, files := resources(t)
	for range 20 {
		s.reload()
		s.scrape()
	}
	wantSame(t, before, s.scrape().values)
	eventually(t, "goroutines and descriptors are as many as before", func() bool {
		g, f := resources(t)
		return g <= goroutines+15 && f <= files+15 // one for each reload would be 20
	})

	s.load(onePool(t, "", first), s.sites)
	for name := range s.scrape().values {
		if strings.Contains(name, "P2") {
			t.Errorf("%s is told of a proxy that left", name)
		}
	}
	s.reload()
	wantSame(t, before, s.scrape().values)
}

// TestMetricsRegisterTwice: two configurations may meet in one registry.
func TestMetricsRegisterTwice(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	for range 2 {
		if err := (metrics{}).addTo(registry); err != nil {
			t.Error(err)
		}
	}
}

// TestFailoverReasons: every failure that the dialer has a word for is told by
// that word, but for those after which there is no failover.
func TestFailoverReasons(t *testing.T) {
	never := []string{"canceled", "bad_target", "address_not_allowed", "bad_request", "request_header_too_large"}
	for _, file := range []string{"dial/error.go", "dial/senderror.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		words := regexp.MustCompile(`(?m)^\tReason\w+ += "(\w+)"`).FindAllStringSubmatch(string(text), -1)
		if len(words) < 5 {
			t.Fatalf("found %d reasons in %s", len(words), file)
		}
		for _, word := range words {
			if slices.Contains(never, word[1]) == slices.Contains(pool.FailoverReasons[:], word[1]) {
				t.Errorf("%s: %s is in both lists, or in none", file, word[1])
			}
		}
	}
}

// TestScrapeOfThousand proxies takes less than 150 ms where nothing else runs; here
// other tests may, so that it fails only where the order of magnitude is another.
func TestScrapeOfThousand(t *testing.T) {
	const most = 3 * 150 * time.Millisecond
	var pools strings.Builder
	pools.WriteString("pool main {\n\thealth_check off\n")
	for i := range 1000 {
		fmt.Fprintf(&pools, "\tproxy P%d http://127.0.0.1:9 {\n\t\tcost_per_gb 1\n\t\tbudget 5GB month\n\t}\n", i)
	}
	s := serve(t, pools.String()+"}\n", "")
	c, fastest := client(t), time.Hour
	for range 10 {
		start := time.Now()
		resp, err := c.Get("http://" + s.admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		fastest = min(fastest, time.Since(start))
	}
	t.Logf("the fastest of ten took %s", fastest)
	if fastest > most && !raceDetector {
		t.Errorf("the fastest of ten took %s, expected at most %s", fastest, most)
	}
}
