package alert

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakePool is a pool whose proxies are as they are told to be.
type fakePool struct {
	name string

	mu          sync.Mutex
	order       []string
	proxies     map[string]Proxy
	failing     bool
	unreachable []string
	reached     map[string]bool
}

func newFakePool(name string, proxies ...string) *fakePool {
	p := &fakePool{name: name, order: proxies, proxies: make(map[string]Proxy), reached: make(map[string]bool)}
	for i, proxy := range proxies {
		p.proxies[proxy] = Proxy{Type: "vps", Place: i, Status: StatusHealthy, Active: true, Uptime: 100}
	}
	return p
}

// numbered are proxies P1, P2 and so on.
func numbered(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("P%d", i+1))
	}
	return names
}

func (p *fakePool) Name() string { return p.name }

func (p *fakePool) Proxies() iter.Seq2[string, Proxy] {
	p.mu.Lock()
	proxies := maps.Clone(p.proxies)
	p.mu.Unlock()
	return func(yield func(string, Proxy) bool) {
		for _, name := range p.order {
			if proxy, ok := proxies[name]; ok && !yield(name, proxy) {
				return
			}
		}
	}
}

func (p *fakePool) Proxy(name string) (Proxy, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	proxy, ok := p.proxies[name]
	return proxy, ok
}

func (p *fakePool) Carrier() (string, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, name := range p.order {
		if proxy, ok := p.proxies[name]; ok && proxy.Active && proxy.Status != StatusDown {
			return name, i
		}
	}
	return "", 0
}

func (p *fakePool) ChecksFailing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failing
}

func (p *fakePool) Unreachable() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.unreachable)
}

func (p *fakePool) Reaches(target string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reached[target]
}

// set changes the status of a proxy, and returns what the pool tells of it.
func (p *fakePool) set(name, status, reason string) Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	proxy := p.proxies[name]
	proxy.Status, proxy.Reason = status, reason
	p.proxies[name] = proxy
	return Event{Pool: p.name, Proxy: name, To: status, Reason: reason}
}

// change changes something else.
func (p *fakePool) change(f func(*fakePool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

func (p *fakePool) disable(name string, disabled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	proxy := p.proxies[name]
	proxy.Active = !disabled
	p.proxies[name] = proxy
}

// short is an alert in a line.
func short(a *Alert) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", a.Kind, a.Priority)
	for _, c := range a.Changes {
		fmt.Fprintf(&b, " %s:%s-%s", c.Proxy, c.From, c.To)
		if c.Times > 0 {
			fmt.Fprintf(&b, "*%d", c.Times)
		}
	}
	if len(a.Pools) > 0 {
		fmt.Fprintf(&b, " %d pools", len(a.Pools))
	}
	if a.More > 0 {
		fmt.Fprintf(&b, " +%d", a.More)
	}
	for _, target := range a.Targets {
		b.WriteString(" " + target)
	}
	switch {
	case a.Switched:
		b.WriteString(" switched to " + a.Carrier)
	case a.Carrier != "":
		b.WriteString(" via " + a.Carrier)
	}
	if a.Seconds > 0 {
		fmt.Fprintf(&b, " %ds", a.Seconds)
	}
	return b.String()
}

// ruled is a set of rules with a clock of its own.
type ruled struct {
	*testing.T
	*rules
	pool     *fakePool
	cooldown time.Duration
	now      time.Time
	start    time.Time
	told     []string
	edges    []string
	deaf     bool // nobody is told
}

func newRuled(t *testing.T, proxies ...string) *ruled {
	start := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	return &ruled{
		T: t, rules: newRules(), pool: newFakePool("main", proxies...),
		cooldown: 15 * time.Minute, now: start, start: start,
	}
}

// set changes a proxy as its pool would.
func (r *ruled) set(name, status string) { r.event(r.now, r.pool.set(name, status, "test")) }

// pass lets time pass, with a look each quarter of a second, and each second once
// nothing is due.
func (r *ruled) pass(d time.Duration) {
	begin := r.now
	for end := r.now.Add(d); r.now.Before(end); {
		step := time.Second
		if r.now.Sub(begin) < time.Second {
			step = 250 * time.Millisecond
		}
		r.now = r.now.Add(min(step, end.Sub(r.now)))
		r.look()
	}
}

func (r *ruled) look() {
	alerts, edges := r.rules.look(r.now, r.pool, r.cooldown, !r.deaf)
	for _, a := range alerts {
		r.told = append(r.told, fmt.Sprintf("%s %s", r.now.Sub(r.start), short(a)))
	}
	for _, e := range edges {
		r.edges = append(r.edges, strings.TrimSpace(fmt.Sprintf("%s %s", e.Kind, e.Target)))
	}
}

// want compares what was told since the last time, each with the time since the
// start.
func (r *ruled) want(want ...string) {
	r.Helper()
	if diff := cmp.Diff(want, r.told); diff != "" {
		r.Errorf("told (-want +got):\n%s", diff)
	}
	r.told = nil
}
