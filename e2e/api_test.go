package e2e

import (
	"math"
	"net/http"
)

// statusAnswer is what these tests read of the status.
type statusAnswer struct {
	Proxies []statusRow `json:"proxies"`
	Store   storeAnswer `json:"store"`
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

type storeAnswer struct {
	OK      bool   `json:"ok"`
	Error   string `json:"error"`
	Dropped int64  `json:"dropped"`
}

func (p *process) status() (s statusAnswer, err error) {
	err = p.Call(http.MethodGet, "/proxy_pool/status", &s)
	return s, err
}

// store is how the store is.
func (p *process) store() storeAnswer {
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

// nano is money, in nano-dollars as it is booked.
func nano(usd float64) int64 { return int64(math.Round(usd * 1e9)) }

// used is what went through a proxy, as one of the answers tells it.
type used struct {
	Requests, Failed int64
	In, Out          int64 // bytes
	Cost             int64 // nano-dollars
}

func (u used) bytes() int64 { return u.In + u.Out }

func (u used) plus(v used) used {
	return used{u.Requests + v.Requests, u.Failed + v.Failed, u.In + v.In, u.Out + v.Out, u.Cost + v.Cost}
}

func (u used) minus(v used) used {
	return used{u.Requests - v.Requests, u.Failed - v.Failed, u.In - v.In, u.Out - v.Out, u.Cost - v.Cost}
}

// usage is what was used of each proxy, by its ID, since the beginning.
func (p *process) usage() map[string]used {
	p.t.Helper()
	var answer struct {
		Rows []struct {
			Key      string  `json:"key"`
			Requests int64   `json:"requests"`
			Failed   int64   `json:"failed"`
			BytesIn  int64   `json:"bytes_in"`
			BytesOut int64   `json:"bytes_out"`
			CostUSD  float64 `json:"cost_usd"`
		} `json:"rows"`
	}
	if err := p.Call(http.MethodGet, "/proxy_pool/usage?from=2020-01-01", &answer); err != nil {
		p.t.Fatal(err)
	}
	rows := make(map[string]used)
	for _, r := range answer.Rows {
		rows[r.Key] = used{r.Requests, r.Failed, r.BytesIn, r.BytesOut, nano(r.CostUSD)}
	}
	return rows
}
