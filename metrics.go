package proxypool

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

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
		kind := label("notifier", t.Kind)
		out.counter(descAlerts, float64(t.Delivered), kind, label("result", "delivered"))
		out.counter(descAlerts, float64(t.Dropped), kind, label("result", "dropped"))
		out.counter(descAlerts, float64(t.Failed), kind, label("result", "failed"))
	}
	out.counter(descDropped, float64(m.registry.books.Health().Dropped))
}

// sender sends metrics to the registry.
type sender struct{ to chan<- prometheus.Metric }

func (s sender) pools(pools []*livePool) {
	for _, l := range pools {
		c, name := l.State().Counts(), label("pool", l.Name)
		for i, code := range pool.Codes {
			s.counter(descRequests, float64(c.Requests[i]), label("code", code), name)
		}
		for i, reason := range &pool.FailoverReasons {
			s.counter(descFailovers, float64(c.Failovers[i]), name, label("reason", reason))
		}
		s.counter(descHedges, float64(c.Hedges), name)
	}
}

// proxyRow is a proxy with what was counted of it.
type proxyRow struct {
	pool, proxy *dto.LabelPair
	pool.ProxyCounts
}

func newProxyRows(proxies []*pool.Proxy) []proxyRow {
	rows, pools := make([]proxyRow, len(proxies)), make(map[string]*dto.LabelPair)
	for i, p := range proxies {
		name := p.PoolName()
		if pools[name] == nil {
			pools[name] = label("pool", name)
		}
		rows[i] = proxyRow{pools[name], label("proxy", p.Name), p.Counts()}
	}
	slices.SortFunc(rows, func(a, b proxyRow) int {
		return cmp.Or(strings.Compare(*a.pool.Value, *b.pool.Value), strings.Compare(*a.proxy.Value, *b.proxy.Value))
	})
	return rows
}

func (s sender) proxies(proxies []*pool.Proxy) {
	rows := newProxyRows(proxies)
	for i, word := range pool.Outcomes {
		outcome := label("outcome", word)
		for n := range rows {
			r := &rows[n]
			s.counter(descAttempts, float64(r.Attempts[i]), outcome, r.pool, r.proxy)
		}
	}
	in, out := label("direction", "in"), label("direction", "out")
	for i := range rows {
		r := &rows[i]
		s.counter(descTraffic, float64(r.BytesIn), in, r.pool, r.proxy)
	}
	for i := range rows {
		r := &rows[i]
		s.counter(descTraffic, float64(r.BytesOut), out, r.pool, r.proxy)
	}
	failed, ok := label("result", "failed"), label("result", "ok")
	var statuses [len(proxyStatuses)]*dto.LabelPair
	for i, status := range proxyStatuses {
		statuses[i] = label("status", string(status))
	}
	for i := range rows {
		r := &rows[i]
		both := labels{r.pool, r.proxy}
		s.counter(descBroken, float64(r.Broken), both...)
		s.counter(descCost, r.Cost.USD(), both...)
		s.to <- &histogramSample{desc: descConnects, labels: both, counted: r.Connects}
		s.to <- &histogramSample{desc: descAnswers, labels: both, counted: r.Answers}
		s.counter(descChecks, float64(r.ChecksFailed), r.pool, r.proxy, failed)
		s.counter(descChecks, float64(r.ChecksOK), r.pool, r.proxy, ok)
		for i, status := range proxyStatuses {
			s.gauge(descStatus, oneIf(r.Status == status), r.pool, r.proxy, statuses[i])
		}
		s.gauge(descActive, oneIf(r.Active), both...)
		s.gauge(descUsable, oneIf(r.Usable), both...)
		if r.Budget != nil {
			s.gauge(descBudget, r.Budget.Ratio(), both...)
		}
	}
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (s sender) counter(d *prometheus.Desc, value float64, in ...*dto.LabelPair) {
	s.to <- &counterSample{desc: d, labels: in, value: value}
}

func (s sender) gauge(d *prometheus.Desc, value float64, in ...*dto.LabelPair) {
	s.to <- &gaugeSample{desc: d, labels: in, value: value}
}
