package alert

import (
	"slices"
	"time"
)

const (
	// More than burstSize proxies of a pool within burstSpan are a burst.
	burstSize = 5
	burstSpan = 10 * time.Second
	// A burst is over when nothing changed for burstQuiet, or is told of as if it
	// were after burstLongest.
	burstQuiet   = 10 * time.Second
	burstLongest = 5 * time.Minute
)

// burst is a time in which so many proxies change that the admin is told only of
// its start and its end.
type burst struct {
	Since time.Time `json:"since"`
	Last  time.Time `json:"last"` // when something changed last
}

// single is a proxy that was told of, one by one or among a few.
type single struct {
	proxy string
	told  time.Time
}

// isBurst reports whether what was found is the start of a burst: so many
// proxies, not a few of them so often.
func (r *rules) isBurst(f *findings) bool {
	r.singles = slices.DeleteFunc(r.singles, func(s single) bool { return !within(f.now, s.told.Add(burstSpan), burstSpan) })
	if len(f.changes) == 0 {
		return false
	}
	proxies := make(map[string]bool)
	for _, s := range r.singles {
		proxies[s.proxy] = true
	}
	for i := range f.changes {
		proxies[f.changes[i].Proxy] = true
	}
	return len(proxies) > burstSize || within(f.now, r.goesOn, burstSpan)
}

// begin tells of the start of a burst.
func (r *rules) begin(f *findings) []*Alert {
	r.Burst, r.goesOn = &burst{Since: f.now, Last: f.now}, time.Time{}
	a := f.alert(KindBurst, loudness(f.changes))
	a.Switched = f.switched(f.changes)
	r.tellMany(f, a, f.changes)
	return []*Alert{a}
}

// goOn waits for the end of a burst and tells of it. The news that no proxy is
// left does not wait: nothing worse can follow.
func (r *rules) goOn(f *findings) []*Alert {
	b := r.Burst
	noneLeft := r.Usable.is == stateDown && r.Usable.told() != stateDown
	long := !within(f.now, b.Since.Add(burstLongest), burstLongest)
	moving := within(f.now, b.Last.Add(burstQuiet), burstQuiet)
	if !noneLeft && !long && moving {
		return nil
	}
	all := slices.Concat(f.changes, f.flapping)
	inOrder(all)
	a := f.alert(KindBurstOver, loudness(all))
	a.Switched = f.switched(all)
	a.Seconds = max(int64(b.Last.Sub(b.Since)/time.Second), 0)
	for _, c := range f.flapping {
		c.topic.tellFlaps(f.now, f.cooldown)
	}
	r.tellMany(f, a, all)
	r.Burst, r.singles = nil, nil
	if long && moving {
		r.goesOn = f.now.Add(burstSpan)
	}
	return []*Alert{a}
}

// tellMany puts all of them into the alert, and with them whether the pool has a
// usable proxy left.
func (r *rules) tellMany(f *findings, a *Alert, list []finding) {
	counts := countOf(f.pool)
	a.Counts = &counts
	a.named(list)
	for _, c := range list {
		c.topic.tell(f.now, f.cooldown)
	}
	if r.Usable.is != r.Usable.told() {
		r.Usable.tell(f.now, f.cooldown)
	}
	if r.Usable.is == stateDown {
		a.Priority = High
	}
	r.dirty = true
}
