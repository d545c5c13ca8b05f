package pool

import (
	"sort"
	"time"
)

// Usage is what went through a proxy in some span of time. Costs are booked
// together with the bytes, at the prices in force when they went.
type Usage struct {
	Requests int64 `json:"requests"` // attempts, not checks
	Failed   int64 `json:"failed"`
	BytesIn  int64 `json:"bytes_in"` // on the connections to the proxy, checks included
	BytesOut int64 `json:"bytes_out"`
	Cost     Money `json:"cost"`
	Saved    Money `json:"saved"` // what the same bytes would have cost more on the dearest proxy of the pool

	// The response times are those of health checks that passed. What a target lets
	// a request wait, as in long polling, says nothing of the proxy. A pool that is
	// not checked has the times of its connects instead.
	Timed int64         `json:"timed"` // how many were taken
	Took  time.Duration `json:"took"`  // what those took together
}

// Add adds other to u.
func (u *Usage) Add(other Usage) {
	u.Requests += other.Requests
	u.Failed += other.Failed
	u.BytesIn += other.BytesIn
	u.BytesOut += other.BytesOut
	u.Cost += other.Cost
	u.Saved += other.Saved
	u.Timed += other.Timed
	u.Took += other.Took
}

// minus is what came to u since it was before.
func (u Usage) minus(before Usage) Usage {
	return Usage{
		Requests: u.Requests - before.Requests, Failed: u.Failed - before.Failed,
		BytesIn: u.BytesIn - before.BytesIn, BytesOut: u.BytesOut - before.BytesOut,
		Cost: u.Cost - before.Cost, Saved: u.Saved - before.Saved,
		Timed: u.Timed - before.Timed, Took: u.Took - before.Took,
	}
}

// ResponseTime is the mean of the response times; ok is false where there are none.
func (u *Usage) ResponseTime() (mean time.Duration, ok bool) {
	if u.Timed <= 0 {
		return 0, false
	}
	return u.Took / time.Duration(u.Timed), true
}

// Quarter is a quarter of an hour, in quarters since the Unix epoch. The books
// are kept in quarters because days begin at one in every time zone of today:
// Tehran is at +03:30, Kathmandu at +05:45.
type Quarter int64

const quarterLength = 15 * 60 // seconds

// QuarterOf is the quarter that t is in.
func QuarterOf(t time.Time) Quarter {
	seconds := t.Unix()
	q := seconds / quarterLength
	if seconds%quarterLength < 0 {
		q--
	}
	return Quarter(q)
}

// Time is the beginning of the quarter.
func (q Quarter) Time() time.Time { return time.Unix(int64(q)*quarterLength, 0) }

// UsageCell is the usage of one route in one quarter of an hour.
type UsageCell struct {
	Pool, Proxy, Target string // Target is "host:port", or OtherTargets
	Quarter             Quarter
	Usage
}

// OtherTargets stands for the targets of usage that could not be kept apart,
// because there were too many while no store could be written to.
const OtherTargets = "*"

// QuarterSpan is the time from one quarter to before another.
type QuarterSpan struct{ From, To Quarter }

// UsageQuery asks for usage in some spans of time, by route.
type UsageQuery struct {
	Pool, Proxy, Target string        // empty for all
	Spans               []QuarterSpan // in order of time, not overlapping
	Together            bool          // one row a span, for all routes, without names
}

// Wants reports whether a route is asked for.
func (q *UsageQuery) Wants(pool, proxy, target string) bool {
	return (q.Pool == "" || q.Pool == pool) && (q.Proxy == "" || q.Proxy == proxy) && (q.Target == "" || q.Target == target)
}

// SpanOf is the index of the span that a quarter is in.
func (q *UsageQuery) SpanOf(quarter Quarter) (int, bool) {
	i := sort.Search(len(q.Spans), func(i int) bool { return quarter < q.Spans[i].To })
	return i, i < len(q.Spans) && q.Spans[i].From <= quarter
}

// UsageRow is the usage of one route, or of all together, in one of the spans
// that were asked for.
type UsageRow struct {
	Span                int // index in UsageQuery.Spans
	Pool, Proxy, Target string
	Usage
}
