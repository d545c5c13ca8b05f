package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
	"github.com/caddy-proxypool/proxypool/storage/sqlite"
)

const (
	monthPool    = "default"
	monthLength  = 30 * 24 * time.Hour
	monthProxies = 5
	monthEvents  = 20 // of each proxy a day
)

// month writes requests of thirty days into a file, as no load could log them in
// a minute, starts Caddy on it, and asks for what is in it.
func (r *rig) month(ctx context.Context, p *peers, requests int64) error {
	path := filepath.Join(r.dir, "month.db")
	progress("books: writing a month of %s requests", thousands(requests))
	m := newMonth(time.Now().Add(-monthLength), requests, p.Origin, "api.example.com:443", "api.example.net:443")
	if err := m.writeTo(ctx, path); err != nil {
		return err
	}
	c, err := r.startCaddy(ctx, r.caddy, site{
		pool: r.inTurn(p), options: "storage sqlite " + path + "\nusage_log on {\n\tretention 90d\n}\n", body: "proxy_pool https://" + p.Origin + "\n",
	})
	if err != nil {
		return err
	}
	defer c.stop()
	if err := wait(ctx, 2*time.Second); err != nil { // for the first checks
		return err
	}
	if err := m.foundBy(ctx, c); err != nil {
		return err
	}
	calls := callsSince(m.begin)
	idle, err := c.timeCalls(ctx, calls)
	if err != nil {
		return err
	}
	loaded, err := c.timeCallsUnderLoad(ctx, calls)
	if err != nil {
		return err
	}
	fmt.Printf("The same from a file with requests of 30 days, through %d proxies to %d targets, 1 %% of which failed; idle, and while %d clients send requests, each of which is logged.\n\n",
		monthProxies, len(m.targets), loadClients)
	printTimings(requests, calls, idle, loaded)
	return nil
}

func (c *caddyProcess) timeCallsUnderLoad(ctx context.Context, calls []call) ([]timing, error) {
	underLoad, stop := context.WithCancel(ctx)
	defer stop()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		(&load{addr: c.front, path: growthPath, clients: loadClients, timeout: clientTimeout}).run(underLoad)
	}()
	if err := wait(ctx, 2*time.Second); err != nil {
		return nil, err
	}
	timings, err := c.timeCalls(ctx, calls)
	stop()
	<-finished
	return timings, err
}

// month is a month of requests that is made up, the same each time.
type month struct {
	begin    time.Time
	requests int64
	targets  []string
	random   *rand.Rand
	totals   [monthProxies]pool.Usage // of what was made so far
}

func newMonth(begin time.Time, requests int64, targets ...string) *month {
	return &month{begin: begin, requests: requests, targets: targets, random: rand.New(rand.NewPCG(1, 2))}
}

// foundBy makes sure that the Caddy answers with the whole month.
func (m *month) foundBy(ctx context.Context, c *caddyProcess) error {
	var usage struct {
		Total struct{ Requests int64 }
	}
	if err := c.getJSON(ctx, "/proxy_pool/"+usagePath("proxy", m.begin), &usage); err != nil {
		return err
	}
	var status struct {
		Proxies []struct {
			Requests int64 `json:"total_requests"`
		}
		Store store
	}
	if err := c.getJSON(ctx, "/proxy_pool/status", &status); err != nil {
		return err
	}
	counted := int64(0)
	for _, p := range status.Proxies {
		counted += p.Requests
	}
	if usage.Total.Requests != m.requests || counted != m.requests || !status.Store.OK {
		return fmt.Errorf("of %d requests in the file, usage has %d and the status %d; the store is %v", m.requests, usage.Total.Requests, counted, status.Store)
	}
	return nil
}

// writeTo writes the month into a new file.
func (m *month) writeTo(ctx context.Context, path string) (err error) {
	s, err := sqlite.Open(ctx, path, func(message string) { warn("%s", message) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	const batch = 5000
	for first := int64(0); first < m.requests; first += batch {
		b := m.batch(first, min(first+batch, m.requests))
		if err := s.Write(ctx, b); err != nil {
			return err
		}
	}
	last := &pool.Batch{ID: m.requests + 1, Events: m.events()}
	for i, total := range m.totals {
		last.Records = append(last.Records, pool.Record{Pool: monthPool, Proxy: proxyName(i), Total: total, State: []byte("{}")})
	}
	return s.Write(ctx, last)
}

// batch makes requests of consecutive numbers, and their usage.
func (m *month) batch(first, end int64) *pool.Batch {
	b := &pool.Batch{ID: first + 1, Log: make([]pool.LogRow, 0, end-first)}
	cells := make(map[pool.UsageCell]pool.Usage) // by cells without usage
	for n := first; n < end; n++ {
		proxy, row := m.row(n)
		u := pool.Usage{Requests: int64(row.Attempts), BytesIn: row.BytesIn, BytesOut: row.BytesOut}
		if !row.Success {
			u.Failed = 1
		}
		key := pool.UsageCell{Pool: row.Pool, Proxy: row.Proxy, Target: row.Target, Quarter: pool.QuarterOf(row.Time)}
		sum := cells[key]
		sum.Add(u)
		cells[key] = sum
		m.totals[proxy].Add(u)
		b.Log = append(b.Log, row)
	}
	for cell, u := range cells {
		cell.Usage = u
		b.Usage = append(b.Usage, cell)
	}
	return b
}

// row makes a request. Most go through the first proxy, as in real life.
func (m *month) row(n int64) (proxy int, row pool.LogRow) {
	if m.random.IntN(10) > 5 {
		proxy = m.random.IntN(monthProxies)
	}
	name := proxyName(proxy)
	row = pool.LogRow{
		Time: m.begin.Add(time.Duration(float64(monthLength) * float64(n) / float64(m.requests))),
		Pool: monthPool, Proxy: name, Method: "POST", Target: m.targets[m.random.IntN(len(m.targets))],
		Path:    fmt.Sprintf("/bot***/sendMessage/chats/%014d", n), // 40 characters
		Success: true, Status: 200, Duration: time.Duration(50+m.random.IntN(900)) * time.Millisecond,
		BytesIn: 1000 + m.random.Int64N(8000), BytesOut: 300 + m.random.Int64N(3000),
		Attempts: 1, Trail: name + ":ok",
	}
	if m.random.IntN(100) == 0 {
		row.Success, row.Status, row.Trail, row.Error = false, 502, name+":reset", "reset"
	}
	return proxy, row
}

// events makes the changes of status of the month, in order of time.
func (m *month) events() (events []pool.EventRow) {
	const days = int(monthLength / (24 * time.Hour))
	states := []pool.Status{pool.StatusHealthy, pool.StatusDown}
	for i := range days * monthEvents * monthProxies {
		turn := i / monthProxies
		events = append(events, pool.EventRow{Event: pool.Event{
			Time: m.begin.Add(time.Duration(i) * monthLength / time.Duration(days*monthEvents*monthProxies)),
			Pool: monthPool, Proxy: proxyName(i % monthProxies),
			From: states[turn%2], To: states[1-turn%2], Reason: "dial_refused",
		}})
	}
	return events
}
