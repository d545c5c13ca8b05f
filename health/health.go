// Package health looks after the proxies of pools: it decides when each is
// checked, checks it, and tells the pool the verdict.
//
// One goroutine looks for checks that are due, whatever the number of proxies;
// a check runs in a goroutine of its own, of which there are never more than
// the pool's concurrency allows.
package health

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// Settings say how the proxies of one pool are checked.
type Settings struct {
	Pool *pool.Pool

	// Probes are what a check asks for, in turn; the first that passes is the
	// verdict. Empty where the pool is not checked.
	Probes []Probe

	// Counterparts stand in for the scheme that Probes lacks, http or https,
	// where a proxy has an address for each. Empty where Probes has both.
	Counterparts []Probe

	// Expect lists the statuses that pass; one digit stands for its class.
	Expect []int

	// Timeout is for all the probes of a check together.
	Timeout time.Duration

	// Concurrency is how many checks run at once.
	Concurrency int
}

// Probe is one URL that a check asks for.
type Probe struct {
	URL       *url.URL
	Target    func() *pool.Target // asked at each check, because one may be evicted
	AnyStatus bool                // every answer of the target passes
}

// Checker checks the proxies of some pools from Start to Stop. Its methods may
// be called concurrently.
type Checker struct {
	pools []*checked
	wake  chan struct{}

	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// checked is one pool that is looked after.
type checked struct {
	Settings
	slots chan struct{} // as many as checks may run at once

	mu   sync.Mutex
	runs map[string]*run // checks under way, by proxy
}

// run is a check that others can wait for.
type run struct{ over chan struct{} }

// Results count the active proxies after a run, each once, by status.
type Results struct {
	Total    int `json:"total"`
	Healthy  int `json:"healthy"`
	Degraded int `json:"degraded"`
	Down     int `json:"down"`
	Blocked  int `json:"blocked"`
}

// New makes a checker; it does nothing before Start.
func New(settings []Settings) *Checker {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Checker{wake: make(chan struct{}, 1), ctx: ctx, cancel: cancel}
	for _, s := range settings {
		c.pools = append(c.pools, &checked{
			Settings: s,
			slots:    make(chan struct{}, max(s.Concurrency, 1)),
			runs:     make(map[string]*run),
		})
	}
	return c
}

// Start begins the checks. Those of proxies that were never checked are spread
// over the interval, in the order of the pool.
func (c *Checker) Start() {
	now := time.Now()
	for _, ck := range c.pools {
		proxies := ck.Pool.Proxies()
		for i, p := range proxies {
			p.PlanCheck(now.Add(ck.Pool.Checks.Interval * time.Duration(i) / time.Duration(len(proxies))))
		}
	}
	c.done.Go(c.schedule)
}

// Stop ends the checks and waits for those under way, which end at once and
// count for nothing.
func (c *Checker) Stop() {
	c.cancel()
	for _, ck := range c.pools {
		ck.mu.Lock()   // whoever launches a check from here on sees the end
		ck.mu.Unlock() //nolint:staticcheck,gocritic // the section is empty on purpose
	}
	c.done.Wait()
}

// Wake makes the checker look at once for checks that are due.
func (c *Checker) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// CheckAll checks all active proxies of the named pool, or of all pools where
// the name is empty, and waits for the verdicts. A check that is under way is
// joined. It returns early, with what is known, when ctx ends.
func (c *Checker) CheckAll(ctx context.Context, name string) Results {
	var runs []*run
	for _, ck := range c.pools {
		if name != "" && ck.Pool.Name != name {
			continue
		}
		for _, p := range ck.Pool.Proxies() {
			if !p.Checkable() || len(ck.Probes) == 0 {
				continue
			}
			if r := c.begin(ctx, ck, p); r != nil {
				runs = append(runs, r)
			}
		}
	}
	for _, r := range runs {
		r.wait(ctx)
	}
	return c.count(name)
}

// Check checks one proxy and waits for the verdict. It reports whether the
// proxy's pool is one that is checked.
func (c *Checker) Check(ctx context.Context, p *pool.Proxy) bool {
	for _, ck := range c.pools {
		if len(ck.Probes) == 0 || ck.Pool.Proxy(p.Name) != p {
			continue
		}
		if r := c.begin(ctx, ck, p); r != nil {
			r.wait(ctx)
		}
		return true
	}
	return false
}

// begin joins the check of a proxy, or starts one as soon as a slot is free.
func (c *Checker) begin(ctx context.Context, ck *checked, p *pool.Proxy) *run {
	if r := ck.underWay(p); r != nil {
		return r
	}
	select {
	case ck.slots <- struct{}{}:
		return c.launch(ck, p)
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	return nil
}

func (ck *checked) underWay(p *pool.Proxy) *run {
	ck.mu.Lock()
	defer ck.mu.Unlock()
	return ck.runs[p.Name]
}

// launch starts a check in the slot that its caller has taken, or joins one.
func (c *Checker) launch(ck *checked, p *pool.Proxy) *run {
	ck.mu.Lock()
	defer ck.mu.Unlock()
	if r := ck.runs[p.Name]; r != nil || c.ctx.Err() != nil || !p.BeginCheck() {
		<-ck.slots
		return r
	}
	r := &run{over: make(chan struct{})}
	ck.runs[p.Name] = r
	c.done.Go(func() {
		defer ck.end(p, r)
		if result, ok := ck.check(c.ctx, p); ok {
			p.Checked(result)
		}
	})
	return r
}

func (ck *checked) end(p *pool.Proxy, r *run) {
	p.EndCheck()
	ck.mu.Lock()
	delete(ck.runs, p.Name)
	ck.mu.Unlock()
	close(r.over)
	<-ck.slots
}

func (r *run) wait(ctx context.Context) {
	select {
	case <-r.over:
	case <-ctx.Done():
	}
}

func (c *Checker) count(name string) Results {
	var n Results
	for _, ck := range c.pools {
		if name != "" && ck.Pool.Name != name {
			continue
		}
		for _, p := range ck.Pool.Proxies() {
			if row := p.Snapshot(); row.Active {
				n.add(row.Status)
			}
		}
	}
	return n
}

func (n *Results) add(s pool.Status) {
	n.Total++
	switch s {
	case pool.StatusHealthy:
		n.Healthy++
	case pool.StatusDegraded:
		n.Degraded++
	case pool.StatusDown:
		n.Down++
	case pool.StatusBlocked:
		n.Blocked++
	}
}

// newRequest is what a probe sends: nothing that tells of the app or of us.
func newRequest(u *url.URL) *http.Request {
	return &http.Request{
		Method: http.MethodGet, URL: u, Host: u.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"User-Agent": {"curl/8"}, "Accept": {"*/*"}},
	}
}
