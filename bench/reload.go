package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// footprint is what must not grow with reloads.
type footprint struct {
	goroutines, files, tunnels int
}

func (f footprint) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %d tunnels", f.goroutines, f.files, f.tunnels)
}

// reload changes the configuration 20 times under load, for the module and for
// Caddy's own reverse_proxy: keep-alive connections of clients that a reload
// of Caddy closes between two requests are Caddy's, and every client repeats
// those requests.
func (r *rig) reload(ctx context.Context) error {
	t := table{header: []string{"20 reloads under load", "requests", "failed", "repeated by the client", "before", "after", "left behind"}}
	for _, plain := range []bool{false, true} {
		if r.plain && !plain {
			continue
		}
		name := "proxy_pool"
		one := *r
		if one.plain = plain; plain {
			name = "Caddy's reverse_proxy"
		}
		progress("reload: %s", name)
		for _, post := range []int{0, 1024} {
			row, err := one.reloadRow(ctx, post)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			method := "GET"
			if post > 0 {
				method = "POST"
			}
			t.add(append([]any{name + ", " + method}, row...)...)
		}
	}
	t.write(os.Stdout)
	return nil
}

func (r *rig) reloadRow(ctx context.Context, post int) ([]any, error) {
	s, err := r.newScene(ctx, 5*time.Millisecond)
	if err != nil {
		return nil, err
	}
	defer s.stop()

	// The same load once without a reload, for connections that it leaves.
	warmUp, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	(&load{addr: s.caddy.front, clients: loadClients, post: post, timeout: clientTimeout}).run(warmUp)
	before, err := s.settledFootprint(ctx)
	if err != nil {
		return nil, err
	}

	l := load{addr: s.caddy.front, clients: loadClients, post: post, timeout: clientTimeout, retry: true}
	underLoad, stop := context.WithCancel(ctx)
	defer stop()
	finished := make(chan []sample, 1)
	go func() { finished <- l.run(underLoad) }()
	for i := range 20 {
		if err := wait(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
		next := s.site
		// A comment would not do: what is not changed Caddy does not load.
		if next.pool != "" {
			next.pool = strings.Replace(next.pool, "health_check {", fmt.Sprintf("max_failures %d\n\thealth_check {", 3+i%2), 1)
		} else {
			next.body = fmt.Sprintf("vars reload %d\n%s", i, next.body)
		}
		if err := s.caddy.load(ctx, next); err != nil {
			return nil, err
		}
	}
	_ = wait(ctx, 500*time.Millisecond)
	stop()
	samples := <-finished
	v := judge(samples, time.Now(), time.Time{})
	after, err := s.settledFootprint(ctx)
	if err != nil {
		return nil, err
	}
	// Goroutines and files that belong to standing tunnels are not left behind:
	// each has a socket and at most four goroutines.
	more := max(0, after.tunnels-before.tunnels)
	clean := after.goroutines <= before.goroutines+4*more && after.files <= before.files+more
	left := fmt.Sprintf("%+d goroutines, %+d files", after.goroutines-before.goroutines, after.files-before.files)
	failed := v.failed + v.brokenOff
	return []any{len(samples), against(strings.TrimSpace(fmt.Sprint(failed, " ", v.kinds)), failed == 0, "0"), l.retried.Load(), before, after, against(left, clean, "none but for new tunnels")}, nil
}

// settledFootprint looks again until two looks agree, for ten seconds.
func (s *scene) settledFootprint(ctx context.Context) (f footprint, err error) {
	for range 10 {
		last := f
		if err := wait(ctx, time.Second); err != nil {
			return f, err
		}
		if f.goroutines, err = s.caddy.goroutines(ctx); err != nil {
			return f, err
		}
		if f.files, err = openFiles(s.caddy.pid()); err != nil {
			return f, err
		}
		if f.tunnels = s.tunnels(s.proxies); f == last {
			break
		}
	}
	return f, nil
}
