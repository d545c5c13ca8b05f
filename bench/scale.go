package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// What the scale part multiplies.
var (
	poolSizes = []int{5, 100, 1000, 10_000}
	crowds    = []int{16, 64, 256, 1024}
)

// scaleClients is how many clients there are while proxies become more.
const scaleClients = 64

// scale shows how the cost of a request grows with the number of proxies, and
// with that of clients.
func (r *rig) scale(ctx context.Context) error {
	return r.onItsHalf(ctx, "scale", r.measureScale)
}

func (r *rig) measureScale(ctx context.Context) error {
	p, err := r.startPeers()
	if err != nil {
		return err
	}
	defer p.stop()
	if err := r.byProxies(ctx, p); err != nil {
		return fmt.Errorf("by proxies: %w", err)
	}
	return r.byClients(ctx, p)
}

// poolOfMany has n proxies that are checked once, and then not while they are
// measured: what checks cost has a part of its own.
func (r *rig) poolOfMany(n int, order string, p *peers) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pool {\n\torder %s\n\ttls_trust_pool file %s/ca.pem\n\thealth_check {\n\t\turl http://%s%s\n\t\tinterval 1h\n\t}\n", order, r.dir, p.PlainOrigin, checkPath)
	for i := range n {
		fmt.Fprintf(&b, "\tproxy Proxy-%05d http://%s\n", i+1, p.Proxies[i%len(p.Proxies)])
	}
	return b.String() + "}\n"
}

// checkAll has every proxy checked, and waits for that.
func checkAll(ctx context.Context, c *caddyProcess) error {
	if _, err := c.ask(ctx, http.MethodPost, "/proxy_pool/health-check", "", nil); err != nil {
		return fmt.Errorf("checking all proxies: %w", err)
	}
	return nil
}

// byProxies has the same work done by pools of more and more proxies.
func (r *rig) byProxies(ctx context.Context, p *peers) error {
	var all []*variant
	for _, order := range []string{"first", "least_latency"} {
		for _, n := range poolSizes {
			all = append(all, &variant{
				name: fmt.Sprintf("%s proxies, `order %s`", thousands(int64(n)), order),
				site: site{pool: r.poolOfMany(n, order, p), body: "proxy_pool https://" + p.Origin + "\n"},
			})
		}
	}
	w := workload{name: fmt.Sprintf("%d clients", scaleClients), clients: scaleClients}
	all = r.startAll(ctx, all)
	defer stopAll(all)
	if len(all) != 2*len(poolSizes) {
		return errors.New("not all pools could be started")
	}
	for _, v := range all {
		if err := checkAll(ctx, v.caddy); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
	}
	_, meter, err := r.interleave(ctx, p, all, []workload{w})
	if err != nil {
		return err
	}
	fmt.Printf("The reverse front with pools of more and more proxies, of which none fails. Ratios are to the smallest pool of the same order. Other programs took %.0f %% of the machine.\n\n", 100*median(meter.foreign))
	t := table{header: []string{w.name, "requests/s", "ratio", "p50", "p99", "CPU µs", "CPU ratio", "resident", "failed"}}
	for i, v := range all {
		base := all[i-i%len(poolSizes)].runs[w.name] // the smallest pool of the same order
		resident, _, err := residentBytes(v.caddy.pid())
		if err != nil {
			return err
		}
		t.add(append(scaleRow(v.name, v.runs[w.name], base), mib(resident), failedOf(v.runs[w.name]))...)
		r.point("cost-by-proxies", v.name[strings.Index(v.name, "order"):len(v.name)-1], float64(poolSizes[i%len(poolSizes)]), medianOf(v.runs[w.name], cpu)/1e3)
	}
	t.write(os.Stdout)
	return nil
}

// byClients has the same pool, and Caddy's own reverse_proxy, under more and more
// clients.
func (r *rig) byClients(ctx context.Context, p *peers) error {
	all := []*variant{
		{name: tuned, site: r.reverseProxy(p.Origin, p.Proxy, "\t\tkeepalive_idle_conns_per_host 1024\n")},
		{name: "Caddy as it comes", site: r.reverseProxy(p.Origin, p.Proxy, "")},
		{name: "proxy_pool", site: site{pool: r.poolOfMany(5, "first", p), body: "proxy_pool https://" + p.Origin + "\n"}},
	}
	var works []workload
	for _, n := range crowds {
		works = append(works, workload{name: fmt.Sprintf("%d clients", n), clients: n})
	}
	all = r.startAll(ctx, all)
	defer stopAll(all)
	if len(all) != 3 {
		return errors.New("not all that is compared could be started")
	}
	_, meter, err := r.interleave(ctx, p, all, works)
	if err != nil {
		return err
	}
	fmt.Printf("Five proxies, more and more clients; ratios are to %q. Other programs took %.0f %% of the machine.\n\n", tuned, 100*median(meter.foreign))
	for i, w := range works {
		t := table{header: []string{w.name, "requests/s", "ratio", "p50", "p99", "CPU µs", "CPU ratio", "failed"}}
		for _, v := range all {
			runs := v.runs[w.name]
			t.add(append(scaleRow(v.name, runs, all[0].runs[w.name]), failedOf(runs))...)
			r.point("rate-by-clients", v.name, float64(crowds[i]), medianOf(runs, perSecond))
			r.point("cost-by-clients", v.name, float64(crowds[i]), medianOf(runs, cpu)/1e3)
		}
		t.write(os.Stdout)
	}
	return nil
}

func scaleRow(name string, runs, base []measurement) []any {
	return []any{
		name, fmt.Sprintf("%.0f", medianOf(runs, perSecond)), fmt.Sprintf("%.2f", ratioOf(runs, base, perSecond)),
		ms(time.Duration(medianOf(runs, p50))), ms(time.Duration(medianOf(runs, p99))),
		fmt.Sprintf("%.0f", medianOf(runs, cpu)/1e3), fmt.Sprintf("%.2f", ratioOf(runs, base, cpu)),
	}
}

func failedOf(runs []measurement) (n int) {
	for _, run := range runs {
		n += run.failed
	}
	return n
}
