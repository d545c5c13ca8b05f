package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"
)

// The admin endpoint's own connections must not keep it from stopping.
var adminClient = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// call asks the admin API and fails where the answer is not 200.
func (p *process) call(method, path string, answer any) error {
	return p.send(method, path, "", answer)
}

// send does it with a body. The endpoint moves at a reload: who comes too early
// tries again.
func (p *process) send(method, path, body string, answer any) error {
	var text []byte
	var err error
	comesTrue(2*time.Second, func() bool {
		text, err = p.sendOnce(method, path, body)
		return p.ended() || !unanswered(err)
	})
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(text, answer)
}

func (p *process) sendOnce(method, path, body string) ([]byte, error) {
	req, err := http.NewRequest(method, "http://"+p.admin+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "text/caddyfile")
		req.Header.Set("Cache-Control", "must-revalidate") // reload also where nothing changed
	}
	resp, err := adminClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(text))
	}
	return text, err
}

// reload makes Caddy load a configuration while it runs.
func (p *process) reload(s setup) error {
	p.setup = s
	return p.send(http.MethodPost, "/load", s.caddyfile(p), nil)
}

// act does something to a proxy.
func (p *process) act(proxy, action string) error {
	return p.call(http.MethodPost, "/proxy_pool/proxies/main/"+proxy+"/"+action, nil)
}

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
	err = p.call(http.MethodGet, "/proxy_pool/status", &s)
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
	if err := p.call(http.MethodGet, "/proxy_pool/usage?from=2020-01-01", &answer); err != nil {
		p.t.Fatal(err)
	}
	rows := make(map[string]used)
	for _, r := range answer.Rows {
		rows[r.Key] = used{r.Requests, r.Failed, r.BytesIn, r.BytesOut, nano(r.CostUSD)}
	}
	return rows
}
