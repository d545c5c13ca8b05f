package proxypool

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/books"
	"github.com/caddy-proxypool/proxypool/pool"
)

// statusAnswer is the answer of status.
type statusAnswer struct {
	Summary   summary          `json:"summary"`
	Pools     []poolRow        `json:"pools"` // before the proxies: who wants no more need read no further
	Proxies   []statusRow      `json:"proxies"`
	Store     storeAnswer      `json:"store"`
	Notifiers []notifierAnswer `json:"notifiers"`
	Warnings  []string         `json:"warnings,omitempty"`
	Timestamp string           `json:"timestamp"`
}

// storeAnswer tells whether the books are written.
type storeAnswer struct {
	OK      bool    `json:"ok"`
	Error   string  `json:"error,omitempty"`
	Since   *string `json:"since,omitempty"`   // when the fault began
	Dropped int64   `json:"dropped,omitempty"` // rows that nobody could keep
}

func newStoreAnswer(h books.Health) storeAnswer {
	return storeAnswer{OK: h.OK, Error: h.Error, Since: stamp(h.Since), Dropped: h.Dropped}
}

// summary counts the active proxies by status, and the disabled ones.
type summary struct {
	alert.Counts
	TotalCostUSD float64 `json:"total_cost_usd"`
}

// poolRow is what the status tells of one pool. What was spent is of the proxies
// that it has, by the days of the configured time zone.
type poolRow struct {
	Name         string  `json:"name"`
	Carrier      string  `json:"carrier"` // through which the next request would go, empty for none
	Total        int     `json:"total"`
	Usable       int     `json:"usable"`
	CostTodayUSD float64 `json:"cost_today_usd"`
	CostMonthUSD float64 `json:"cost_month_usd"`
}

// statusRow is what the status tells of one proxy.
type statusRow struct {
	ID             string   `json:"id"`
	Pool           string   `json:"pool"`
	Name           string   `json:"name"`
	Type           string   `json:"type"`
	URL            string   `json:"url"`
	Status         string   `json:"status"`
	Since          *string  `json:"since"`
	Reason         string   `json:"reason"`
	Active         bool     `json:"active"`
	Usable         bool     `json:"usable"`
	BlockedFor     []string `json:"blocked_for"`
	FailingFor     []string `json:"failing_for"`
	Priority       int      `json:"priority"`
	CostPerGB      float64  `json:"cost_per_gb"`
	CostPerMonth   float64  `json:"cost_per_month,omitempty"` // flat; not in EstimatedCost
	EstimatedCost  float64  `json:"estimated_cost"`
	TrafficMB      float64  `json:"traffic_mb"`
	Budget         *budget  `json:"budget,omitempty"`
	Uptime         float64  `json:"uptime"`
	ResponseTimeMS int64    `json:"response_time_ms"`
	TotalRequests  int64    `json:"total_requests"`
	FailedRequests int64    `json:"failed_requests"`
	FailureCount   int      `json:"failure_count"`
	LastCheck      *string  `json:"last_check"`
	NextCheck      *string  `json:"next_check"`
	LastSuccess    *string  `json:"last_success"`
	LastError      string   `json:"last_error"`
}

// budget is how much of a proxy's budget was used. Limit and Used are in the
// unit of the budget: US dollars, or gigabytes of 1024^3 bytes.
type budget struct {
	Limit float64 `json:"limit"`
	Used  float64 `json:"used"`
	Unit  string  `json:"unit"` // "usd" or "gb"
	Per   string  `json:"per"`
	Hard  bool    `json:"hard"`
	Spent bool    `json:"spent"` // nothing more goes through the proxy
	Until *string `json:"until"` // the end of the day or month
}

func newBudget(b *pool.BudgetState) *budget {
	if b == nil {
		return nil
	}
	answer := &budget{
		Limit: b.Budget.Money.USD(), Used: b.Cost.USD(), Unit: "usd",
		Per: string(b.Budget.Per), Hard: b.Budget.Hard, Spent: b.Spent, Until: stamp(b.Until),
	}
	if b.Budget.Bytes > 0 {
		answer.Limit, answer.Used, answer.Unit = float64(b.Budget.Bytes)/gigabyte, float64(b.Bytes)/gigabyte, "gb"
	}
	return answer
}

// newPoolRow is a pool's row but for how many proxies are usable.
func newPoolRow(l *livePool, now time.Time) poolRow {
	row := poolRow{Name: l.Name, Total: len(l.Proxies())}
	if p := l.Carrier(now); p != nil {
		row.Carrier = p.Name
	}
	var today, month pool.Money
	for _, p := range l.Proxies() {
		ofDay, ofMonth := p.Spending(now)
		today += ofDay
		month += ofMonth
	}
	row.CostTodayUSD, row.CostMonthUSD = today.USD(), month.USD()
	return row
}

func newStatusRow(poolName string, row *pool.Row) statusRow {
	p := row.Proxy
	return statusRow{
		ID: p.ID(), Pool: poolName, Name: p.Name, Type: string(p.Type), URL: p.URL,
		Status: string(row.Status), Since: stamp(row.Since), Reason: row.Reason,
		Active: row.Active, Usable: row.Usable,
		BlockedFor: listOf(row.BlockedFor), FailingFor: listOf(row.FailingFor),
		Priority: p.Priority, CostPerGB: p.CostPerGB, CostPerMonth: p.CostPerMonth, EstimatedCost: row.Cost.USD(),
		TrafficMB: float64(row.BytesIn+row.BytesOut) / (1 << 20), Budget: newBudget(row.Budget), Uptime: row.Uptime,
		ResponseTimeMS: row.ResponseTime.Milliseconds(),
		TotalRequests:  row.Requests, FailedRequests: row.Failed, FailureCount: row.FailureCount,
		LastCheck: stamp(row.LastCheck), NextCheck: stamp(row.NextCheck), LastSuccess: stamp(row.LastSuccess),
		LastError: row.LastError,
	}
}

// explainAnswer is the answer of explain.
type explainAnswer struct {
	Target  string       `json:"target"`
	Pool    string       `json:"pool"`
	Proxies []explainRow `json:"proxies"`
}

type explainRow struct {
	Name   string  `json:"name"`
	Usable bool    `json:"usable"`
	Reason string  `json:"reason"`
	Until  *string `json:"until"`
}

// stamp is a time as the API shows it, nil where there is none.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Format(time.RFC3339))
}

func listOf(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func answerJSON(w http.ResponseWriter, answer any) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	_, err = w.Write(append(body, '\n'))
	return err
}
