package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// tunnelFailure is a way in which the first proxy fails while tunnels are opened
// through it, and the longest that opening one may take then. A silent proxy is
// waited for until the next one's connect is started, 250 ms for proxies that are
// usually quick, 2 s where the next one costs money.
type tunnelFailure struct {
	mode    mode
	price   int // of all proxies but the first, in dollars for a gigabyte
	longest time.Duration
}

var tunnelFailures = []tunnelFailure{
	{modeRefuse, 0, 100 * time.Millisecond},
	{modeReset, 0, 100 * time.Millisecond},
	{mode407, 0, 100 * time.Millisecond},
	{mode502, 0, 100 * time.Millisecond},
	{mode403, 0, 100 * time.Millisecond},
	{modeHang, 0, 350 * time.Millisecond},
	{modeHang, 12, 2100 * time.Millisecond},
}

func (f tunnelFailure) String() string {
	if f.price > 0 {
		return f.mode.String() + ", all others metered"
	}
	return f.mode.String()
}

// tunnelFailover breaks the first of five proxies in each way.
func (r *rig) tunnelFailover(ctx context.Context) error {
	fmt.Printf("Five proxies, an origin that answers in %v, %d clients with a timeout of %v that open a tunnel for each HTTPS request. The first proxy turns into one that …\n"+
		"At that moment these clients stop after their request under way, which may be cut together with the proxy, and %d others begin.\n\n",
		originDelay, loadClients, clientTimeout, loadClients)
	t := table{header: []string{"the first proxy", "tunnels", "failed", "cut with the proxy", "opening before: p50", "p99", "after: p99", "over 100 ms", "longest", "out of use after", "the machine itself stood still for"}}
	repeats := 3
	for _, f := range tunnelFailures {
		if !r.wanted(f.mode) {
			continue
		}
		progress("tunnels: %s", f)
		for {
			watch := watchStalls()
			row, err := r.failTunnels(ctx, f)
			stall := watch()
			if err != nil {
				return fmt.Errorf("%s: %w", f, err)
			}
			if stall <= disturbedStall || repeats == 0 || r.short {
				t.add(append(row, ms(stall))...)
				break
			}
			repeats--
			progress("tunnels: again, for the machine stood still for %v", stall)
		}
	}
	if t.rows != nil {
		t.write(os.Stdout)
	}
	return nil
}

// tunnelScene has the forward front, and a price on all proxies but the first.
func (r *rig) tunnelScene(ctx context.Context, price int) (*scene, error) {
	return r.setScene(ctx, originDelay, func(origin string, proxies []string) site {
		return forwardSite(r.poolWithPrice(price, "https://"+origin+checkPath, proxies...))
	})
}

// tunnelLoad opens a tunnel for each request.
func (r *rig) tunnelLoad(s *scene) (*load, error) {
	config, err := r.clientTLS()
	if err != nil {
		return nil, err
	}
	target := s.origin.addr()
	return &load{addr: target, clients: loadClients, timeout: clientTimeout, fresh: true, dial: passage{s.caddy.front, target, config}.dial}, nil
}

// failTunnels makes one run and returns its row.
func (r *rig) failTunnels(ctx context.Context, f tunnelFailure) ([]any, error) {
	s, err := r.tunnelScene(ctx, f.price)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	healthy, after := healthyFor, 6*time.Second
	if f.mode.freezes() {
		after = 18 * time.Second // it takes connect timeouts to find it down
	}
	if r.short {
		healthy, after = time.Second, after/6
	}
	l, err := r.tunnelLoad(s)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, healthy+after)
	defer cancel()
	working, breakOff := context.WithCancel(ctx)
	defer breakOff()
	finished := make(chan []sample, 2)
	go func() { finished <- l.run(working) }()
	if err := wait(ctx, healthy); err != nil {
		return nil, err
	}
	if s.proxies[0].requests.Load() == 0 {
		return nil, fmt.Errorf("the first proxy carried nothing while it worked")
	}
	if err := s.proxies[0].set(f.mode); err != nil {
		return nil, err
	}
	brokenAt := time.Now()
	breakOff()
	go func() { finished <- l.run(ctx) }()
	out := fmt.Sprintf("not within %v", after)
	if outAt := r.awaitOutOfUse(ctx, s.caddy); !outAt.IsZero() {
		out = ms(outAt.Sub(brokenAt))
	}
	v := judgeTunnels(append(<-finished, <-finished...), brokenAt)
	return []any{
		f, v.asked, against(strings.TrimSpace(fmt.Sprint(v.failed, " ", v.kinds)), v.failed == 0, "0"), v.cut,
		ms(percentile(v.before, 0.5)), ms(percentile(v.before, 0.99)), ms(percentile(v.after, 0.99)), v.over(100 * time.Millisecond),
		against(ms(v.longest()), v.longest() <= f.longest, "≤ "+f.longest.String()), out,
	}, nil
}

// tunnelVerdict is what clients saw that open a tunnel for each request.
type tunnelVerdict struct {
	asked, failed int
	kinds         string          // the failed ones by kind
	cut           int             // began before the first proxy broke, and stood
	before, after []time.Duration // until the tunnel stood, sorted
}

// longest is from the moment on in which the proxy broke.
func (v tunnelVerdict) longest() time.Duration { return percentile(v.after, 1) }

// over is how many took longer from that moment on.
func (v tunnelVerdict) over(d time.Duration) int {
	first, _ := slices.BinarySearch(v.after, d+1)
	return len(v.after) - first
}

func judgeTunnels(samples []sample, brokenAt time.Time) tunnelVerdict {
	v := tunnelVerdict{asked: len(samples)}
	var blamed []sample
	for _, s := range samples {
		opened := s.stood
		switch {
		case s.outcome == good:
		case s.start.Before(brokenAt) && !s.stood.IsZero():
			v.cut++
		default:
			if s.outcome == broken {
				s.outcome = cutOff // a tunnel that ends too early is one
			}
			blamed = append(blamed, s)
		}
		if opened.IsZero() {
			opened = s.end
		}
		if opened.Before(brokenAt) {
			v.before = append(v.before, opened.Sub(s.start))
		} else {
			v.after = append(v.after, opened.Sub(s.start))
		}
	}
	slices.Sort(v.before)
	slices.Sort(v.after)
	of := judge(blamed, brokenAt, time.Time{})
	v.failed, v.kinds = len(blamed), of.kinds
	return v
}

// tunnelComeback lets the first proxy be away for a short while.
func (r *rig) tunnelComeback(ctx context.Context) error {
	s, err := r.tunnelScene(ctx, 0)
	if err != nil {
		return err
	}
	defer s.stop()
	l, err := r.tunnelLoad(s)
	if err != nil {
		return err
	}
	return s.comeBack(ctx, l, 7*time.Second)
}
