package proxypool

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/pool"
)

func TestTopPerformer(t *testing.T) {
	serve(t, "pool main {\nproxy A http://127.0.0.1:1\nproxy B http://127.0.0.1:2\nproxy C http://127.0.0.1:3 {\ncost_per_gb 12\n}\n}\n", "")
	app := runningApps()[0]
	for name, test := range map[string]struct {
		used map[string]pool.Usage
		want *alert.Top
	}{
		"nobody": {nil, nil},
		"the only one": {
			map[string]pool.Usage{"A": {Requests: 3, Failed: 3}},
			&alert.Top{Pool: "main", Proxy: "A", Uptime: 0, Requests: 3},
		},
		"fewer failures": {
			map[string]pool.Usage{"A": {Requests: 100, Failed: 2}, "B": {Requests: 50, Failed: 0}},
			&alert.Top{Pool: "main", Proxy: "B", Uptime: 100, Requests: 50},
		},
		"more work": {
			map[string]pool.Usage{"A": {Requests: 100}, "B": {Requests: 200}},
			&alert.Top{Pool: "main", Proxy: "B", Uptime: 100, Requests: 200},
		},
		"the cheaper of two alike": {
			map[string]pool.Usage{"A": {Requests: 100}, "C": {Requests: 100}},
			&alert.Top{Pool: "main", Proxy: "A", Uptime: 100, Requests: 100},
		},
		"not by chance": {
			map[string]pool.Usage{"A": {Requests: 100, Failed: 1}, "C": {Requests: 5}},
			&alert.Top{Pool: "main", Proxy: "A", Uptime: 99, Requests: 100},
		},
	} {
		t.Run(name, func(t *testing.T) {
			used := make(map[[2]string]*pool.Usage)
			var all int64
			for name, u := range test.used {
				used[[2]string{"main", name}] = &u
				all += u.Requests
			}
			if diff := cmp.Diff(test.want, app.topPerformer(used, all)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNobodyIsTold is alerts without a notifier: a warning.
func TestNobodyIsTold(t *testing.T) {
	s := serve(t, "alerts {\ndaily_report 09:00\n}\npool main {\nproxy A http://127.0.0.1:1\n}\n", "")
	if n := strings.Count(captured.String(), "nobody is told"); n != 1 {
		t.Errorf("%d warnings, expected one", n)
	}
	var result struct{ Results []testResult }
	if resp := s.call(http.MethodPost, "/proxy_pool/alerts/test", &result); resp.StatusCode != http.StatusOK || len(result.Results) != 0 || result.Results == nil {
		t.Errorf("%s %+v", resp.Status, result)
	}
}
