package pool

import (
	"sync/atomic"
	"time"
)

// HistogramBounds are the upper bounds of the buckets of a [Histogram], but for
// the last one, which has none.
var HistogramBounds = [...]time.Duration{
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 5 * time.Second, 30 * time.Second,
}

// histogram counts durations. Observing allocates nothing and takes no lock.
type histogram struct {
	buckets [len(HistogramBounds) + 1]atomic.Int64
	sum     atomic.Int64 // nanoseconds
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(HistogramBounds) && d > HistogramBounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.sum.Add(int64(d))
}

// Histogram is how often durations fell into which bucket.
type Histogram struct {
	Buckets [len(HistogramBounds) + 1]int64 // each by itself, without those below
	Sum     time.Duration
}

func (h *histogram) read() (r Histogram) {
	load(r.Buckets[:], h.buckets[:])
	r.Sum = time.Duration(h.sum.Load())
	return r
}
