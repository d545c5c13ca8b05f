package books

import (
	"slices"
	"sync"

	"github.com/caddy-proxypool/proxypool/pool"
)

// maxEvents is how many events are held while they cannot be written.
const maxEvents = 10_000

// eventQueue holds events until they are written. The oldest go first.
type eventQueue struct {
	mu   sync.Mutex
	rows []pool.EventRow
}

// Event hands over a change of status. It never waits for the store.
func (b *Books) Event(e pool.Event) {
	b.dropped.Add(b.events.add(pool.EventRow{Event: e}))
}

// add returns how many events had to go for it.
func (q *eventQueue) add(row pool.EventRow) (dropped int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rows = append(q.rows, row)
	return q.bound()
}

// putBack adds events that are older than all others.
func (q *eventQueue) putBack(rows []pool.EventRow) (dropped int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rows = slices.Concat(rows, q.rows)
	return q.bound()
}

func (q *eventQueue) bound() int64 {
	excess := max(len(q.rows)-maxEvents, 0)
	q.rows = q.rows[excess:]
	return int64(excess)
}

// take hands over all events.
func (q *eventQueue) take() []pool.EventRow {
	q.mu.Lock()
	defer q.mu.Unlock()
	rows := q.rows
	q.rows = nil
	return rows
}
