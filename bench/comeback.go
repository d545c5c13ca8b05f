package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

func (r *rig) comeBack(ctx context.Context) error {
	s, err := r.newScene(ctx, originDelay)
	if err != nil {
		return err
	}
	defer s.stop()
	return s.comeBack(ctx, &load{addr: s.caddy.front, clients: loadClients, timeout: clientTimeout}, 16*time.Second)
}

// comeBack lets the first proxy be away for a short while, and watches what
// happens after it.
func (s *scene) comeBack(ctx context.Context, l *load, after time.Duration) error {
	const outage = 3 * time.Second
	ctx, cancel := context.WithTimeout(ctx, healthyFor+outage+after)
	defer cancel()
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
	failed, kinds, cut := countFailed(<-finished, l, brokenAt)

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
	if l.fresh {
		t.add("tunnels that stood, cut with the first proxy", cut)
	}
	t.add("failed requests in the whole run", against(strings.TrimSpace(fmt.Sprint(failed, " ", kinds)), failed == 0, "0"))
	t.write(os.Stdout)
	return nil
}

// countFailed leaves out what no front can save: tunnels that the client had when
// the proxy broke.
func countFailed(samples []sample, l *load, brokenAt time.Time) (failed int, kinds string, cut int) {
	if !l.fresh {
		v := judge(samples, brokenAt, time.Time{})
		return v.failed, v.kinds, 0
	}
	v := judgeTunnels(samples, brokenAt)
	return v.failed, v.kinds, v.cut
}
