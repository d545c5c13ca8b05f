package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
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
	brokenFor     = 8 * time.Second
)

func (r *rig) failover(ctx context.Context) error {
	fmt.Printf("Five proxies, an origin that answers in %v, %d clients with a timeout of %v. After %v the first proxy turns into one that …\n\n", originDelay, loadClients, clientTimeout, healthyFor)
	for _, post := range []int{0, 1024} {
		t := table{header: []string{"GET: the first proxy", "requests", "failed", "answers broken off", "longest time without a good answer", "out of use after", "slowest request from then on"}}
		if post > 0 {
			t.header[0] = "POST: the first proxy"
			t.header = append(t.header, "seen twice")
		}
		for _, f := range failures {
			if !r.wanted(f.mode) {
				continue
			}
			progress("failover: %s %s", strings.Fields(t.header[0])[0], f.mode)
			row, err := r.failOver(ctx, f, post)
			if err != nil {
				return fmt.Errorf("%s: %w", f.mode, err)
			}
			t.add(row...)
		}
		t.write(os.Stdout)
	}
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
	ctx, cancel := context.WithTimeout(ctx, healthyFor+brokenFor)
	defer cancel()
	l := load{addr: s.caddy.front, clients: loadClients, post: post, ids: post > 0, timeout: clientTimeout}
	finished := make(chan []sample, 1)
	go func() { finished <- l.run(ctx) }()
	time.Sleep(healthyFor)
	if carried := s.proxies[0].requests.Load(); carried == 0 {
		return nil, fmt.Errorf("the first proxy carried nothing while it worked")
	}
	brokenAt := time.Now()
	if err := s.proxies[0].set(f.mode); err != nil {
		return nil, err
	}
	outAt := r.awaitOutOfUse(ctx, s.caddy)
	samples := <-finished

	v := judge(samples, brokenAt, outAt)
	failed := fmt.Sprint(v.failed)
	if v.failed > 0 {
		failed += " (" + v.kinds + ")"
	}
	if post == 0 {
		failed = against(failed, v.failed == 0, "0")
	} else {
		failed = against(failed, v.failed <= loadClients, fmt.Sprintf("≤ %d under way", loadClients))
	}
	gap := ms(v.gap)
	if f.gap > 0 {
		gap = against(gap, v.gap <= f.gap, "≤ "+f.gap.String())
	}
	row := []any{f.mode, len(samples), failed, v.brokenOff, gap, "never", "–"}
	if !outAt.IsZero() {
		row[5], row[6] = ms(outAt.Sub(brokenAt)), ms(v.slowestAfter)
	}
	if post > 0 {
		twice := s.origin.duplicates()
		row = append(row, against(fmt.Sprint(twice), twice == 0, "0"))
	}
	return row, nil
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
	kinds             string
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
	v.kinds = strings.Join(words, ", ")
	return v
}

// comeBack lets the first proxy be away for a short while.
func (r *rig) comeBack(ctx context.Context) error {
	const outage, after = 3 * time.Second, 16 * time.Second
	s, err := r.newScene(ctx, originDelay)
	if err != nil {
		return err
	}
	defer s.stop()
	ctx, cancel := context.WithTimeout(ctx, healthyFor+outage+after)
	defer cancel()
	l := load{addr: s.caddy.front, clients: loadClients, timeout: clientTimeout}
	finished := make(chan []sample, 1)
	go func() { finished <- l.run(ctx) }()
	time.Sleep(healthyFor)
	if err := s.proxies[0].set(modeRefuse); err != nil {
		return err
	}
	brokenAt := time.Now()
	time.Sleep(outage)
	s.proxies[0].firstAfter.Store(0)
	if err := s.proxies[0].set(modeOK); err != nil {
		return err
	}
	backAt := time.Now()
	for s.proxies[0].firstAfter.Load() == 0 && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	_ = wait(ctx, 2*time.Second)
	dearer := s.tunnels(s.proxies[1:])
	samples := <-finished
	v := judge(samples, brokenAt, time.Time{})

	used, last := "never", "–"
	if first := s.proxies[0].firstAfter.Load(); first != 0 {
		took := time.Unix(0, first).Sub(backAt)
		used = against(took.Round(10*time.Millisecond).String(), took <= 5500*time.Millisecond, "≤ 5 s and a little")
		for _, p := range s.proxies[1:] {
			if at := p.lastCarried.Load(); at != 0 {
				last = max(0, time.Unix(0, at).Sub(backAt)).Round(10 * time.Millisecond).String()
			}
		}
	}
	fmt.Printf("The first proxy refuses for %v and comes back.\n\n", outage)
	t := table{header: []string{"from its return until", ""}}
	t.add("traffic uses it again", used)
	t.add("the last request through a dearer one", last)
	t.add("tunnels through dearer ones 2 s after the first use", against(fmt.Sprint(dearer), dearer == 0, "0"))
	t.add("failed requests in the whole run", against(strings.TrimSpace(fmt.Sprint(v.failed, " ", v.kinds)), v.failed == 0, "0"))
	t.write(os.Stdout)
	return nil
}
