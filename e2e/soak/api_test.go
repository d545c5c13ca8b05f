package soak

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

type used = caddytest.Used

// byKey is usage, by whatever it was asked by.
type byKey map[string]used

func (b byKey) sum() (all used) {
	for _, u := range b {
		all = all.Plus(u)
	}
	return all
}

type statusAnswer struct {
	Proxies   []statusRow     `json:"proxies"`
	Store     caddytest.Store `json:"store"`
	Notifiers []struct {
		Notifier string `json:"notifier"`
		Waiting  int    `json:"waiting"`
	} `json:"notifiers"`
}

type statusRow struct {
	Name           string   `json:"name"`
	Status         string   `json:"status"`
	Reason         string   `json:"reason"`
	Active         bool     `json:"active"`
	Usable         bool     `json:"usable"`
	BlockedFor     []string `json:"blocked_for"`
	FailingFor     []string `json:"failing_for"`
	EstimatedCost  float64  `json:"estimated_cost"`
	TrafficMB      float64  `json:"traffic_mb"`
	TotalRequests  int64    `json:"total_requests"`
	FailedRequests int64    `json:"failed_requests"`
}

func (s statusAnswer) row(name string) statusRow {
	for _, r := range s.Proxies {
		if r.Name == name {
			return r
		}
	}
	return statusRow{}
}

// counted is what the status counts; it does not tell the ways of bytes apart.
func (r statusRow) counted() used {
	return used{Requests: r.TotalRequests, Failed: r.FailedRequests, In: int64(math.Round(r.TrafficMB * (1 << 20))), Cost: caddytest.Nano(r.EstimatedCost)}
}

// usageBy asks what was used since the beginning.
func usageBy(p *caddytest.Process, by string) (byKey, error) {
	used, err := p.Usage(time.Now().AddDate(0, 0, -2).Format(time.DateOnly), by)
	if err != nil {
		return nil, err
	}
	rows := make(byKey, len(used))
	for key, u := range used {
		rows[strings.TrimPrefix(key, "main/")] = u
	}
	return rows, nil
}

// page reads a page of the admin endpoint.
func page(p *caddytest.Process, path string) (string, error) {
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + p.Admin + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return string(text), err
}

// metrics is what the metrics count of each proxy since the process began, and
// how many attempts went well.
func metrics(p *caddytest.Process) (counted byKey, ok map[string]int64, err error) {
	text, err := page(p, "/metrics")
	if err != nil {
		return nil, nil, err
	}
	counted, ok = make(byKey), make(map[string]int64)
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		series, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "caddy_proxy_pool_"), "} ")
		name, labels, _ := strings.Cut(series, "{")
		number, err := strconv.ParseFloat(value, 64)
		proxy := label(labels, "proxy")
		if err != nil || proxy == "" {
			continue
		}
		u, n := counted[proxy], int64(math.Round(number))
		switch name {
		case "attempts_total":
			u.Requests += n
			switch label(labels, "outcome") {
			case "ok":
				ok[proxy] += n
			case "blocked":
			default:
				u.Failed += n
			}
		case "broken_total":
			u.Failed += n
		case "traffic_bytes_total":
			if label(labels, "direction") == "in" {
				u.In += n
			} else {
				u.Out += n
			}
		case "cost_usd_total":
			u.Cost = caddytest.Nano(number)
		}
		counted[proxy] = u
	}
	return counted, ok, lines.Err()
}

// label is the value of a label of a series.
func label(labels, name string) string {
	_, rest, _ := strings.Cut(","+labels, ","+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
