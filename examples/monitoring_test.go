package examples_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// runExample runs a Caddyfile of the examples, without checks, on ports of the
// test. Those that are not named stay as they are.
func runExample(t *testing.T, path string, ports map[string]string, more ...string) {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	input, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	replace := append([]string{"proxy_pool {\n\t\tpool main {", "proxy_pool {\n\t\tstorage memory\n\t\tpool main {\n\t\t\thealth_check off"}, more...)
	for port, free := range ports {
		replace = append(replace, "\n:"+port+" {", "\n:"+free+" {")
	}
	text := strings.NewReplacer(replace...).Replace(string(input))
	text = strings.Replace(text, "{\n", "{\n\tadmin localhost:"+ports["2019"]+"\n\tpersist_config off\n", 1)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
}

// scraped is what an address serves as metrics.
func scraped(t *testing.T, port string) string {
	t.Helper()
	resp, err := http.Get("http://localhost:" + port + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return string(text)
}

// TestMonitoring: every metric, label and value of a label that the rules and the
// dashboard name is there, on both of the addresses that the example has.
func TestMonitoring(t *testing.T) {
	t.Setenv("RES_PASS", "secret")
	ports := freePorts(t, "8080", "9180", "2019")
	runExample(t, "monitoring/Caddyfile", ports)
	for _, file := range []string{"monitoring/rules.yml", "monitoring/rules.test.yml", "monitoring/dashboard.json"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := 0
		for _, port := range []string{ports["2019"], ports["9180"]} {
			there := seriesOf(scraped(t, port))
			for _, use := range usesIn(string(text)) {
				names++
				if !there[use] {
					t.Errorf("%s: there is no %s on port %s", file, use, port)
				}
			}
		}
		if names < 20 {
			t.Errorf("%s: found %d metrics", file, names)
		}
	}
}

var (
	selector = regexp.MustCompile(`(caddy_proxy_pool_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)(=~|!=|!~|=)"([^"]*)"`)
)

// usesIn are the metrics that a file names, each alone and with each value that
// it names of a label.
func usesIn(text string) (uses []string) {
	for _, use := range selector.FindAllStringSubmatch(strings.ReplaceAll(text, `\"`, `"`), -1) {
		uses = append(uses, use[1])
		for _, m := range matcher.FindAllStringSubmatch(use[2], -1) {
			if m[1] == "pool" || m[1] == "proxy" {
				uses = append(uses, use[1]+" "+m[1]) // the values are the user's
				continue
			}
			for value := range strings.SplitSeq(m[3], "|") {
				uses = append(uses, use[1]+" "+m[1]+"="+value)
			}
		}
	}
	return uses
}

// seriesOf are the same of what was scraped. A notifier or a budget may be
// missing there; the example has a budget.
func seriesOf(text string) map[string]bool {
	there := map[string]bool{"caddy_proxy_pool_alerts_total": true, "caddy_proxy_pool_alerts_total result=dropped": true} // there is no notifier
	for _, use := range selector.FindAllStringSubmatch(text, -1) {
		there[use[1]] = true
		for _, m := range matcher.FindAllStringSubmatch(use[2], -1) {
			there[use[1]+" "+m[1]], there[use[1]+" "+m[1]+"="+m[3]] = true, true
		}
	}
	return there
}

// promtool runs the tool of Prometheus, which Debian has in its package
// "prometheus".
func promtool(t *testing.T, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	switch {
	case err == nil:
	case os.Getenv("EXAMPLES_REQUIRE_PROMTOOL") != "":
		t.Fatal("promtool is missing")
	default:
		t.Skip("promtool is missing: it comes with Prometheus")
	}
	if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestMonitoringRules: Prometheus takes its configuration, and the rules tell what
// they are to tell.
func TestMonitoringRules(t *testing.T) {
	promtool(t, "check", "config", "monitoring/prometheus.yml") // the rules, too
	promtool(t, "test", "rules", "monitoring/rules.test.yml")
}

// dashboard is what matters here of a dashboard of Grafana.
type dashboard struct {
	Inputs []struct {
		Name     string
		PluginID string
	} `json:"__inputs"`
	Panels []struct {
		ID      int
		Title   string
		GridPos struct{ X, W int }
		Targets []struct {
			Expr       string
			Datasource struct{ UID string }
		}
	}
}

// TestMonitoringDashboard: Grafana asks for the data source when the dashboard is
// imported, and every query of it is one.
func TestMonitoringDashboard(t *testing.T) {
	text, err := os.ReadFile("monitoring/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board dashboard
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	if len(board.Inputs) != 1 || board.Inputs[0].Name != "DS_PROMETHEUS" || board.Inputs[0].PluginID != "prometheus" {
		t.Errorf("inputs are %+v", board.Inputs)
	}
	var queries strings.Builder
	queries.WriteString("groups:\n- name: dashboard\n  rules:\n")
	seen := make(map[int]bool)
	for _, panel := range board.Panels {
		if seen[panel.ID] || panel.GridPos.X+panel.GridPos.W > 24 || len(panel.Targets) == 0 {
			t.Errorf("%s: its id is there twice, it is too wide, or it asks for nothing", panel.Title)
		}
		seen[panel.ID] = true
		for i, target := range panel.Targets {
			if target.Datasource.UID != "${DS_PROMETHEUS}" {
				t.Errorf("%s: the data source is %q", panel.Title, target.Datasource.UID)
			}
			expr := strings.NewReplacer("$__rate_interval", "5m", "$pool", ".*", "$proxy", ".*").Replace(target.Expr)
			fmt.Fprintf(&queries, "  - record: panel:%d:%d\n    expr: %q\n", panel.ID, i, expr)
		}
	}
	file := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(file, []byte(queries.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", "--lint=none", file)
}
