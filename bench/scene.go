package main

import (
	"context"
	"time"
)

// scene is Caddy with five proxies, which can fail, before an origin that
// answers in a while. Origin and proxies live in this process, so that they
// can be told to change and asked what they saw.
type scene struct {
	origin  *origin
	proxies []*proxy
	caddy   *caddyProcess
	site    site
}

func (r *rig) newScene(ctx context.Context, delay time.Duration) (*scene, error) {
	return r.newSceneWith(ctx, delay, "")
}

// newSceneWith has more options beside the pool.
func (r *rig) newSceneWith(ctx context.Context, delay time.Duration, options string) (*scene, error) {
	return r.setScene(ctx, delay, func(origin string, proxies []string) site {
		if r.plain {
			return r.reverseProxy(origin, proxies[0], "")
		}
		return site{pool: r.poolOf("https://"+origin+checkPath, proxies...), body: "proxy_pool https://" + origin + "\n", options: options}
	})
}

// setScene has Caddy with the site that is made for the origin and the proxies.
func (r *rig) setScene(ctx context.Context, delay time.Duration, siteFor func(origin string, proxies []string) site) (*scene, error) {
	s, err := r.setStage(delay)
	if err != nil {
		return nil, err
	}
	s.site = siteFor(s.origin.addr(), s.addrs())
	if s.caddy, err = r.startCaddy(ctx, r.caddy, s.site); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// setStage is a scene without Caddy.
func (r *rig) setStage(delay time.Duration) (*scene, error) {
	config, err := serverTLS(r.dir, "http/1.1")
	if err != nil {
		return nil, err
	}
	s := &scene{}
	if s.origin, err = startOrigin(config, delay); err != nil {
		return nil, err
	}
	for range 5 {
		p, err := startProxy()
		if err != nil {
			s.stop()
			return nil, err
		}
		s.proxies = append(s.proxies, p)
	}
	s.origin.setCarrier(func(remote string) *tunnel {
		for _, p := range s.proxies {
			if t := p.find(remote); t != nil {
				return t
			}
		}
		return nil
	})
	return s, nil
}

// addrs are those of the proxies.
func (s *scene) addrs() (addrs []string) {
	for _, p := range s.proxies {
		addrs = append(addrs, p.addr)
	}
	return addrs
}

func (s *scene) stop() {
	if s.caddy != nil {
		s.caddy.stop()
	}
	for _, p := range s.proxies {
		p.close()
	}
	s.origin.close()
}

// tunnels is how many stand at all proxies but the first.
func (s *scene) tunnels(proxies []*proxy) (n int) {
	for _, p := range proxies {
		n += p.standing()
	}
	return n
}
