package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

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
	const stalls = "the machine itself stood still for"
	gets := table{header: slices.Concat([]string{"GET: the first proxy"}, header, []string{stalls})}
	posts := table{header: slices.Concat([]string{"POST: the first proxy"}, header, []string{"seen twice", stalls})}
	repeats := 4
	for _, f := range failures {
		if !r.wanted(f.mode) {
			continue
		}
		progress("failover: %s", f.mode)
		get, post, stall, err := r.failOverBoth(ctx, f)
		for ; err == nil && stall > disturbedStall && repeats > 0; repeats-- {
			progress("failover: again, for the machine stood still for %v", stall)
			get, post, stall, err = r.failOverBoth(ctx, f)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.mode, err)
		}
		get, post = append(get, ms(stall)), append(post, ms(stall))
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

// disturbedStall is how long the machine may stand still before a run is
// repeated.
const disturbedStall = 25 * time.Millisecond

// failOverBoth makes the runs with GET and with POST side by side, which
// together leave most of the machine idle, and watches for how long the
// machine itself stood still because of other programs.
func (r *rig) failOverBoth(ctx context.Context, f failure) (get, post []any, stall time.Duration, err error) {
	var (
		both            sync.WaitGroup
		getErr, postErr error
	)
	watch := watchStalls()
	both.Go(func() { get, getErr = r.failOver(ctx, f, 0) })
	both.Go(func() { post, postErr = r.failOver(ctx, f, 1024) })
	both.Wait()
	return get, post, watch(), errors.Join(getErr, postErr)
}

// watchStalls measures how late a short sleep ends, on each processor's
// worth of threads, until the returned function is called; that returns the
// worst.
func watchStalls() (stop func() time.Duration) {
	var (
		watchers sync.WaitGroup
		worst    atomic.Int64
	)
	done := make(chan struct{})
	for range runtime.NumCPU() {
		watchers.Go(func() {
			const nap = 2 * time.Millisecond
			for {
				began := time.Now()
				select {
				case <-done:
					return
				case <-time.After(nap):
				}
				late := int64(time.Since(began) - nap)
				for seen := worst.Load(); late > seen && !worst.CompareAndSwap(seen, late); seen = worst.Load() {
				}
			}
		})
	}
	return func() time.Duration {
		close(done)
		watchers.Wait()
		return time.Duration(worst.Load())
	}
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

	if f.mode == modeBreakOff {
		// Each answer had begun, though its beginning may not have left Caddy.
		for i, s := range samples {
			if s.outcome == cutOff {
				samples[i].outcome = broken
			}
		}
	}
	v := judge(samples, brokenAt, outAt)
	return v.row(f, len(samples), post > 0, outAt.Sub(brokenAt), s.origin.duplicates()), nil
}

// row is what a run's table has of it; out is negative where the proxy stayed
// in use.
func (v verdict) row(f failure, requests int, post bool, out time.Duration, twice int) []any {
	failed := strings.TrimSpace(fmt.Sprint(v.failed, " ", v.kinds))
	switch {
	case !post:
		failed = against(failed, v.failed == 0, "0")
	case f.mode != modeBreakOff: // there all of them fail until the proxy is out of use
		failed = against(failed, v.failed <= loadClients, fmt.Sprintf("≤ %d under way", loadClients))
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
