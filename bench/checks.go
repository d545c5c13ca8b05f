package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// checks runs Caddy with 10,000 proxies, names on a few real ones, which are
// checked over plain HTTP once a minute.
func (r *rig) checks(ctx context.Context) error {
	const proxies = 10_000
	window := time.Minute
	if r.short {
		window = 15 * time.Second
	}
	if r.plain {
		fmt.Printf("Caddy without the module checks nothing.\n\n")
		return nil
	}
	origin, err := startOrigin(nil, 0)
	if err != nil {
		return err
	}
	defer origin.close()
	var addrs []string
	for range 4 {
		p, err := startProxy()
		if err != nil {
			return err
		}
		defer p.close()
		addrs = append(addrs, p.addr)
	}
	var pool strings.Builder
	pool.WriteString("pool {\n")
	for i := range proxies {
		fmt.Fprintf(&pool, "\tproxy Proxy-%05d http://%s\n", i, addrs[i%len(addrs)])
	}
	fmt.Fprintf(&pool, "\thealth_check {\n\t\turl http://%s%s\n\t\tinterval 60s\n\t}\n}\n", origin.addr(), checkPath)
	c, err := r.startCaddy(ctx, r.caddy, site{pool: pool.String(), body: "proxy_pool http://" + origin.addr() + "\n"})
	if err != nil {
		return err
	}
	defer c.stop()
	progress("checks: watching for %v", window)
	if err := wait(ctx, 5*time.Second); err != nil {
		return err
	}
	from, seen := time.Now(), origin.handled.Load()
	before, err := cpuTime(c.pid())
	if err != nil {
		return err
	}
	if err := wait(ctx, window); err != nil {
		return err
	}
	after, err := cpuTime(c.pid())
	if err != nil {
		return err
	}
	took := time.Since(from)
	seen = origin.handled.Load() - seen
	resident, _, err := residentBytes(c.pid())
	if err != nil {
		return err
	}
	share := float64(after-before) / float64(took)
	expected := float64(proxies) * took.Seconds() / 60
	t := table{header: []string{"10,000 proxies, plain HTTP, `interval 60s`", ""}}
	t.add("watched for", took.Round(time.Second))
	t.add("checks that the origin saw", against(fmt.Sprint(seen), float64(seen) > 0.9*expected && float64(seen) < 1.2*expected, fmt.Sprintf("about %.0f", expected)))
	t.add("of one core", against(fmt.Sprintf("%.1f %%", 100*share), share < 0.1, "< 10 %"))
	if seen > 0 {
		t.add("CPU for a check", (after-before)/time.Duration(seen))
	}
	t.add("resident memory", mib(resident))
	t.write(os.Stdout)
	return nil
}
