package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// tunnels measures the forward front: what programs get that have HTTPS_PROXY
// set to Caddy.
func (r *rig) tunnels(ctx context.Context) error {
	if err := r.onItsHalf(ctx, "tunnels", r.tunnelRates); err != nil {
		return err
	}
	if r.caddyCPUs != 0 || ctx.Err() != nil {
		return ctx.Err() // the process on its half has done its work
	}
	if err := r.idleTunnels(ctx); err != nil {
		return fmt.Errorf("idle tunnels: %w", err)
	}
	if r.plain {
		return nil
	}
	return errors.Join(r.tunnelFailover(ctx), r.tunnelComeback(ctx))
}

// forwardSite is the forward front of a pool.
func forwardSite(pool string) site {
	return site{pool: pool, body: "proxy_pool_forward {\n\tallow *\n}\n"}
}

// front is something that takes CONNECT and goes through the upstream proxy.
type front struct {
	name string
	addr string
	pid  int // 0: no process of its own
	stop func()
	idle int64 // resident bytes before any load
	runs map[string][]measurement
}

// What the fronts are called in the tables.
const (
	straight = "straight to the upstream proxy"
	bare     = "bare Go relay"
	ourFront = "proxy_pool_forward"
)

// frontWarm is until what a front does at its start, such as a first check, is done.
const frontWarm = 2 * time.Second

// startFronts starts all that can be measured, and says which cannot. The first
// two are what the others are compared with.
func (r *rig) startFronts(ctx context.Context, p *peers) (fronts []*front, err error) {
	relay, err := r.startRelay(p.Proxy)
	if err != nil {
		return nil, err
	}
	fronts = []*front{
		{name: straight, addr: p.Proxy, stop: func() {}},
		{name: bare, addr: relay.Addr, pid: relay.pid(), stop: relay.child.stop},
	}
	if !r.plain {
		c, err := r.startCaddy(ctx, r.caddy, forwardSite(r.poolOf("https://"+p.Origin+checkPath, p.Proxy)))
		if err != nil {
			fmt.Printf("%s is left out: %v\n\n", ourFront, err)
		} else {
			fronts = append(fronts, &front{name: ourFront, addr: c.front, pid: c.pid(), stop: c.stop})
		}
	}
	fronts = append(fronts, r.startTools(ctx, p.Proxy)...)
	if err := wait(ctx, frontWarm); err != nil {
		return fronts, err
	}
	for _, f := range fronts {
		f.runs = make(map[string][]measurement)
		if f.pid == 0 {
			continue
		}
		if f.idle, _, err = residentBytes(f.pid); err != nil {
			return fronts, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return fronts, nil
}

func stopFronts(fronts []*front) {
	for _, f := range fronts {
		f.stop()
	}
}
