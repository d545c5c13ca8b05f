package e2e

import (
	"net/http"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// statusAnswer is what these tests read of the status.
type statusAnswer struct {
	Proxies []statusRow     `json:"proxies"`
	Store   caddytest.Store `json:"store"`
}

type statusRow struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	Active         bool     `json:"active"`
	BlockedFor     []string `json:"blocked_for"`
	EstimatedCost  float64  `json:"estimated_cost"`
	TrafficMB      float64  `json:"traffic_mb"`
	TotalRequests  int64    `json:"total_requests"`
	FailedRequests int64    `json:"failed_requests"`
}

func (p *process) status() (s statusAnswer, err error) {
	err = p.Call(http.MethodGet, "/proxy_pool/status", &s)
	return s, err
}

// store is how the store is.
func (p *process) store() caddytest.Store {
	p.t.Helper()
	s, err := p.status()
	if err != nil {
		p.t.Fatal(err)
	}
	return s.Store
}

// row is a proxy's row in the status.
func (p *process) row(name string) statusRow {
	p.t.Helper()
	s, err := p.status()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, row := range s.Proxies {
		if row.Name == name {
			return row
		}
	}
	p.t.Fatalf("no proxy %s in the status", name)
	return statusRow{}
}

// usage is what was used of each proxy, by its ID, since the beginning.
func (p *process) usage() map[string]used {
	p.t.Helper()
	rows, err := p.Usage("2020-01-01", "proxy")
	if err != nil {
		p.t.Fatal(err)
	}
	return rows
}
