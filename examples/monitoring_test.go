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
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
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
	const alerts = "caddy_proxy_pool_alerts_total" // of which there are none without a notifier
	there := map[string]bool{alerts: true, alerts + " notifier": true, alerts + " result": true, alerts + " result=dropped": true}
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
	tool := caddytest.Program("promtool")
	if tool == "" {
		caddytest.Lacks(t, "promtool (apt-get install prometheus)")
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
	ID            *int
	UID, Title    string
	SchemaVersion int
	Templating    struct {
		List []struct {
			Name       string
			Type       string
			Datasource datasource
			Definition string
		}
	}
	Panels []panel
}

type datasource struct{ Type, UID string }

type panel struct {
	ID          int
	Type, Title string
	GridPos     struct{ X, Y, W, H int }
	Datasource  datasource
	FieldConfig struct{ Defaults struct{ Unit string } }
	Targets     []struct {
		Expr, RefID string
		Datasource  datasource
	}
}

func readDashboard(t *testing.T) *dashboard {
	t.Helper()
	text, err := os.ReadFile("monitoring/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	board := new(dashboard)
	if err := json.Unmarshal(text, board); err != nil {
		t.Fatal(err)
	}
	return board
}

// prometheusInput is the data source that Grafana asks for when the dashboard is
// imported.
var prometheusInput = datasource{"prometheus", "${DS_PROMETHEUS}"}

// TestMonitoringDashboard: Grafana, which is not at hand here, can import the
// dashboard as far as its structure tells: it makes a new one of it, asks for the
// data source, and has a place for each panel.
func TestMonitoringDashboard(t *testing.T) {
	board := readDashboard(t)
	if len(board.Inputs) != 1 || board.Inputs[0].Name != "DS_PROMETHEUS" || board.Inputs[0].PluginID != "prometheus" {
		t.Errorf("inputs are %+v", board.Inputs)
	}
	if board.ID != nil || board.UID == "" || len(board.UID) > 40 || board.Title == "" || board.SchemaVersion < 36 || len(board.Panels) < 10 {
		t.Errorf("id %v, uid %q, title %q, schema %d, %d panels", board.ID, board.UID, board.Title, board.SchemaVersion, len(board.Panels))
	}
	for _, variable := range board.Templating.List {
		if variable.Datasource != prometheusInput || variable.Type != "query" {
			t.Errorf("variable %s: is a %s of %v", variable.Name, variable.Type, variable.Datasource)
		}
	}
	taken, ids := make(map[[2]int]string), make(map[int]bool)
	for i := range board.Panels {
		p := &board.Panels[i]
		checkPanel(t, p)
		if ids[p.ID] {
			t.Errorf("%s: its id is there twice", p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies over %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

func checkPanel(t *testing.T, p *panel) {
	t.Helper()
	if p.GridPos.W < 1 || p.GridPos.H < 1 || p.GridPos.X+p.GridPos.W > 24 || len(p.Targets) == 0 || p.Datasource != prometheusInput {
		t.Errorf("%s: it has no place, asks for nothing, or not %v", p.Title, prometheusInput)
	}
	if !slices.Contains([]string{"stat", "bargauge", "state-timeline", "timeseries"}, p.Type) {
		t.Errorf("%s: is a %s", p.Title, p.Type)
	}
	refs := make(map[string]bool)
	for _, target := range p.Targets {
		if target.Datasource != prometheusInput || target.RefID == "" || refs[target.RefID] {
			t.Errorf("%s: %q asks %v", p.Title, target.RefID, target.Datasource)
		}
		refs[target.RefID] = true
		if want := unitOf(target.Expr); p.FieldConfig.Defaults.Unit != want {
			t.Errorf("%s: is in %q, want %q for %s", p.Title, p.FieldConfig.Defaults.Unit, want, target.Expr)
		}
	}
}

// unitOf is what Grafana calls the unit of a query.
func unitOf(expr string) string {
	each := strings.Contains(expr, "rate(")
	switch {
	case strings.Contains(expr, "_ratio"), each && strings.Contains(expr, " / "):
		return "percentunit"
	case strings.Contains(expr, "_usd_"):
		return "currencyUSD"
	case strings.Contains(expr, "_seconds_"):
		return "s"
	case strings.Contains(expr, "_bytes_") && each:
		return "Bps"
	case each:
		return "reqps"
	}
	return "short"
}

// TestMonitoringQueries: every query of the dashboard is one, its variables are
// those of the dashboard, and what it groups by are labels of what it asks for.
func TestMonitoringQueries(t *testing.T) {
	t.Setenv("RES_PASS", "secret")
	ports := freePorts(t, "8080", "9180", "2019")
	runExample(t, "monitoring/Caddyfile", ports)
	there := seriesOf(scraped(t, ports["2019"]))
	board := readDashboard(t)
	known := []string{"__rate_interval"}
	for _, variable := range board.Templating.List {
		known = append(known, variable.Name)
	}
	var queries strings.Builder
	queries.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for _, panel := range board.Panels {
		for i, target := range panel.Targets {
			for _, name := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
				if !slices.Contains(known, name[1]) {
					t.Errorf("%s: there is no variable %s", panel.Title, name[0])
				}
			}
			for _, grouped := range regexp.MustCompile(`(?:by|ignoring) ?\(([^)]*)\)`).FindAllStringSubmatch(target.Expr, -1) {
				for label := range strings.SplitSeq(grouped[1], ",") {
					metric := selector.FindStringSubmatch(target.Expr)[1]
					if use := metric + " " + strings.TrimSpace(label); !there[use] {
						t.Errorf("%s: there is no %s", panel.Title, use)
					}
				}
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
