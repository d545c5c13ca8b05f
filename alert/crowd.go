package alert

import (
	"slices"
	"time"
)

const (
	// Where a pool was told of crowdSize times within crowdSpan, it is told of
	// once in crowdPause at most. What happens meanwhile is told together, so that
	// proxies or targets that go one after the other do not fill a chat. That no
	// proxy is left, or one is again, does not wait.
	crowdSize  = 10
	crowdSpan  = 10 * time.Minute
	crowdPause = time.Minute
)

// crowd knows when a pool was told of lately.
type crowd []time.Time

// waits reports whether what is new is to wait.
func (c *crowd) waits(now time.Time) bool {
	*c = slices.DeleteFunc(*c, func(t time.Time) bool { return !within(now, t.Add(crowdSpan), crowdSpan) })
	return len(*c) >= crowdSize && within(now, (*c)[len(*c)-1].Add(crowdPause), crowdPause)
}

// add notes that alerts are told now.
func (c *crowd) add(now time.Time, alerts int) {
	*c = append(*c, slices.Repeat([]time.Time{now}, alerts)...)
}
