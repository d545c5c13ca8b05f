package alert

import (
	"maps"
	"slices"
	"time"
)

// tellProxies tells of proxies that changed, of those that keep changing, and
// whether the pool has a usable one: as far as it goes in one message.
func (r *rules) tellProxies(f *findings) (alerts []*Alert) {
	switch {
	case r.Usable.differs(f.now, f.cooldown):
		alerts = append(alerts, r.tellUsable(f))
	case len(f.changes) > 0:
		a := f.alert(KindStatusChanged, loudness(f.changes))
		if len(f.changes) == 1 && f.changes[0].To == StatusHealthy {
			a.Seconds = seconds(f.changes[0].topic)
		}
		a.Switched = f.switched(f.changes)
		r.tellChanges(f, a)
		alerts = append(alerts, a)
	}
	if len(f.flapping) > 0 {
		a := f.alert(KindFlapping, Normal)
		a.Seconds = int64(f.cooldown / time.Second)
		a.named(f.flapping)
		for _, c := range f.flapping {
			c.topic.tellFlaps(f.now, f.cooldown)
		}
		r.dirty = true
		alerts = append(alerts, a)
	}
	return alerts
}

// tellUsable tells that the pool has no usable proxy left, or one again, and what
// led to it.
func (r *rules) tellUsable(f *findings) *Alert {
	a := f.alert(KindPoolDown, High)
	if r.Usable.is == stateUp {
		a.Kind, a.Priority, a.Seconds = KindPoolUp, Normal, seconds(r.Usable)
	}
	counts := countOf(f.pool)
	a.Counts = &counts
	r.Usable.tell(f.now, f.cooldown)
	r.tellChanges(f, a)
	return a
}

// tellChanges puts what changed into the alert, as told.
func (r *rules) tellChanges(f *findings, a *Alert) {
	a.named(f.changes)
	for _, c := range f.changes {
		c.topic.tell(f.now, f.cooldown)
		r.singles = append(r.singles, single{c.Proxy, f.now})
	}
	r.dirty = true
}

// loudness is low where all that happened is that proxies came back.
func loudness(list []finding) Priority {
	if slices.ContainsFunc(list, func(c finding) bool { return c.To != StatusHealthy }) {
		return Normal
	}
	return Low
}

// seconds is for how long the state that was told last held.
func seconds(t *topic) int64 {
	if t.Since.IsZero() {
		return 0
	}
	return max(int64(t.since.Sub(t.Since)/time.Second), 0)
}

// tellChecks tells that the checks fail while traffic flows, or do so no more.
func (r *rules) tellChecks(f *findings) []*Alert {
	if !r.Checks.differs(f.now, f.cooldown) {
		return nil
	}
	a := f.alert(KindChecksFailing, Normal)
	if r.Checks.is == statePassing {
		a.Kind, a.Priority, a.Seconds = KindChecksPassing, Low, seconds(r.Checks)
	}
	r.Checks.tell(f.now, f.cooldown)
	r.dirty = true
	return []*Alert{a}
}

// tellTargets tells of targets that nobody gets through to, and of those that
// somebody does again.
func (r *rules) tellTargets(f *findings) (alerts []*Alert) {
	lost, found := f.alert(KindTargetUnreachable, High), f.alert(KindTargetReachable, Normal)
	for _, target := range slices.Sorted(maps.Keys(r.Targets)) {
		t := r.Targets[target]
		if t.atRest(f.now) {
			delete(r.Targets, target)
			r.stale = true
			continue
		}
		if !t.differs(f.now, f.cooldown) {
			continue
		}
		a := lost
		if t.is == stateReachable {
			a = found
			a.Seconds = max(a.Seconds, seconds(t))
		}
		if len(a.Targets) < MaxNamed {
			a.Targets = append(a.Targets, target)
		} else {
			a.More++
		}
		t.tell(f.now, f.cooldown)
		r.dirty = true
	}
	for _, a := range []*Alert{lost, found} {
		if len(a.Targets) > 0 {
			alerts = append(alerts, a)
		}
	}
	return alerts
}
