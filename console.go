package proxypool

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/pool"
)

// console answers an admin who asks from a chat.
type console struct{ app *App }

// Status is every pool with its proxies.
func (c console) Status(context.Context) []alert.PoolStatus {
	var all []alert.PoolStatus
	for _, p := range c.app.pools {
		status := alert.PoolStatus{Pool: p.Name}
		if carrier := p.Carrier(time.Now()); carrier != nil {
			status.Carrier = carrier.Name
		}
		for _, proxy := range p.Proxies() {
			row := proxyStatus(proxy)
			status.Counts.Add(row.Status, row.Active)
			status.Proxies = append(status.Proxies, row)
		}
		all = append(all, status)
	}
	return all
}

func proxyStatus(p *pool.Proxy) alert.ProxyStatus {
	row := p.Snapshot()
	return alert.ProxyStatus{
		Pool: p.PoolName(), Name: p.Name, Status: string(row.Status), Reason: row.Reason,
		Active: row.Active, Usable: row.Usable, Uptime: row.Uptime, ResponseTime: row.ResponseTime,
	}
}

// Usage is what each proxy used today and this month.
func (c console) Usage(ctx context.Context) (alert.Usage, error) {
	now := time.Now().In(c.app.where)
	month, day := pool.QuarterOf(pool.MonthStart(now)), pool.QuarterOf(pool.DayStart(now))
	query := pool.UsageQuery{Spans: []pool.QuarterSpan{{From: month, To: day}, {From: day, To: after(now) + 1}}}
	if month == day {
		query.Spans = query.Spans[1:]
	}
	rows, err := c.app.books.Usage(ctx, query)
	if err != nil {
		return alert.Usage{}, err
	}
	today := len(query.Spans) - 1
	type sums struct{ today, month pool.Usage }
	byProxy := make(map[[2]string]*sums)
	var all sums
	for i := range rows {
		row := &rows[i]
		key := [2]string{row.Pool, row.Proxy}
		if byProxy[key] == nil {
			byProxy[key] = new(sums)
		}
		for _, s := range []*sums{byProxy[key], &all} {
			s.month.Add(row.Usage)
			if row.Span == today {
				s.today.Add(row.Usage)
			}
		}
	}
	usage := alert.Usage{Today: usedOf(all.today), Month: usedOf(all.month)}
	for _, p := range c.app.proxiesOf("", "") {
		row := alert.UsageRow{Pool: p.PoolName(), Proxy: p.Name}
		if b := p.Snapshot().Budget; b != nil {
			row.Budget = b.String()
		}
		if s := byProxy[[2]string{p.PoolName(), p.Name}]; s != nil {
			row.Today, row.Month = usedOf(s.today), usedOf(s.month)
		} else if row.Budget == "" {
			continue
		}
		usage.Rows = append(usage.Rows, row)
	}
	return usage, nil
}

func usedOf(u pool.Usage) alert.Used {
	return alert.Used{Requests: u.Requests, Bytes: u.BytesIn + u.BytesOut, CostUSD: u.Cost.USD(), SavedUSD: u.Saved.USD()}
}

// instantOf is a time in UTC, nil where there is none.
func instantOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// Check checks all proxies and counts them.
func (c console) Check(ctx context.Context) (alert.Counts, error) {
	c.app.checker.CheckAll(ctx, "")
	var n alert.Counts
	for _, p := range c.app.proxiesOf("", "") {
		row := p.Snapshot()
		n.Add(string(row.Status), row.Active)
	}
	return n, ctx.Err()
}

// Explain is a dry run in each pool.
func (c console) Explain(_ context.Context, target string) ([]alert.Explanation, error) {
	var all []alert.Explanation
	for _, p := range c.app.pools {
		key, err := p.targetKey(target)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", target, alert.ErrTarget)
		}
		explanation := alert.Explanation{Pool: p.Name, Target: key.Addr}
		for _, v := range p.Explain(key, time.Now()) {
			verdict := alert.Verdict{Proxy: v.Name, Usable: v.Usable, Reason: v.Reason}
			if !v.Until.IsZero() {
				verdict.Until = v.Until.In(c.app.where)
			}
			explanation.Proxies = append(explanation.Proxies, verdict)
		}
		all = append(all, explanation)
	}
	return all, nil
}

// SetDisabled takes a proxy out of use, or back.
func (c console) SetDisabled(_ context.Context, name string, disabled bool) (alert.ProxyStatus, error) {
	poolName, proxyName, named := strings.Cut(name, "/")
	if !named {
		poolName, proxyName = "", name
	}
	found := c.app.proxiesOf(poolName, proxyName)
	switch {
	case proxyName == "" || len(found) == 0:
		return alert.ProxyStatus{}, fmt.Errorf("%q: %w", name, alert.ErrUnknown)
	case len(found) > 1:
		return alert.ProxyStatus{}, fmt.Errorf("%q: %w", name, alert.ErrAmbiguous)
	}
	action := "enable"
	if disabled {
		action = "disable"
	}
	err := found[0].Do(action)
	// Caddy logs what comes through its admin API, and nothing of this.
	c.app.logger.Info("command from a chat", zap.String("pool", found[0].PoolName()), zap.String("proxy", found[0].Name), zap.String("action", action))
	return proxyStatus(found[0]), err
}
