package alert

import "time"

// Version is that of the JSON form of an [Alert]. Keys may be added within a
// version; none is renamed or removed.
const Version = 1

// Kind says what an alert is about.
type Kind string

// The kinds.
const (
	KindStatusChanged     Kind = "status_changed"     // one proxy or a few, in Changes
	KindFlapping          Kind = "flapping"           // proxies that keep changing, in Changes
	KindBurst             Kind = "burst"              // many proxies began to change
	KindBurstOver         Kind = "burst_over"         // and have stopped
	KindPoolDown          Kind = "pool_down"          // a pool has no usable proxy any more
	KindPoolUp            Kind = "pool_up"            // and has one again
	KindTargetUnreachable Kind = "target_unreachable" // through every usable proxy
	KindTargetReachable   Kind = "target_reachable"   // and through some proxy again
	KindChecksFailing     Kind = "checks_failing"     // through every proxy, while traffic flows
	KindChecksPassing     Kind = "checks_passing"     // and do so no more
	KindTrafficAlert      Kind = "traffic_alert"      // a multiple of traffic_alert was passed
	KindBudget            Kind = "budget"             // a share of a budget was used
	KindDailyReport       Kind = "daily_report"
	KindTest              Kind = "test"
)

// Priority says how loud an alert is.
type Priority string

// The priorities.
const (
	High   Priority = "high"   // somebody must act
	Normal Priority = "normal" // we coped
	Low    Priority = "low"    // good to know; delivered silently
)

// MaxNamed is how many proxies an alert names; the rest is counted.
const MaxNamed = 20

// Alert is one thing that the admin is told. It is stored and handed to webhooks
// as JSON in this form, and rendered to text only when it is delivered. Which
// fields are set depends on the kind. It holds no secret.
type Alert struct {
	Version  int       `json:"version"`
	ID       int64     `json:"id,string"` // the same each time a delivery is tried; rises with time
	Kind     Kind      `json:"kind"`
	Priority Priority  `json:"priority"`
	Time     time.Time `json:"time"` // when it was raised, in UTC
	Pool     string    `json:"pool,omitempty"`

	// Pools are those that share a fate, where they are many at once: at most
	// MaxNamed of them, in place of Pool; More is how many others there are.
	Pools []string `json:"pools,omitempty"`

	// Changes are the proxies that changed, at most MaxNamed of them, those that
	// went down first; More is how many others did.
	Changes []Change `json:"changes,omitempty"`
	More    int      `json:"more,omitempty"`

	// Carrier is the proxy that carries the pool's traffic now, empty where none
	// is usable. Switched says that one that would be tried before it is among
	// Changes, and went down: the traffic moved over.
	Carrier  string `json:"carrier,omitempty"`
	Switched bool   `json:"switched,omitempty"`

	Counts  *Counts `json:"counts,omitempty"`  // of the pool, or of all pools in a report
	Seconds int64   `json:"seconds,omitempty"` // how long it lasted: a burst, flapping, being down or unreachable

	// Targets are those that an alert is about, as "host:port", at most MaxNamed of
	// them; More is how many others there are.
	Targets []string `json:"targets,omitempty"`

	Budget *Budget `json:"budget,omitempty"` // also of a traffic alert
	Report *Report `json:"report,omitempty"`
}

// Change is a proxy that changed its status.
type Change struct {
	Proxy     string  `json:"proxy"`
	Type      string  `json:"type"` // vps, datacenter, residential or other
	CostPerGB float64 `json:"cost_per_gb"`
	Uptime    float64 `json:"uptime"` // percent, since the statistics were last reset
	From      string  `json:"from"`   // the status that was told before
	To        string  `json:"to"`     // down, blocked, degraded or healthy
	Reason    string  `json:"reason,omitempty"`
	Times     int     `json:"times,omitempty"` // how often it changed; 0 where once
}

// Counts are the active proxies by status, each counted once, and the others.
type Counts struct {
	Total    int `json:"total"`
	Healthy  int `json:"healthy"`
	Degraded int `json:"degraded"`
	Down     int `json:"down"`
	Blocked  int `json:"blocked"`
	Disabled int `json:"disabled"`
}

// Budget is what was used of a proxy's budget, or of the traffic that a traffic
// alert is about. Amounts are US dollars and bytes, both ways and checks included.
type Budget struct {
	Proxy     string     `json:"proxy"`
	Type      string     `json:"type"`
	CostPerGB float64    `json:"cost_per_gb"`
	Bytes     int64      `json:"bytes"`    // used in the period
	CostUSD   float64    `json:"cost_usd"` // the same
	Percent   int        `json:"percent,omitempty"`
	LimitUSD  float64    `json:"limit_usd,omitempty"`   // of a budget in dollars
	Limit     int64      `json:"limit_bytes,omitempty"` // of a budget in bytes; of a traffic alert the multiple that was passed
	Per       string     `json:"per"`                   // day, month or total
	Hard      bool       `json:"hard,omitempty"`        // it is used no more once the budget is spent
	Until     *time.Time `json:"until,omitempty"`       // the end of the period, absent where it has none
}

// Report is what happened between two times.
type Report struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Requests int64     `json:"requests"` // attempts
	Failed   int64     `json:"failed"`
	Bytes    int64     `json:"bytes"`
	CostUSD  float64   `json:"cost_usd"`
	SavedUSD float64   `json:"saved_usd"`     // against the dearest proxy of each pool
	Top      *Top      `json:"top,omitempty"` // absent where nothing was carried
}

// Top is the proxy that did best: of those with at least a tenth of all attempts
// the one whose attempts succeeded most, and among those alike the one with the
// most of them.
type Top struct {
	Pool     string  `json:"pool"`
	Proxy    string  `json:"proxy"`
	Uptime   float64 `json:"uptime"` // percent of its attempts
	Requests int64   `json:"requests"`
}
