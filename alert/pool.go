package alert

import "iter"

// Pool is what the rules ask of a pool. Its methods are safe for concurrent use
// and quick: they look at what is known, and ask nobody.
type Pool interface {
	Name() string

	// Proxies are the pool's, by name, in the order of trying.
	Proxies() iter.Seq2[string, Proxy]
	Proxy(name string) (Proxy, bool)

	// Carrier is the proxy that the next request goes through, and its place;
	// empty where none is usable.
	Carrier() (name string, place int)

	// ChecksFailing reports whether health checks fail through every proxy while
	// traffic flows.
	ChecksFailing() bool

	// Unreachable lists the targets that no usable proxy gets through to, and
	// Reaches reports whether some proxy is known to get through to one.
	Unreachable() []string
	Reaches(target string) bool
}

// Proxy is what is known of one proxy now.
type Proxy struct {
	Type      string
	CostPerGB float64
	Place     int // in the order of trying
	Status    string
	Reason    string // of the status, may be empty
	Active    bool   // not disabled
	Uptime    float64
}

// StatusHealthy and StatusDown are those statuses that the rules know of. Any
// other is just another status to them.
const (
	StatusHealthy = "healthy"
	StatusDown    = "down"
)

// countOf counts the proxies of a pool.
func countOf(p Pool) Counts {
	var n Counts
	for _, proxy := range p.Proxies() {
		n.Add(proxy.Status, proxy.Active)
	}
	return n
}

// Add counts one proxy.
func (n *Counts) Add(status string, active bool) {
	if !active {
		n.Disabled++
		return
	}
	n.Total++
	switch status {
	case StatusHealthy:
		n.Healthy++
	case "degraded":
		n.Degraded++
	case StatusDown:
		n.Down++
	case "blocked":
		n.Blocked++
	}
}

// Event is a change of a proxy's status, as its pool tells of it.
type Event struct {
	Pool, Proxy string
	To          string
	Reason      string
}

// Edge is a change of the situation of a pool. Unlike alerts, edges are told
// each time, with no cooldown.
type Edge struct {
	Kind   Kind // KindPoolDown, KindPoolUp, KindTargetUnreachable, KindTargetReachable or KindChecksFailing
	Pool   string
	Target string
}
