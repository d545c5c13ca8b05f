package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// scene is Caddy with five proxies, which can fail, before an origin that
// answers in a while. Origin and proxies live in this process, so that they
// can be told to change and asked what they saw.
type scene struct {
	origin  *origin
	proxies []*proxy
	caddy   *caddyProcess
	site    site
}

func (r *rig) newScene(ctx context.Context, delay time.Duration) (*scene, error) {
	config, err := serverTLS(r.dir, "http/1.1")
	if err != nil {
		return nil, err
	}
	s := &scene{}
	if s.origin, err = startOrigin(config, delay); err != nil {
		return nil, err
	}
	var addrs []string
	for range 5 {
		p, err := startProxy()
		if err != nil {
			s.stop()
			return nil, err
		}
		s.proxies = append(s.proxies, p)
		addrs = append(addrs, p.addr)
	}
	s.origin.setCarrier(func(remote string) *tunnel {
		for _, p := range s.proxies {
			if t := p.find(remote); t != nil {
				return t
			}
		}
		return nil
	})
	s.site = site{pool: r.poolOf("https://"+s.origin.addr()+checkPath, addrs...), body: "proxy_pool https://" + s.origin.addr() + "\n"}
	if r.plain {
		s.site = r.reverseProxy(s.origin.addr(), addrs[0], "")
	}
	if s.caddy, err = r.startCaddy(ctx, r.caddy, s.site); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *scene) stop() {
	if s.caddy != nil {
		s.caddy.stop()
	}
	for _, p := range s.proxies {
		p.close()
	}
	s.origin.close()
}

// tunnels is how many stand at all proxies but the first.
func (s *scene) tunnels(proxies []*proxy) (n int) {
	for _, p := range proxies {
		n += p.standing()
	}
	return n
}

// failure is a way in which the first proxy fails, and how long there may be
// no good answer then; 0 where that is not promised.
type failure struct {
	mode mode
	gap  time.Duration
}

var failures = []failure{
	{modeRefuse, 100 * time.Millisecond},
	{modeReset, 100 * time.Millisecond},
	{mode407, 100 * time.Millisecond},
	{mode502, 100 * time.Millisecond},
	{mode403, 100 * time.Millisecond},
	{modeGarbage, 100 * time.Millisecond},
	{modeBreakOff, 0},
	{modeHang, 1600 * time.Millisecond},
	{modeSilentTunnel, 1600 * time.Millisecond},
	{modeFullBacklog, 1600 * time.Millisecond},
}

// What every failover run is made of.
const (
	originDelay   = 30 * time.Millisecond
	loadClients   = 16
	clientTimeout = 5 * time.Second
	healthyFor    = 3 * time.Second
	brokenFor     = 7 * time.Second
	silentFor     = 22 * time.Second // it takes connect timeouts to find a silent proxy down
)

func (r *rig) failover(ctx context.Context) error {
	fmt.Printf("Five proxies, an origin that answers in %v, %d clients with a timeout of %v. After %v the first proxy turns into one that …\n"+
		"With POST, %d more clients begin at that moment: a POST that was sent waits by rule, and so does its client.\n\n",
		originDelay, loadClients, clientTimeout, healthyFor, loadClients)
	header := []string{"requests", "failed", "answers broken off", "longest time without a good answer", "out of use after", "slowest request from then on"}
	gets := table{header: append([]string{"GET: the first proxy"}, header...)}
	posts := table{header: append(append([]string{"POST: the first proxy"}, header...), "seen twice")}
	for _, f := range failures {
		if !r.wanted(f.mode) {
			continue
		}
		progress("failover: %s", f.mode)
		var (
			both            sync.WaitGroup
			get, post       []any
			getErr, postErr error
		)
		both.Go(func() { get, getErr = r.failOver(ctx, f, 0) })
		both.Go(func() { post, postErr = r.failOver(ctx, f, 1024) })
		both.Wait()
		if err := errors.Join(getErr, postErr); err != nil {
			return fmt.Errorf("%s: %w", f.mode, err)
		}
		gets.add(get...)
		posts.add(post...)
	}
	gets.write(os.Stdout)
	posts.write(os.Stdout)
	return nil
}

func (r *rig) wanted(m mode) bool {
	return len(r.modes) == 0 || slices.ContainsFunc(r.modes, func(word string) bool { return strings.Contains(m.String(), word) })
}

// failOver makes one run and returns its row.
func (r *rig) failOver(ctx context.Context, f failure, post int) ([]any, error) {
	s, err := r.newScene(ctx, originDelay)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	lasts := healthyFor + brokenFor
	if f.mode.freezes() {
		lasts = healthyFor + silentFor
	}
	ctx, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	first := load{addr: s.caddy.front, clients: loadClients, post: post, ids: post > 0, timeout: clientTimeout}
	finished := make(chan []sample, 2)
	go func() { finished <- first.run(ctx) }()
	time.Sleep(healthyFor)
	if carried := s.proxies[0].requests.Load(); carried == 0 {
		return nil, fmt.Errorf("the first proxy carried nothing while it worked")
	}
	brokenAt := time.Now()
	if err := s.proxies[0].set(f.mode); err != nil {
		return nil, err
	}
	newcomers := load{addr: s.caddy.front, post: post, ids: post > 0, timeout: clientTimeout}
	if post > 0 {
		newcomers.clients = loadClients
		newcomers.lastID.Store(1 << 32) // far from those of the first
	}
	go func() { finished <- newcomers.run(ctx) }()
	outAt := r.awaitOutOfUse(ctx, s.caddy)
	samples := append(<-finished, <-finished...)

	v := judge(samples, brokenAt, outAt)
	if f.mode == modeBreakOff {
		// Each had begun, though its beginning may not have left Caddy.
		v.brokenOff += v.cutOff
		v.failed -= v.cutOff
		if v.failed == 0 {
			v.kinds = ""
		}
	}
	return v.row(f, len(samples), post > 0, outAt.Sub(brokenAt), s.origin.duplicates()), nil
}

// row is what a run's table has of it; out is negative where the proxy stayed
// in use.
func (v verdict) row(f failure, requests int, post bool, out time.Duration, twice int) []any {
	failed := strings.TrimSpace(fmt.Sprint(v.failed, " ", v.kinds))
	if post {
		failed = against(failed, v.failed <= loadClients, fmt.Sprintf("≤ %d under way", loadClients))
	} else {
		failed = against(failed, v.failed == 0, "0")
	}
	gap := ms(v.gap)
	if f.gap > 0 {
		gap = against(gap, v.gap <= f.gap, "≤ "+f.gap.String())
	}
	row := []any{f.mode, requests, failed, v.brokenOff, gap, "never", "–"}
	if out >= 0 {
		row[5], row[6] = ms(out), ms(v.slowestAfter)
	}
	if post {
		row = append(row, against(fmt.Sprint(twice), twice == 0, "0"))
	}
	return row
}

// awaitOutOfUse asks for the status until the first proxy is no longer used,
// or time is up.
func (r *rig) awaitOutOfUse(ctx context.Context, c *caddyProcess) time.Time {
	for !r.plain {
		rows, err := c.status(ctx)
		if err == nil && len(rows) > 0 && rows[0].outOfUse() {
			return time.Now()
		}
		if wait(ctx, 25*time.Millisecond) != nil {
			break
		}
	}
	return time.Time{}
}

// verdict is what the clients saw from the moment on in which a proxy broke.
type verdict struct {
	failed, brokenOff int
	cutOff            int           // of the failed: those without an answer's first byte
	kinds             string        // the failed ones by kind
	gap               time.Duration // the longest time without a good answer
	slowestAfter      time.Duration // of the requests that began once the proxy was out of use
}

func judge(samples []sample, brokenAt, outAt time.Time) (v verdict) {
	slices.SortFunc(samples, func(a, b sample) int { return a.end.Compare(b.end) })
	var kinds [outcomes]int
	statuses := map[int]int{}
	lastGood := brokenAt
	for _, s := range samples {
		if s.outcome == good && s.end.After(brokenAt) {
			v.gap = max(v.gap, s.end.Sub(lastGood))
			lastGood = s.end
		}
		switch s.outcome {
		case good:
		case broken:
			v.brokenOff++
		default:
			v.failed++
			kinds[s.outcome]++
			if s.outcome == refused {
				statuses[s.status]++
			}
		}
		if !outAt.IsZero() && s.start.After(outAt) {
			v.slowestAfter = max(v.slowestAfter, s.took())
		}
	}
	if len(samples) > 0 {
		v.gap = max(v.gap, samples[len(samples)-1].end.Sub(lastGood))
	}
	var words []string
	for status, n := range statuses {
		words = append(words, fmt.Sprintf("%d × %d", n, status))
	}
	slices.Sort(words)
	if kinds[cutOff] > 0 {
		words = append(words, fmt.Sprintf("%d cut off", kinds[cutOff]))
	}
	if kinds[timedOut] > 0 {
		words = append(words, fmt.Sprintf("%d timed out", kinds[timedOut]))
	}
	v.cutOff = kinds[cutOff]
	if words != nil {
		words[0], words[len(words)-1] = "("+words[0], words[len(words)-1]+")"
	}
	v.kinds = strings.Join(words, ", ")
	return v
}
