package proxypool

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-proxypool/proxypool/pool"
)

// metrics tells Prometheus how the pools of the newest configuration are, each
// time that it asks. Nothing is kept for it but what is counted where it happens.
// What is counted outlives reloads, although Caddy's registry does not.
type metrics struct{ registry *registry }

// registerMetrics adds the metrics to the registry of a configuration, which
// Caddy makes anew at each reload.
func (a *App) registerMetrics(ctx caddy.Context) error {
	to := ctx.GetMetricsRegistry()
	if to == nil {
		return nil // a context that a test made
	}
	return metrics{a.registry}.addTo(to)
}

// addTo adds the metrics to a registry, once.
func (m metrics) addTo(to prometheus.Registerer) error {
	err := to.Register(m)
	if already := (prometheus.AlreadyRegisteredError{}); err == nil || errors.As(err, &already) {
		return nil
	}
	return fmt.Errorf("registering metrics: %w", err)
}

// No label holds a target, a path, a client or the text of an error: there would
// be no end to them.

var proxyStatuses = [...]pool.Status{pool.StatusBlocked, pool.StatusDegraded, pool.StatusDown, pool.StatusHealthy}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("caddy_proxy_pool_"+name, help, labels, nil)
}

var (
	descAttempts = describe("attempts_total",
		"Attempts to carry a request or open a tunnel through a proxy, by how they ended.", "pool", "proxy", "outcome")
	descBroken = describe("broken_total",
		"Answers and tunnels that began well and then broke off. The attempt is counted as ok, too.", "pool", "proxy")
	descConnects = describe("connect_duration_seconds",
		"How long it took until a connection through a proxy stood, TLS included.", "pool", "proxy")
	descAnswers = describe("response_duration_seconds",
		"How long it took from request sent to response headers.", "pool", "proxy")
	descTraffic = describe("traffic_bytes_total",
		"Bytes that crossed connections to a proxy, checks and handshakes included.", "pool", "proxy", "direction")
	descCost = describe("cost_usd_total",
		"What that traffic cost, in US dollars.", "pool", "proxy")
	descStatus = describe("proxy_status",
		"Status of a proxy: 1 for the one that it has, 0 for the others.", "pool", "proxy", "status")
	descActive = describe("proxy_active",
		"Whether a proxy is in use: 0 where an admin disabled it.", "pool", "proxy")
	descUsable = describe("proxy_usable",
		"Whether requests may go through a proxy: 0 where it is down, disabled or over a hard budget.", "pool", "proxy")
	descChecks = describe("checks_total",
		"Health checks of a proxy, by result.", "pool", "proxy", "result")
	descBudget = describe("budget_used_ratio",
		"Share of the budget that was used: 1 is all of it. Only of proxies that have a budget.", "pool", "proxy")
	descRequests = describe("requests_total",
		"Requests and tunnels by what came of them: the class of the target's status, or the status that the pool answered itself.", "pool", "code")
	descFailovers = describe("failovers_total",
		"Attempts that were followed by one through another proxy, by why.", "pool", "reason")
	descHedges = describe("hedges_total",
		"Connects that were started because another proxy's was overdue.", "pool")
	descAlerts = describe("alerts_total",
		"Deliveries of alerts, by what came of them.", "notifier", "result")
	descDropped = describe("store_dropped_total",
		"Rows of the books that were lost because they could not be stored.")

	descriptions = []*prometheus.Desc{
		descAttempts, descBroken, descConnects, descAnswers, descTraffic, descCost, descStatus, descActive, descUsable,
		descChecks, descBudget, descRequests, descFailovers, descHedges, descAlerts, descDropped,
	}
)

// Describe implements prometheus.Collector.
func (metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		to <- d
	}
}

// Collect implements prometheus.Collector. Each metric comes in the order in which
// the registry sorts it, by its labels in the order of their names: with thousands
// of proxies the sorting would cost the most, and what is in order already costs
// little.
func (m metrics) Collect(to chan<- prometheus.Metric) {
	newest := m.registry.newest()
	if newest == nil {
		return
	}
	out := sender{to}
	out.pools(newest.pools)
	out.proxies(newest.proxiesOf("", ""))
	for _, t := range m.registry.desk.Tallies() {
		out.counter(descAlerts, float64(t.Delivered), t.Kind, "delivered")
		out.counter(descAlerts, float64(t.Dropped), t.Kind, "dropped")
		out.counter(descAlerts, float64(t.Failed), t.Kind, "failed")
	}
	out.counter(descDropped, float64(m.registry.books.Health().Dropped))
}

// sender sends metrics to the registry.
type sender struct{ to chan<- prometheus.Metric }

func (s sender) pools(pools []*livePool) {
	for _, l := range pools {
		c := l.State().Counts()
		for i, code := range pool.Codes {
			s.counter(descRequests, float64(c.Requests[i]), l.Name, code)
		}
		for i, reason := range &pool.FailoverReasons {
			s.counter(descFailovers, float64(c.Failovers[i]), l.Name, reason)
		}
		s.counter(descHedges, float64(c.Hedges), l.Name)
	}
}

// proxyRow is a proxy with what was counted of it.
type proxyRow struct {
	pool, name string
	pool.ProxyCounts
}

func (s sender) proxies(proxies []*pool.Proxy) {
	rows := make([]proxyRow, len(proxies))
	for i, p := range proxies {
		rows[i] = proxyRow{p.PoolName(), p.Name, p.Counts()}
	}
	slices.SortFunc(rows, func(a, b proxyRow) int {
		return cmp.Or(strings.Compare(a.pool, b.pool), strings.Compare(a.name, b.name))
	})
	for i, outcome := range pool.Outcomes {
		s.counters(descAttempts, rows, func(r *proxyRow) float64 { return float64(r.Attempts[i]) }, outcome)
	}
	s.counters(descBroken, rows, func(r *proxyRow) float64 { return float64(r.Broken) })
	s.counters(descTraffic, rows, func(r *proxyRow) float64 { return float64(r.BytesIn) }, "in")
	s.counters(descTraffic, rows, func(r *proxyRow) float64 { return float64(r.BytesOut) }, "out")
	s.counters(descCost, rows, func(r *proxyRow) float64 { return r.Cost.USD() })
	for i := range rows {
		r := &rows[i]
		s.histogram(descConnects, &r.Connects, r.pool, r.name)
		s.histogram(descAnswers, &r.Answers, r.pool, r.name)
		s.counter(descChecks, float64(r.ChecksFailed), r.pool, r.name, "failed")
		s.counter(descChecks, float64(r.ChecksOK), r.pool, r.name, "ok")
		for _, status := range proxyStatuses {
			s.gauge(descStatus, oneIf(r.Status == status), r.pool, r.name, string(status))
		}
		s.gauge(descActive, oneIf(r.Active), r.pool, r.name)
		s.gauge(descUsable, oneIf(r.Usable), r.pool, r.name)
		if r.Budget != nil {
			s.gauge(descBudget, r.Budget.Ratio(), r.pool, r.name)
		}
	}
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// counters sends one counter of every row.
func (s sender) counters(d *prometheus.Desc, rows []proxyRow, value func(*proxyRow) float64, more ...string) {
	for i := range rows {
		r := &rows[i]
		s.counter(d, value(r), append([]string{r.pool, r.name}, more...)...)
	}
}

func (s sender) counter(d *prometheus.Desc, value float64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}

func (s sender) gauge(d *prometheus.Desc, value float64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (s sender) histogram(d *prometheus.Desc, h *pool.Histogram, labels ...string) {
	below := make(map[float64]uint64, len(pool.HistogramBounds))
	var count uint64
	for i, n := range h.Buckets {
		count += uint64(n)
		if i < len(pool.HistogramBounds) {
			below[pool.HistogramBounds[i].Seconds()] = count
		}
	}
	s.to <- prometheus.MustNewConstHistogram(d, count, h.Sum.Seconds(), below, labels...)
}
