package alert

import (
	"cmp"
	"slices"
	"time"
)

const (
	// How long what is new is gathered before it is told: proxies that die
	// together are told of together, and by then the pool has moved on to the
	// next one, which the message names.
	gatherFor = 750 * time.Millisecond
	// How many targets of a pool are followed.
	maxFollowed = 256
	// How many proxies of a pool are remembered that are configured no more.
	maxLeft = 256
)

// The states of a pool, of its checks, and of a target.
const (
	stateUp, stateDown               = "up", "down"
	statePassing, stateFailing       = "passing", "failing"
	stateReachable, stateUnreachable = "reachable", "unreachable"
)

// rules decide what the admin is told of one pool. They are plain Go: time is an
// argument, and what they know is in them. What is exported is stored.
type rules struct {
	Proxies map[string]*topic `json:"proxies,omitempty"`
	Targets map[string]*topic `json:"targets,omitempty"`
	Usable  *topic            `json:"usable"`
	Checks  *topic            `json:"checks"`
	Burst   *burst            `json:"burst,omitempty"`

	gathered time.Time // when what is new may be told; zero where nothing is
	singles  []single  // proxies that were told of lately, one by one
	goesOn   time.Time // until when what changes is a burst: the last one was told of as over for its length
	crowd    crowd     // of alerts
	dirty    bool      // something was told that is not stored
	stale    bool      // what is stored lacks less than that, such as how often something changed
}

func newRules() *rules {
	return &rules{
		Proxies: make(map[string]*topic), Targets: make(map[string]*topic),
		Usable: newTopic(stateUp), Checks: newTopic(statePassing),
	}
}

// proxy is the topic of a proxy's status.
func (r *rules) proxy(name string) *topic {
	t, ok := r.Proxies[name]
	if !ok {
		t = newTopic(StatusHealthy)
		r.Proxies[name] = t
	}
	return t
}

// event takes in a change of status.
func (r *rules) event(now time.Time, e Event) {
	if r.proxy(e.Proxy).become(now, e.To, e.Reason) {
		r.changed(now)
	}
}

// recall takes over what was told before the process began.
func (r *rules) recall(before *rules) {
	for name, t := range before.Proxies {
		if t != nil {
			r.proxy(name).recall(t)
		}
	}
	for target, t := range before.Targets {
		if _, known := r.Targets[target]; t != nil && !known && len(r.Targets) < maxFollowed {
			r.Targets[target] = newTopic(stateReachable)
			r.Targets[target].recall(t)
		}
	}
	if before.Usable != nil {
		r.Usable.recall(before.Usable)
	}
	if before.Checks != nil {
		r.Checks.recall(before.Checks)
	}
	if r.Burst == nil {
		r.Burst = before.Burst
	}
}

func (r *rules) changed(now time.Time) {
	r.stale = true
	if r.gathered.IsZero() {
		r.gathered = now.Add(gatherFor)
	}
	if r.Burst != nil {
		r.Burst.Last = now
	}
}

// compare takes in how the proxies are: at the start, and now and then, because
// events may be lost, or overtake one another. Proxies that left the
// configuration are forgotten, but for some about which the last word was no good
// one: they may come back, be it that a new configuration was only tried.
func (r *rules) compare(now time.Time, p Pool) {
	present := make(map[string]bool)
	for name, proxy := range p.Proxies() {
		present[name] = true
		if _, known := r.Proxies[name]; !known && proxy.Status == StatusHealthy {
			continue
		}
		if r.proxy(name).become(now, proxy.Status, proxy.Reason) {
			r.changed(now)
		}
	}
	left := 0
	for name, t := range r.Proxies {
		switch {
		case present[name]:
		case t.told() != t.normal && left < maxLeft:
			left++
		default:
			delete(r.Proxies, name)
			r.stale = true
		}
	}
}

// look looks at the pool, and returns what is to be told now, and which edges
// were passed since the last look. Where there is nobody to tell, nothing is: it
// will be when there is.
func (r *rules) look(now time.Time, p Pool, cooldown time.Duration, tell bool) (alerts []*Alert, edges []Edge) {
	edges = r.observe(now, p)
	if tell && within(now, r.gathered, gatherFor) {
		return nil, edges
	}
	r.gathered = time.Time{}
	if !tell || r.crowd.waits(now) && !r.Usable.isNews(now, cooldown) {
		return nil, edges
	}
	f := r.find(now, p, cooldown)
	switch {
	case r.Burst != nil:
		alerts = r.goOn(&f)
	case r.isBurst(&f):
		alerts = r.begin(&f)
	default:
		alerts = r.tellProxies(&f)
	}
	alerts = append(alerts, r.tellChecks(&f)...)
	alerts = append(alerts, r.tellTargets(&f)...)
	r.crowd.add(now, len(alerts))
	return alerts, edges
}

// due is when to look again at the latest, the zero time where it is enough to
// do so now and then.
func (r *rules) due() time.Time { return r.gathered }

// observe takes in the situation of the pool.
func (r *rules) observe(now time.Time, p Pool) (edges []Edge) {
	follow := func(t *topic, state string, kind Kind, target string) {
		if t.become(now, state, "") {
			r.changed(now)
			edges = append(edges, Edge{Kind: kind, Pool: p.Name(), Target: target})
		}
	}
	if carrier, _ := p.Carrier(); carrier == "" {
		follow(r.Usable, stateDown, KindPoolDown, "")
	} else {
		follow(r.Usable, stateUp, KindPoolUp, "")
	}
	if p.ChecksFailing() {
		follow(r.Checks, stateFailing, KindChecksFailing, "")
	} else {
		follow(r.Checks, statePassing, KindChecksPassing, "")
	}
	unreachable := p.Unreachable()
	lost := make(map[string]bool, len(unreachable))
	for _, target := range unreachable {
		lost[target] = true
	}
	room := true
	for _, target := range unreachable {
		t, ok := r.Targets[target]
		if !ok {
			if room = room && r.makeRoom(lost); !room {
				continue
			}
			t = newTopic(stateReachable)
			r.Targets[target] = t
		}
		follow(t, stateUnreachable, KindTargetUnreachable, target)
	}
	for target, t := range r.Targets {
		if t.is == stateUnreachable && !lost[target] && p.Reaches(target) {
			follow(t, stateReachable, KindTargetReachable, target)
		}
	}
	return edges
}

// makeRoom reports whether one more target can be followed. Where there are too
// many, the one goes that was lost the longest ago of those that are not lost
// now: nobody asks for it any more, so that it is never found again either.
func (r *rules) makeRoom(lost map[string]bool) bool {
	if len(r.Targets) < maxFollowed {
		return true
	}
	oldest := ""
	for target, t := range r.Targets {
		if !lost[target] && (oldest == "" || t.since.Before(r.Targets[oldest].since)) {
			oldest = target
		}
	}
	delete(r.Targets, oldest)
	r.stale = true
	return oldest != ""
}

// findings are what a look found to be told.
type findings struct {
	now      time.Time
	cooldown time.Duration
	pool     Pool
	carrier  string
	place    int // of the carrier
	changes  []finding
	flapping []finding
}

// finding is a proxy with news.
type finding struct {
	Change
	topic *topic
	place int
}

// find looks for proxies with news. Disabled ones have none until they are
// enabled again.
func (r *rules) find(now time.Time, p Pool, cooldown time.Duration) findings {
	f := findings{now: now, cooldown: cooldown, pool: p}
	f.carrier, f.place = p.Carrier()
	for name, t := range r.Proxies {
		news := t.look(now, cooldown)
		if news == nothing {
			if t.atRest(now) {
				delete(r.Proxies, name)
				r.stale = true
			}
			continue
		}
		proxy, ok := p.Proxy(name)
		if !ok || !proxy.Active {
			continue
		}
		if t.become(now, proxy.Status, proxy.Reason) { // events may overtake one another
			news = t.look(now, cooldown)
		}
		found := finding{topic: t, place: proxy.Place, Change: Change{
			Proxy: name, Type: proxy.Type, CostPerGB: proxy.CostPerGB, Uptime: proxy.Uptime,
			From: t.told(), To: t.is, Reason: t.reason,
		}}
		switch news {
		case newState:
			f.changes = append(f.changes, found)
		case newFlaps:
			found.Times = t.Changes
			f.flapping = append(f.flapping, found)
		}
	}
	inOrder(f.changes)
	inOrder(f.flapping)
	return f
}

// inOrder sorts what went down to the front, and then by the order of trying.
func inOrder(list []finding) {
	rank := func(f finding) int {
		return slices.Index([]string{StatusDown, "blocked", "degraded", StatusHealthy}, f.To)
	}
	slices.SortFunc(list, func(a, b finding) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.place, b.place), cmp.Compare(a.Proxy, b.Proxy))
	})
}

// named puts the first of the proxies into the alert and counts the rest.
func (a *Alert) named(list []finding) {
	for _, f := range list[:min(len(list), MaxNamed)] {
		a.Changes = append(a.Changes, f.Change)
	}
	a.More = len(list) - len(a.Changes)
}

// alert is one about the pool, as it is now.
func (f *findings) alert(kind Kind, priority Priority) *Alert {
	return &Alert{Kind: kind, Priority: priority, Time: f.now, Pool: f.pool.Name(), Carrier: f.carrier}
}

// switched reports whether traffic moved over to the carrier: one that would be
// tried before it went down.
func (f *findings) switched(list []finding) bool {
	return f.carrier != "" && slices.ContainsFunc(list, func(c finding) bool {
		return c.To == StatusDown && c.place < f.place
	})
}
