package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// measurement is one run of a workload.
type measurement struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // of the Caddy process, for a request
	failed    int
}

const tuned = "Caddy tuned"

// poolOf is the body of the global option for proxies in their order.
func (r *rig) poolOf(check string, proxies ...string) string {
	text := "pool {\n"
	for i, addr := range proxies {
		text += fmt.Sprintf("\tproxy Proxy-%d http://%s {\n\t\tpriority %d\n\t}\n", i+1, addr, 10*(i+1))
	}
	text += "\ttls_trust_pool file " + filepath.Join(r.dir, "ca.pem") + "\n"
	return text + "\thealth_check {\n\t\turl " + check + "\n\t}\n}\n"
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
		)
	}
	return list
}

func (r *rig) throughput(ctx context.Context) error {
	p, err := r.startPeers()
	if err != nil {
		return err
	}
	defer p.stop()
	var started []*variant
	for _, v := range r.variants(p) {
		if v.caddy, err = r.startCaddy(ctx, r.caddy, v.site); err != nil {
			fmt.Printf("%s is left out: %v\n\n", v.name, err)
			continue
		}
		defer v.caddy.stop()
		v.runs = make(map[string][]measurement)
		started = append(started, v)
	}
	if len(started) == 0 || started[0].name != tuned {
		return fmt.Errorf("there is nothing to compare with")
	}
	if err := wait(ctx, 2*time.Second); err != nil {
		return err
	}
	for _, v := range started {
		if v.idle, _, err = residentBytes(v.caddy.pid()); err != nil {
			return err
		}
	}
	rounds, warmUp, window := 5, 600*time.Millisecond, 1400*time.Millisecond
	if r.short {
		rounds, warmUp, window = 3, 300*time.Millisecond, 700*time.Millisecond
	}
	for round := range rounds {
		progress("throughput: round %d of %d", round+1, rounds)
		for _, w := range workloads {
			for i := range started {
				// Each round begins with another one.
				v := started[(i+round)%len(started)]
				m, err := measure(ctx, v.caddy, w, warmUp, window)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", v.name, w.name, err)
				}
				v.runs[w.name] = append(v.runs[w.name], m)
			}
		}
	}
	fmt.Printf("Reverse front, through one CONNECT proxy to a TLS origin that answers 300 bytes of JSON. Medians of %d interleaved rounds; CPU is that of the Caddy process; ratios are to %q.\n\n", rounds, tuned)
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

func measure(ctx context.Context, c *caddyProcess, w workload, warmUp, window time.Duration) (m measurement, err error) {
	ctx, cancel := context.WithTimeout(ctx, warmUp+window)
	defer cancel()
	l := load{addr: c.front, clients: w.clients, post: w.post}
	finished := make(chan []sample, 1)
	go func() { finished <- l.run(ctx) }()
	time.Sleep(warmUp)
	from := time.Now()
	cpuBefore, err := cpuTime(c.pid())
	if err != nil {
		return m, err
	}
	time.Sleep(window - time.Since(from) - 20*time.Millisecond)
	cpuAfter, err := cpuTime(c.pid())
	if err != nil {
		return m, err
	}
	to := time.Now()

	var took []time.Duration
	for _, s := range <-finished {
		switch {
		case s.end.Before(from) || s.end.After(to):
		case s.outcome != good:
			m.failed++
		default:
			took = append(took, s.took())
		}
	}
	if len(took) == 0 {
		return m, fmt.Errorf("no request was answered (%d failed)", m.failed)
	}
	slices.Sort(took)
	m.perSecond = float64(len(took)) / to.Sub(from).Seconds()
	m.p50, m.p99 = percentile(took, 0.50), percentile(took, 0.99)
	m.cpu = (cpuAfter - cpuBefore) / time.Duration(len(took))
	return m, nil
}

// medians of a variant's rounds, each figure for itself.
func medians(runs []measurement) (m measurement) {
	pick := func(figure func(measurement) float64) float64 {
		values := make([]float64, len(runs))
		for i, run := range runs {
			values[i] = figure(run)
		}
		return median(values)
	}
	m.perSecond = pick(func(m measurement) float64 { return m.perSecond })
	m.p50 = time.Duration(pick(func(m measurement) float64 { return float64(m.p50) }))
	m.p99 = time.Duration(pick(func(m measurement) float64 { return float64(m.p99) }))
	m.cpu = time.Duration(pick(func(m measurement) float64 { return float64(m.cpu) }))
	for _, run := range runs {
		m.failed += run.failed
	}
	return m
}

func printThroughput(w workload, started []*variant) {
	t := table{header: []string{w.name, "requests/s", "ratio", "p50", "p99", "p99 ratio", "CPU µs", "CPU ratio", "failed"}}
	base := medians(started[0].runs[w.name])
	var http1 measurement
	for _, v := range started {
		m := medians(v.runs[w.name])
		ratio, tail, cpu := m.perSecond/base.perSecond, float64(m.p99)/float64(base.p99), float64(m.cpu)/float64(base.cpu)
		ratios := []string{fmt.Sprintf("%.2f", ratio), fmt.Sprintf("%.2f", tail), fmt.Sprintf("%.2f", cpu)}
		switch v.name {
		case "proxy_pool":
			ratios[0] = against(ratios[0], ratio >= w.target, fmt.Sprintf("≥ %.2f", w.target))
			ratios[1] = against(ratios[1], tail <= 1, "≤ 1")
			ratios[2] = against(ratios[2], cpu <= 0.8, "≤ 0.8")
		case "proxy_pool, net/http origin":
			http1 = m
		case "proxy_pool, net/http origin, HTTP/2":
			if http1.perSecond > 0 {
				to := m.perSecond / http1.perSecond
				ratios[0] += "; " + against(fmt.Sprintf("%.2f of HTTP/1.1", to), to >= 1, "≥ 1")
			}
		}
		t.add(v.name, fmt.Sprintf("%.0f", m.perSecond), ratios[0], ms(m.p50), ms(m.p99), ratios[1],
			fmt.Sprintf("%.0f", float64(m.cpu)/float64(time.Microsecond)), ratios[2], m.failed)
	}
	t.write(os.Stdout)
}
