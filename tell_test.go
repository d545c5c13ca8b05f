package proxypool

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// logged are the lines of the log of one message, each as "level proxy: what".
func logged(t *testing.T, message string) (lines []string) {
	t.Helper()
	for text := range strings.Lines(captured.String()) {
		var line struct {
			Level, Msg, Pool, Proxy, From, To, Reason string
			Percent                                   int
			Method, URI                               string
		}
		if json.Unmarshal([]byte(text), &line) != nil || line.Msg != message {
			continue
		}
		switch message {
		case "received request":
			lines = append(lines, fmt.Sprintf("%s %s %s", line.Level, line.Method, line.URI))
		case "budget used":
			lines = append(lines, fmt.Sprintf("%s %s/%s: %d %%", line.Level, line.Pool, line.Proxy, line.Percent))
		default:
			lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%s %s/%s: %s to %s, %s", line.Level, line.Pool, line.Proxy, line.From, line.To, line.Reason), ", "))
		}
	}
	return lines
}

// TestOneLineForEachChange: whatever changes the status of a proxy, the log has one
// line of it, of level info.
func TestOneLineForEachChange(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	checked := fmt.Sprintf("health_check {\nurl %s\ninterval 1h\nrecovery_interval 1h\n}", origin.URL())
	pools := strings.Replace(onePool(t, "max_failures 1\n", first, second), "health_check off", checked, 1)
	s := serve(t, pools, reverse(origin.URL(), ""))
	c := client(t)
	c.Transport.(*http.Transport).DisableKeepAlives = true
	s.call(http.MethodPost, "/proxy_pool/health-check", nil) // or the first check comes in between
	act := func(action string) func() {
		return func() { s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/"+action, nil) }
	}
	steps := []struct {
		name string
		do   func()
		want []string
	}{
		{"many requests at once", func() {
			first.MustSetMode(t, proxytest.Refuse)
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() { s.get(c, "/") })
			}
			wg.Wait()
		}, []string{"info main/P1: healthy to down, dial_refused"}},
		{"a check that fails like the one before", act("check"), nil},
		{"a check that passes", func() { first.MustSetMode(t, proxytest.Works); act("check")() }, []string{"info main/P1: down to healthy"}},
		{"a check that fails", func() { first.MustSetMode(t, proxytest.Refuse); act("check")() }, []string{"info main/P1: healthy to down, check: dial_refused"}},
		{"mark-healthy", act("mark-healthy"), []string{"info main/P1: down to healthy, marked healthy"}},
		{"mark-healthy again", act("mark-healthy"), nil},
		{"mark-down", act("mark-down"), []string{"info main/P1: healthy to down, marked down"}},
		{"mark-down again", act("mark-down"), nil},
		{"reset-stats", act("reset-stats"), nil},
		{"a reload", func() { s.reload() }, nil},
	}
	for _, step := range steps {
		captured.reset()
		step.do()
		if diff := cmp.Diff(step.want, logged(t, "proxy changed status")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}

	// That an admin disables a proxy is no change of its status. Caddy has a line of
	// each such request.
	captured.reset()
	act("disable")()
	act("enable")()
	want := []string{"info POST /proxy_pool/proxies/main/P1/disable", "info POST /proxy_pool/proxies/main/P1/enable"}
	if diff := cmp.Diff(want, logged(t, "received request")); diff != "" {
		t.Errorf("disable and enable (-want +got):\n%s", diff)
	}
	if got := logged(t, "proxy changed status"); got != nil {
		t.Errorf("disable and enable: %q", got)
	}
}

// TestOneLineForEachBudget: each share of a budget that is told of is told once,
// however many requests go on.
func TestOneLineForEachBudget(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	pools := strings.Replace(withBudget(onePool(t, "", first, second), "0.01USD month hard"), "cost_per_gb 1\n", "cost_per_gb 100000\n", 1)
	s := serve(t, pools, reverse(origin.URL(), ""))
	c := client(t)
	for range 5 {
		s.get(c, "/")
	}
	eventually(t, "the budget is told of", func() bool { return len(logged(t, "budget used")) > 1 })
	if diff := cmp.Diff([]string{"warn main/P1: 80 %", "warn main/P1: 100 %"}, logged(t, "budget used")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := logged(t, "proxy changed status"); got != nil {
		t.Errorf("a budget changes no status: %q", got)
	}
}
