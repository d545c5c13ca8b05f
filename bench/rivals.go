package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// rival is something that people put between their programs and several proxies.
type rival struct {
	name    string
	connect bool // its clients send CONNECT, and keep their tunnels as long as these stand
	start   func(ctx context.Context, r *rig, s *scene) (addr string, stop func(), err error)
}

// rivalRun is a way in which the first proxy breaks under rivals, what they
// are asked for meanwhile, and for how long.
type rivalRun struct {
	mode  mode
	post  bool
	lasts time.Duration
}

var rivalRuns = []rivalRun{
	{modeRefuse, false, 7 * time.Second},
	{modeReset, false, 7 * time.Second},
	{modeHang, false, silentFor},
	{modeRefuse, true, 7 * time.Second},
}

func (b rivalRun) String() string {
	if b.post {
		return b.mode.String() + ", POST"
	}
	return b.mode.String()
}

// rivals lets the first of five proxies break under everything that can be used
// in place of the module. What can be had is Caddy itself, and programs that are
// installed.
func (r *rig) rivals(ctx context.Context) error {
	fmt.Printf("Five CONNECT proxies, a TLS origin that answers in %v, %d clients with a timeout of %v. After %v the first proxy breaks for %v, and where it is silent for %v.\n"+
		"Each cell: requests that failed, answers broken off included · the longest time without a good answer. Of a POST also how many came to the origin twice.\n\n",
		originDelay, loadClients, clientTimeout, healthyFor, rivalRuns[0].lasts, silentFor)
	t := table{header: []string{""}}
	for _, b := range rivalRuns {
		t.header = append(t.header, b.String())
	}
	for _, one := range rivals {
		progress("rivals: %s", one.name)
		if one.connect && one.name != ourFront {
			if _, err := exec.LookPath(one.name); err != nil {
				fmt.Printf("%s is not installed, and left out.\n\n", one.name)
				continue
			}
		}
		row, err := r.breakUnder(ctx, one)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		t.add(row...)
	}
	t.write(os.Stdout)
	return nil
}

// breakUnder makes all runs of a rival, two at a time, which leave most of the
// machine idle.
func (r *rig) breakUnder(ctx context.Context, one rival) ([]any, error) {
	row := make([]any, len(rivalRuns)+1)
	row[0] = one.name
	failed := make([]error, len(rivalRuns))
	places := make(chan struct{}, 2)
	var all sync.WaitGroup
	for i, b := range rivalRuns {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			row[i+1], failed[i] = r.breakOnce(ctx, one, b)
		})
	}
	all.Wait()
	return row, errors.Join(failed...)
}

// breakOnce makes one run, and returns its cell.
func (r *rig) breakOnce(ctx context.Context, one rival, b rivalRun) (cell string, err error) {
	s, err := r.setStage(originDelay)
	if err != nil {
		return "", err
	}
	defer s.stop()
	addr, stop, err := one.start(ctx, r, s)
	if err != nil {
		return "", err
	}
	defer stop()
	l := &load{addr: addr, clients: loadClients, timeout: clientTimeout}
	if one.connect {
		config, err := r.clientTLS()
		if err != nil {
			return "", err
		}
		l.addr, l.dial = s.origin.addr(), passage{addr, s.origin.addr(), config}.dial
	}
	if b.post {
		l.post, l.ids = 1024, true
	}
	ctx, cancel := context.WithTimeout(ctx, healthyFor+b.lasts)
	defer cancel()
	finished := make(chan []sample, 1)
	go func() { finished <- l.run(ctx) }()
	if err := wait(ctx, healthyFor); err != nil {
		return "", err
	}
	if s.proxies[0].requests.Load() == 0 {
		return "", errors.New("the first proxy carried nothing while it worked")
	}
	brokenAt := time.Now()
	if err := s.proxies[0].set(b.mode); err != nil {
		return "", err
	}
	v := judge(<-finished, brokenAt, time.Time{})
	cell = fmt.Sprintf("%d · %s", v.failed+v.brokenOff, ms(v.gap))
	if v.gap > b.lasts-time.Second {
		cell = fmt.Sprintf("%d · never recovers", v.failed+v.brokenOff)
	}
	if b.post {
		cell += fmt.Sprintf(" · %d twice", s.origin.duplicates())
	}
	return cell, nil
}
