package alert

import (
	"slices"
	"time"
)

const (
	// More than maxApart pools that are told to be unusable at once, or usable
	// again, are told of together.
	maxApart = 3
	// How long nothing more is told after something was, so that what happens to
	// many pools at about the same time can be.
	tellEvery = 250 * time.Millisecond
)

// together puts many pools that share a fate into one alert: a server that loses
// its network loses all its pools.
func together(alerts []*Alert) []*Alert {
	for _, kind := range []Kind{KindPoolDown, KindPoolUp} {
		is := func(a *Alert) bool { return a.Kind == kind }
		all := &Alert{Kind: kind, Counts: new(Counts)}
		for _, a := range alerts {
			if is(a) {
				all.Priority, all.Time = a.Priority, a.Time
				all.Pools = append(all.Pools, a.Pool)
				all.Counts.merge(*a.Counts)
				all.Seconds = max(all.Seconds, a.Seconds)
			}
		}
		if len(all.Pools) <= maxApart {
			continue
		}
		slices.Sort(all.Pools)
		all.More = max(len(all.Pools)-MaxNamed, 0)
		all.Pools = all.Pools[:len(all.Pools)-all.More]
		alerts = append([]*Alert{all}, slices.DeleteFunc(alerts, is)...)
	}
	return alerts
}
