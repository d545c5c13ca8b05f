package proxypool

import (
	"iter"
	"time"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/pool"
)

// watched is a pool as the alerts see it.
type watched struct {
	*livePool
	byName map[string]*pool.Proxy
}

func newWatched(p *livePool) *watched {
	w := &watched{livePool: p, byName: make(map[string]*pool.Proxy)}
	for _, proxy := range p.Pool.Proxies() {
		w.byName[proxy.Name] = proxy
	}
	return w
}

// Name implements [alert.Pool], as do the others.
func (w *watched) Name() string { return w.Pool.Name }

// Proxies are the pool's.
func (w *watched) Proxies() iter.Seq2[string, alert.Proxy] {
	return func(yield func(string, alert.Proxy) bool) {
		for _, p := range w.Pool.Proxies() {
			if !yield(p.Name, seen(p)) {
				return
			}
		}
	}
}

// Proxy is the one of a name.
func (w *watched) Proxy(name string) (alert.Proxy, bool) {
	p, ok := w.byName[name]
	if !ok {
		return alert.Proxy{}, false
	}
	return seen(p), true
}

// Carrier is the proxy that the next request goes through.
func (w *watched) Carrier() (name string, place int) {
	if p := w.Pool.Carrier(time.Now()); p != nil {
		return p.Name, p.Place()
	}
	return "", 0
}

// seen is a proxy as the alerts see it.
func seen(p *pool.Proxy) alert.Proxy {
	row := p.Snapshot()
	return alert.Proxy{
		Type: string(p.Type), CostPerGB: p.CostPerGB, Place: p.Place(),
		Status: string(row.Status), Reason: row.Reason, Active: row.Active, Uptime: row.Uptime,
	}
}

// Interface guard
var _ alert.Pool = (*watched)(nil)
