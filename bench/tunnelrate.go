package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"time"
)

// tunnelWork is what clients do with tunnels.
type tunnelWork struct {
	name       string
	bulk       bool // samples are chunks
	toBare     float64
	toStraight float64 // more than this; 0: no aim
	through    func(proxy string) generator
}

func tunnelWorks(p *peers, config *tls.Config) []tunnelWork {
	requests := func(target string, config *tls.Config, fresh bool) func(string) generator {
		return func(proxy string) generator {
			return &load{addr: target, clients: loadClients, fresh: fresh, dial: passage{proxy, target, config}.dial}
		}
	}
	moving := func(upload bool) func(string) generator {
		return func(proxy string) generator { return &bulk{proxy: proxy, tunnels: 4, upload: upload} }
	}
	// The aims against a client that goes straight to the upstream proxy are the
	// best that other programs reach: Squid, Squid and HAProxy.
	return []tunnelWork{
		{"download through 4 tunnels", true, 0.95, 0, moving(false)},
		{"upload through 4 tunnels", true, 0.95, 0, moving(true)},
		{"16 standing tunnels, HTTPS requests", false, 0.95, 0.84, requests(p.Origin, config, false)},
		{"16 clients, a new tunnel for each HTTPS request", false, 0.9, 0.98, requests(p.Origin, config, true)},
		{"16 clients, a new tunnel for each HTTP request", false, 0.9, 0.68, requests(p.PlainOrigin, nil, true)},
	}
}

// tunnelRates compares the fronts in windows that take turns.
func (r *rig) tunnelRates(ctx context.Context) error {
	p, err := r.startPeers()
	if err != nil {
		return err
	}
	defer p.stop()
	config, err := r.clientTLS()
	if err != nil {
		return err
	}
	fronts, err := r.startFronts(ctx, p)
	defer func() { stopFronts(fronts) }()
	if err != nil {
		return err
	}
	works := tunnelWorks(p, config)
	// Many short windows rather than few long ones: what they are compared with is
	// then nearer in time.
	rounds := 7
	t := meter{warmUp: 300 * time.Millisecond, window: 500 * time.Millisecond, ours: []int{os.Getpid(), p.pid()}}
	t.repeats = rounds * len(works) * len(fronts) / 4
	if r.short {
		rounds, t.warmUp, t.window, t.repeats = 3, 150*time.Millisecond, 300*time.Millisecond, 0
	}
	for round := range rounds {
		progress("tunnels: round %d of %d", round+1, rounds)
		for _, w := range works {
			for i := range fronts {
				// Each round begins with another one.
				f := fronts[(i+round)%len(fronts)]
				m, err := t.measure(ctx, f.pid, w.through(f.addr))
				if err != nil {
					return fmt.Errorf("%s, %s: %w", f.name, w.name, err)
				}
				f.runs[w.name] = append(f.runs[w.name], m)
			}
		}
	}
	fmt.Printf("Forward front: CONNECT to a front, which goes through one CONNECT proxy, to a TLS origin that answers 300 bytes of JSON, and in bulk to the proxy itself. Medians of %d interleaved rounds; CPU is that of the front's process; ratios are medians of those in the same round. Other programs took %.0f %% of the machine.\n\n",
		rounds, 100*median(t.foreign))
	for _, w := range works {
		w.print(fronts)
	}
	return printFrontMemory(fronts)
}

func (w tunnelWork) print(fronts []*front) {
	t := table{header: []string{w.name, "requests/s", "to straight", "to bare", "CPU µs", "CPU to bare", "failed", "p50", "p99"}}
	if w.bulk {
		t.header = t.header[:7]
		t.header[1], t.header[4] = "MiB/s", "CPU ms/GiB"
	}
	toStraight, toBare := fronts[0].runs[w.name], fronts[1].runs[w.name]
	for _, f := range fronts {
		runs := f.runs[w.name]
		rate, used := medianOf(runs, perSecond), medianOf(runs, cpu)/1e3
		if w.bulk {
			rate *= float64(chunk) / (1 << 20)
			used *= float64(1<<30) / chunk / 1e3
		}
		first, second := ratioOf(runs, toStraight, perSecond), ratioOf(runs, toBare, perSecond)
		ratios := [2]string{fmt.Sprintf("%.2f", first), fmt.Sprintf("%.2f", second)}
		if f.name == ourFront {
			if w.toStraight > 0 {
				ratios[0] = against(ratios[0], first > w.toStraight, fmt.Sprintf("> %.2f", w.toStraight))
			}
			ratios[1] = against(ratios[1], second >= w.toBare, fmt.Sprintf("≥ %.2f", w.toBare))
		}
		work, workRatio := "", ""
		if f.pid != 0 {
			work, workRatio = fmt.Sprintf("%.0f", used), fmt.Sprintf("%.2f", ratioOf(runs, toBare, cpu))
		}
		failed := 0
		for _, run := range runs {
			failed += run.failed
		}
		row := []any{f.name, fmt.Sprintf("%.0f", rate), ratios[0], ratios[1], work, workRatio, failed}
		if !w.bulk {
			row = append(row, ms(time.Duration(medianOf(runs, p50))), ms(time.Duration(medianOf(runs, p99))))
		}
		t.add(row...)
	}
	t.write(os.Stdout)
}

func printFrontMemory(fronts []*front) error {
	t := table{header: []string{"resident memory", "idle", "after load"}}
	for _, f := range fronts {
		if f.pid == 0 {
			continue
		}
		after, _, err := residentBytes(f.pid)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		t.add(f.name, mib(f.idle), mib(after))
	}
	t.write(os.Stdout)
	return nil
}
