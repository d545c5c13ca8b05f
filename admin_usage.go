package proxypool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/pool"
)

// maxUsageSpans bounds how many hours or days one answer may have: more than a
// year of hours.
const maxUsageSpans = 10_000

// usageAnswer is the answer of usage.
type usageAnswer struct {
	From  string      `json:"from"`
	To    string      `json:"to"`
	Rows  []usageRow  `json:"rows"`
	Total usageSum    `json:"total"`
	Store storeAnswer `json:"store"`
}

type usageRow struct {
	Key string `json:"key"`
	usageSum
}

type usageSum struct {
	usageFigures
	ResponseMS *float64 `json:"response_ms"` // the mean; null where no time was taken
}

func newUsageSum(u pool.Usage, costPerMonth float64) usageSum {
	sum := usageSum{usageFigures: figures(u, costPerMonth)}
	if mean, ok := u.ResponseTime(); ok {
		ms := float64(mean.Microseconds()) / 1000
		sum.ResponseMS = &ms
	}
	return sum
}

type usageFigures struct {
	Requests     int64   `json:"requests"`
	Failed       int64   `json:"failed"`
	BytesIn      int64   `json:"bytes_in"`
	BytesOut     int64   `json:"bytes_out"`
	CostUSD      float64 `json:"cost_usd"`
	SavedUSD     float64 `json:"saved_usd"`
	CostPerMonth float64 `json:"cost_per_month,omitempty"` // flat, whatever is used
}

func figures(u pool.Usage, costPerMonth float64) usageFigures {
	return usageFigures{u.Requests, u.Failed, u.BytesIn, u.BytesOut, u.Cost.USD(), u.Saved.USD(), costPerMonth}
}

// usage answers what was used and what it cost, by proxy, target, hour or day.
func (a *adminAPI) usage(w http.ResponseWriter, r *http.Request) error {
	asked, err := a.usageAsked(r.URL.Query())
	if err != nil {
		return err
	}
	rows, err := a.app.books.Usage(r.Context(), asked.query)
	if err != nil {
		return storeFailed(err)
	}
	if len(rows) == 0 {
		if err := a.known(r.Context(), asked.query.Pool, asked.query.Proxy); err != nil {
			return err
		}
	}
	answer := asked.answer(a.app, rows)
	answer.Store = a.store()
	return answerJSON(w, answer)
}

// usageAsked is what a call of usage asks for.
type usageAsked struct {
	query    pool.UsageQuery
	by       string
	from, to time.Time
	keys     []string // of the spans, where it is by hour or day
	empty    bool     // those too in which nothing was used
}

func (a *adminAPI) usageAsked(params url.Values) (*usageAsked, error) {
	where := a.app.where
	now := time.Now().In(where)
	var err error
	asked := &usageAsked{
		query: pool.UsageQuery{Pool: params.Get("pool"), Proxy: params.Get("proxy")},
		by:    cmp.Or(params.Get("by"), "proxy"),
		from:  pool.MonthStart(now), to: now,
	}
	if raw := params.Get("target"); raw != "" {
		if asked.query.Target, err = targetAsked(raw); err != nil {
			return nil, err
		}
	}
	if raw := params.Get("empty"); raw != "" {
		if asked.empty, err = strconv.ParseBool(raw); err != nil {
			return nil, badRequest("empty: expected true or false")
		}
	}
	if raw := params.Get("from"); raw != "" {
		if asked.from, err = instant(raw, where, false); err != nil {
			return nil, badRequest("from: " + err.Error())
		}
	}
	if raw := params.Get("to"); raw != "" {
		if asked.to, err = instant(raw, where, true); err != nil {
			return nil, badRequest("to: " + err.Error())
		}
	}
	if !asked.from.Before(asked.to) {
		return nil, badRequest("from: expected a time before that of to")
	}
	if err := asked.split(); err != nil {
		return nil, err
	}
	return asked, nil
}

// targetAsked reads a target as people write it.
func targetAsked(raw string) (string, error) {
	key, err := (&livePool{}).targetKey(raw)
	return key.Addr, err
}

// instant reads a time, or a day in the app's time zone: its beginning or its end.
// What comes before 1970 was never used, and what comes after 9999 has no RFC 3339.
func instant(raw string, where *time.Location, end bool) (time.Time, error) {
	raw = strings.Replace(raw, " ", "+", 1) // of +03:30, which nobody escapes
	t, err := time.Parse(time.RFC3339, raw)
	if err != nil {
		day, err := time.ParseInLocation(time.DateOnly, raw, where)
		if err != nil {
			return time.Time{}, errors.New("expected a day such as 2026-11-23 or a time such as 2026-11-23T08:00:00Z")
		}
		day = day.Add(12 * time.Hour) // within it, also where midnight was skipped
		if t = pool.DayStart(day); end {
			t = pool.NextDay(day)
		}
	}
	if t = t.In(where); t.Year() < 1970 || t.UTC().Year() > 9999 {
		return time.Time{}, errors.New("expected a time from 1970 to 9999")
	}
	return t, nil
}

// split cuts the time asked for into the spans of the answer. Usage is kept by
// the quarter of an hour: the first begins and the last ends with one.
func (u *usageAsked) split() error {
	var next func(time.Time) time.Time
	var key func(time.Time) string
	switch u.by {
	case "proxy", "target":
		u.query.Spans = []pool.QuarterSpan{{From: pool.QuarterOf(u.from), To: after(u.to)}}
		return nil
	case "hour":
		u.query.Together = true
		next = func(t time.Time) time.Time { return hourStart(t).Add(time.Hour) }
		key = func(t time.Time) string { return *stamp(hourStart(t)) }
	case "day":
		u.query.Together = true
		next = pool.NextDay
		key = func(t time.Time) string { return t.Format(time.DateOnly) }
	default:
		return badRequest(fmt.Sprintf("by: expected proxy, target, hour or day, got %q", u.by))
	}
	for t := u.from; t.Before(u.to); {
		if len(u.keys) == maxUsageSpans {
			return badRequest(fmt.Sprintf("expected at most %d spans between from and to, ask for a shorter time or by day", maxUsageSpans))
		}
		end := next(t)
		span := pool.QuarterSpan{From: pool.QuarterOf(t), To: pool.QuarterOf(end)}
		if !end.Before(u.to) {
			span.To = min(span.To, after(u.to))
		}
		u.query.Spans, u.keys = append(u.query.Spans, span), append(u.keys, key(t))
		t = end
	}
	return nil
}

// after is the first quarter that begins at t or later.
func after(t time.Time) pool.Quarter {
	q := pool.QuarterOf(t)
	if q.Time().Before(t) {
		q++
	}
	return q
}

// hourStart is when the hour of t began on the clocks there.
func hourStart(t time.Time) time.Time {
	_, offset := t.Zone()
	into := (t.Unix() + int64(offset)) % 3600
	return time.Unix(t.Unix()-into, 0).In(t.Location())
}

// answer puts the usage of routes together.
func (u *usageAsked) answer(app *App, found []pool.UsageRow) usageAnswer {
	answer := usageAnswer{From: *stamp(u.from), To: *stamp(u.to), Rows: []usageRow{}}
	sums := make(map[string]pool.Usage)
	var total pool.Usage
	for i := range found {
		row := &found[i]
		sum := sums[u.key(row)]
		sum.Add(row.Usage)
		sums[u.key(row)] = sum
		total.Add(row.Usage)
	}
	flat := 0.0
	for _, p := range app.proxiesOf(u.query.Pool, u.query.Proxy) {
		flat += p.CostPerMonth
		if u.by == "proxy" { // also where nothing was used
			answer.add(p.ID(), sums[p.ID()], p.CostPerMonth)
			delete(sums, p.ID())
		}
	}
	for _, key := range u.order(sums) {
		answer.add(key, sums[key], 0)
	}
	answer.Total = newUsageSum(total, flat)
	return answer
}

func (a *usageAnswer) add(key string, u pool.Usage, flat float64) {
	a.Rows = append(a.Rows, usageRow{key, newUsageSum(u, flat)})
}

func (u *usageAsked) key(row *pool.UsageRow) string {
	switch u.by {
	case "proxy":
		return row.Pool + "/" + row.Proxy
	case "target":
		return row.Target
	default:
		return u.keys[row.Span]
	}
}

// order is by time, or the dearest first.
func (u *usageAsked) order(sums map[string]pool.Usage) []string {
	if u.keys != nil {
		return slices.DeleteFunc(slices.Compact(slices.Clone(u.keys)), func(key string) bool {
			return !u.empty && sums[key] == pool.Usage{}
		})
	}
	keys := make([]string, 0, len(sums))
	for key := range sums {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		x, y := sums[a], sums[b]
		return cmp.Or(cmp.Compare(y.Cost, x.Cost), cmp.Compare(y.BytesIn+y.BytesOut, x.BytesIn+x.BytesOut), cmp.Compare(a, b))
	})
	return keys
}

// proxiesOf are the configured proxies that a call is about, in their places.
func (a *App) proxiesOf(poolName, proxy string) []*pool.Proxy {
	var proxies []*pool.Proxy
	for _, p := range a.pools {
		if poolName != "" && p.Name != poolName {
			continue
		}
		for _, one := range p.Proxies() {
			if proxy == "" || one.Name == proxy {
				proxies = append(proxies, one)
			}
		}
	}
	return proxies
}

// known refuses names that neither the configuration nor the books know.
func (a *adminAPI) known(ctx context.Context, poolName, proxy string) error {
	if poolName == "" && proxy == "" || len(a.app.proxiesOf(poolName, proxy)) > 0 {
		return nil
	}
	ever := pool.UsageQuery{
		Pool: poolName, Proxy: proxy, Together: true,
		Spans: []pool.QuarterSpan{{From: 0, To: math.MaxInt64}},
	}
	rows, err := a.app.books.Usage(ctx, ever)
	switch {
	case err != nil:
		return storeFailed(err)
	case len(rows) > 0:
		return nil
	case proxy == "":
		return notFound(fmt.Sprintf("unknown pool %q", poolName))
	default:
		return notFound(fmt.Sprintf("unknown proxy %q", proxy))
	}
}

// storeFailed is the answer where the books cannot be read.
func storeFailed(err error) error {
	return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
}
