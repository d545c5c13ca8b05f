package pool

import (
	"sync/atomic"
	"time"
)

// median follows the median of a stream of durations in one word: each value
// moves it by a sixteenth towards itself, so that it rests where as many values
// lie above as below (frugal streaming, Ma, Muthukrishnan and Sandler, 2014).
// An outlier counts for no more than any other value, which a mean cannot say.
//
// Concurrent updates may lose one another; no single one matters.
type median struct{ ns atomic.Int64 }

// observe takes one more value into account.
func (m *median) observe(d time.Duration) {
	current := m.ns.Load()
	step := current/16 + 1
	switch {
	case current == 0:
		m.ns.Store(max(int64(d), 1))
	case int64(d) > current:
		m.ns.Store(current + step)
	case int64(d) < current:
		m.ns.Store(max(current-step, 1))
	}
}

// value is the median so far, 0 where nothing was observed.
func (m *median) value() time.Duration { return time.Duration(m.ns.Load()) }

// reset forgets everything.
func (m *median) reset() { m.ns.Store(0) }
