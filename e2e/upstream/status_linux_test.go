package upstream

import (
	"net/http"
	"testing"
)

// statusAnswer is what these tests read of the status.
type statusAnswer struct {
	Proxies []statusRow `json:"proxies"`
}

type statusRow struct {
	Name           string   `json:"name"`
	Status         string   `json:"status"`
	Reason         string   `json:"reason"`
	Usable         bool     `json:"usable"`
	FailingFor     []string `json:"failing_for"`
	TrafficMB      float64  `json:"traffic_mb"`
	TotalRequests  int64    `json:"total_requests"`
	FailedRequests int64    `json:"failed_requests"`
	LastError      string   `json:"last_error"`
}

func (c *caddy) status(t testing.TB) (s statusAnswer) {
	t.Helper()
	if err := c.Call(http.MethodGet, "/proxy_pool/status", &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// row is a proxy's.
func (c *caddy) row(t testing.TB, name string) statusRow {
	t.Helper()
	for _, row := range c.status(t).Proxies {
		if row.Name == name {
			return row
		}
	}
	t.Fatalf("no proxy %s in the status", name)
	return statusRow{}
}

// bytes are those of all proxies that are in the books.
func (c *caddy) bytes(t testing.TB) (out, in int64) {
	t.Helper()
	var answer struct {
		Total struct {
			BytesIn  int64 `json:"bytes_in"`
			BytesOut int64 `json:"bytes_out"`
		}
	}
	if err := c.Call(http.MethodGet, "/proxy_pool/usage?from=2020-01-01", &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Total.BytesOut, answer.Total.BytesIn
}
