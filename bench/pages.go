package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// What the dashboards part has open, and what happens meanwhile.
const (
	openPages    = 50
	pageProxies  = 100
	pageRequests = 10 // a second, so that each second has something to show
)

// pages measures what dashboards cost that are open and follow live.
func (r *rig) pages(ctx context.Context) error {
	p, err := r.startPeers()
	if err != nil {
		return err
	}
	defer p.stop()
	c, err := r.startCaddy(ctx, r.caddy, site{
		pool: r.poolOfMany(pageProxies, "first", p),
		body: "proxy_pool_dashboard /dashboard/*\nproxy_pool https://" + p.Origin + "\n",
	})
	if err != nil {
		return err
	}
	defer c.stop()
	if err := checkAll(ctx, c); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { askNowAndThen(ctx, c.front) })

	alone, err := busy(ctx, c.pid())
	if err != nil {
		return err
	}
	var frames atomic.Int64
	for range openPages {
		all.Go(func() { followPage(ctx, c.front, &frames) })
	}
	if err := wait(ctx, 2*time.Second); err != nil {
		return err
	}
	before := frames.Load()
	followed, err := busy(ctx, c.pid())
	if err != nil {
		return err
	}
	seen := float64(frames.Load()-before) / openPages / pagesFor.Seconds()
	cancel()
	t := table{header: []string{fmt.Sprintf("%d proxies, %d requests a second", pageProxies, pageRequests), ""}}
	t.add("of one core, no page open", fmt.Sprintf("%.1f %%", 100*alone))
	t.add(fmt.Sprintf("of one core, %d pages follow live", openPages), fmt.Sprintf("%.1f %%", 100*followed))
	t.add("the pages alone", against(fmt.Sprintf("%.1f %%", 100*(followed-alone)), followed-alone < 0.05, "< 5 %"))
	t.add("events that a page got in a second", fmt.Sprintf("%.2f", seen))
	t.write(os.Stdout)
	if seen < 0.5 {
		return fmt.Errorf("the pages got %.2f events a second: they did not follow", seen)
	}
	return nil
}

// pagesFor is how long the processor is watched.
const pagesFor = 15 * time.Second

// busy is the share of one core that a process takes.
func busy(ctx context.Context, pid int) (float64, error) {
	before, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	if err := wait(ctx, pagesFor); err != nil {
		return 0, err
	}
	after, err := cpuTime(pid)
	return float64(after-before) / float64(pagesFor), err
}

func askNowAndThen(ctx context.Context, front string) {
	for wait(ctx, time.Second/pageRequests) == nil {
		once := load{addr: front, clients: 1, limit: 1, timeout: clientTimeout}
		once.run(ctx)
	}
}

// followPage reads the events of one page.
func followPage(ctx context.Context, front string, frames *atomic.Int64) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+front+"/dashboard/api/live", http.NoBody)
	if err != nil {
		return
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if lines.Text() == "" {
			frames.Add(1) // the end of an event
		}
	}
}
