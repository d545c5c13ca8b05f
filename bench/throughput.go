package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// variant is a Caddy that is measured.
type variant struct {
	name  string
	site  site
	caddy *caddyProcess
	idle  int64 // resident bytes before any load
	runs  map[string][]measurement
}

// workload is what the clients do.
type workload struct {
	name          string
	clients, post int
	target        float64 // of requests per second, to those of Caddy tuned
}

var workloads = []workload{
	{"1 client", 1, 0, 1.25},
	{"16 clients", 16, 0, 1.25},
	{"64 clients", 64, 0, 1.25},
	{"256 clients", 256, 0, 1.25},
	{"16 clients, POST 1 kB", 16, 1024, 1.15},
}

// on is its load on a Caddy.
func (w workload) on(c *caddyProcess) *load {
	return &load{addr: c.front, clients: w.clients, post: w.post}
}

// measurement is one run of a workload.
type measurement struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // of the measured process, for a request
	foreign   float64       // the share of the machine that other programs took
	failed    int
}

const tuned = "Caddy tuned"

// poolOf is the body of the global option for proxies in their order.
func (r *rig) poolOf(check string, proxies ...string) string {
	return r.poolWithPrice(0, check, proxies...)
}

// poolWithPrice has a price for a gigabyte, in dollars, at all proxies but the
// first; 0 is none.
func (r *rig) poolWithPrice(price int, check string, proxies ...string) string {
	var b strings.Builder
	b.WriteString("pool {\n")
	for i, addr := range proxies {
		fmt.Fprintf(&b, "\tproxy Proxy-%d http://%s {\n\t\tpriority %d\n", i+1, addr, 10*(i+1))
		if i > 0 && price > 0 {
			fmt.Fprintf(&b, "\t\tcost_per_gb %d\n", price)
		}
		b.WriteString("\t}\n")
	}
	fmt.Fprintf(&b, "\ttls_trust_pool file %s\n\thealth_check {\n\t\turl %s\n\t}\n}\n", filepath.Join(r.dir, "ca.pem"), check)
	return b.String()
}

func (r *rig) reverseProxy(origin, proxy, more string) site {
	return site{body: fmt.Sprintf("reverse_proxy https://%s {\n\ttransport http {\n\t\tnetwork_proxy url http://%s\n\t\ttls_trust_pool file %s\n%s\t}\n}\n",
		origin, proxy, filepath.Join(r.dir, "ca.pem"), more)}
}

func (r *rig) variants(p *peers) []*variant {
	module := func(origin, format string) site {
		return site{
			pool: r.poolOf("https://"+p.Origin+checkPath, p.Proxy),
			body: fmt.Sprintf(format, origin),
		}
	}
	const handler = "proxy_pool https://%s\n"
	list := []*variant{
		{name: tuned, site: r.reverseProxy(p.Origin, p.Proxy, "\t\tkeepalive_idle_conns_per_host 1024\n")},
		{name: "Caddy as it comes", site: r.reverseProxy(p.Origin, p.Proxy, "")},
	}
	if !r.plain {
		list = append(list,
			&variant{name: "proxy_pool", site: module(p.Origin, handler)},
			&variant{name: "transport proxy_pool", site: module(p.Origin, "reverse_proxy https://%s {\n\ttransport proxy_pool\n}\n")},
			&variant{name: "proxy_pool, net/http origin", site: module(p.HTTP1, handler)},
			&variant{name: "proxy_pool, net/http origin, HTTP/2", site: module(p.HTTP2, handler)},
			&variant{name: "Caddy tuned, net/http origin, HTTP/2", site: r.reverseProxy(p.HTTP2, p.Proxy, "\t\tkeepalive_idle_conns_per_host 1024\n")},
		)
	}
	return list
}

func (r *rig) measureThroughput(ctx context.Context) error {
	p, err := r.startPeers()
	if err != nil {
		return err
	}
	defer p.stop()
	started := r.startAll(ctx, r.variants(p))
	defer stopAll(started)
	if len(started) == 0 || started[0].name != tuned {
		return fmt.Errorf("there is nothing to compare with")
	}
	rounds, t, err := r.interleave(ctx, p, started, workloads)
	if err != nil {
		return err
	}
	fmt.Printf("Reverse front, through one CONNECT proxy to a TLS origin that answers 300 bytes of JSON. Medians of %d interleaved rounds; CPU is that of the Caddy process, for a request; ratios are medians of those to %q in the same round. Other programs took %.0f %% of the machine.\n\n",
		rounds, tuned, 100*median(t.foreign))
	for _, w := range workloads {
		printThroughput(w, started)
	}
	memory := table{header: []string{"resident memory", "idle", "after load"}}
	for _, v := range started {
		after, _, err := residentBytes(v.caddy.pid())
		if err != nil {
			return err
		}
		memory.add(v.name, mib(v.idle), mib(after))
	}
	memory.write(os.Stdout)
	return nil
}

// startAll starts what can be started, and says what cannot.
func (r *rig) startAll(ctx context.Context, all []*variant) (started []*variant) {
	for _, v := range all {
		var err error
		if v.caddy, err = r.startCaddy(ctx, r.caddy, v.site); err != nil {
			fmt.Printf("%s is left out: %v\n\n", v.name, err)
			continue
		}
		v.runs = make(map[string][]measurement)
		started = append(started, v)
	}
	return started
}

func stopAll(started []*variant) {
	for _, v := range started {
		v.caddy.stop()
	}
}

// interleave lets all do all of the work, a round after the other, so that what
// disturbs the machine disturbs all of them.
func (r *rig) interleave(ctx context.Context, p *peers, started []*variant, works []workload) (rounds int, t meter, err error) {
	if err := wait(ctx, 2*time.Second); err != nil {
		return 0, t, err
	}
	for _, v := range started {
		if v.idle, _, err = residentBytes(v.caddy.pid()); err != nil {
			return 0, t, err
		}
	}
	rounds = 7
	t = meter{warmUp: 500 * time.Millisecond, window: 800 * time.Millisecond, ours: []int{os.Getpid(), p.pid()}}
	if r.short {
		rounds, t.warmUp, t.window = 3, 300*time.Millisecond, 600*time.Millisecond
	}
	t.repeats = rounds * len(works) * len(started) / 4
	for round := range rounds {
		progress("round %d of %d", round+1, rounds)
		for _, w := range works {
			for i := range started {
				// Each round begins with another one.
				v := started[(i+round)%len(started)]
				m, err := t.measure(ctx, v.caddy.pid(), w.on(v.caddy))
				if err != nil {
					return 0, t, fmt.Errorf("%s, %s: %w", v.name, w.name, err)
				}
				v.runs[w.name] = append(v.runs[w.name], m)
			}
		}
	}
	return rounds, t, nil
}

// medianOf is the median of a figure over a variant's rounds.
func medianOf(runs []measurement, figure func(measurement) float64) float64 {
	values := make([]float64, len(runs))
	for i, run := range runs {
		values[i] = figure(run)
	}
	return median(values)
}

// ratioOf is the median of a figure's ratios to another variant's in the same
// round, which ran at nearly the same time.
func ratioOf(runs, base []measurement, figure func(measurement) float64) float64 {
	values := make([]float64, len(runs))
	for i := range runs {
		values[i] = figure(runs[i]) / figure(base[i])
	}
	return median(values)
}

func perSecond(m measurement) float64 { return m.perSecond }
func p50(m measurement) float64       { return float64(m.p50) }
func p99(m measurement) float64       { return float64(m.p99) }
func cpu(m measurement) float64       { return float64(m.cpu) }

func printThroughput(w workload, started []*variant) {
	t := table{header: []string{w.name, "requests/s", "ratio", "p50", "p99", "p99 ratio", "CPU µs", "CPU ratio", "failed"}}
	base := started[0].runs[w.name]
	var http1 []measurement
	for _, v := range started {
		runs := v.runs[w.name]
		rate, tail, work := ratioOf(runs, base, perSecond), ratioOf(runs, base, p99), ratioOf(runs, base, cpu)
		ratios := []string{fmt.Sprintf("%.2f", rate), fmt.Sprintf("%.2f", tail), fmt.Sprintf("%.2f", work)}
		switch v.name {
		case "proxy_pool":
			ratios[0] = against(ratios[0], rate >= w.target, fmt.Sprintf("≥ %.2f", w.target))
			ratios[1] = against(ratios[1], tail <= 1, "≤ 1")
			ratios[2] = against(ratios[2], work <= 0.8, "≤ 0.8")
		case "proxy_pool, net/http origin":
			http1 = runs
		case "proxy_pool, net/http origin, HTTP/2":
			if http1 != nil {
				to := ratioOf(runs, http1, perSecond)
				ratios[0] += "; " + against(fmt.Sprintf("%.2f of HTTP/1.1", to), to >= 1, "≥ 1")
			}
		}
		t.add(v.name, fmt.Sprintf("%.0f", medianOf(runs, perSecond)), ratios[0], ms(time.Duration(medianOf(runs, p50))),
			ms(time.Duration(medianOf(runs, p99))), ratios[1], fmt.Sprintf("%.0f", medianOf(runs, cpu)/1e3), ratios[2], failedOf(runs))
	}
	t.write(os.Stdout)
}
