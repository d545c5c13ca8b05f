package books

import (
	"context"
	"sync"

	"github.com/caddy-proxypool/proxypool/pool"
)

// maxCells is how many routes and quarters are held apart while they cannot be
// written. Beyond it targets are not, and beyond twice that quarters neither.
const maxCells = 1 << 16

// held is what was collected and is not written yet: at most one batch that is
// being written or waits to be tried again, which never changes, and what came
// after it.
type held struct {
	mu       sync.Mutex
	sent     *pool.Batch // nil where none waits
	records  map[recordKey]pool.Record
	cells    map[cellKey]*pool.Usage
	overflow pool.Quarter  // stands for all quarters beyond the bound
	writes   int64         // how many were begun
	writing  chan struct{} // closed when the write under way is over; nil where none is
}

type recordKey struct{ pool, proxy string }

type cellKey struct {
	pool, proxy, target string
	quarter             pool.Quarter
}

// add takes in what was collected.
func (h *held) add(records []pool.Record, usage []pool.UsageCell) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.records == nil {
		h.records = make(map[recordKey]pool.Record, len(records))
	}
	if h.cells == nil {
		h.cells = make(map[cellKey]*pool.Usage, len(usage))
	}
	for _, r := range records {
		h.records[recordKey{r.Pool, r.Proxy}] = r
	}
	for i := range usage {
		h.cell(&usage[i]).Add(usage[i].Usage)
	}
}

// cell is where the usage of a cell is added up. The lock is held.
func (h *held) cell(c *pool.UsageCell) *pool.Usage {
	key := cellKey{c.Pool, c.Proxy, c.Target, c.Quarter}
	if u, ok := h.cells[key]; ok {
		return u
	}
	if len(h.cells) >= maxCells {
		key.target = pool.OtherTargets
	}
	if len(h.cells) >= 2*maxCells {
		if h.overflow == 0 {
			h.overflow = c.Quarter
		}
		key.quarter = h.overflow
	}
	u, ok := h.cells[key]
	if !ok {
		u = new(pool.Usage)
		h.cells[key] = u
	}
	return u
}

// seal makes the next batch of what is held and of b, which has the rest of it.
// It returns nil where there is nothing to write.
func (h *held) seal(b *pool.Batch) *pool.Batch {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.records {
		b.Records = append(b.Records, r)
	}
	for key, u := range h.cells {
		b.Usage = append(b.Usage, pool.UsageCell{
			Pool: key.pool, Proxy: key.proxy, Target: key.target, Quarter: key.quarter, Usage: *u,
		})
	}
	if b.Empty() {
		return nil
	}
	h.sent, h.records, h.cells, h.overflow = b, nil, nil, 0
	return b
}

// unseal takes back the batch that waits, as if it had never been made. Records
// are forgotten: they are collected anew.
func (h *held) unseal() *pool.Batch {
	h.mu.Lock()
	b := h.sent
	h.sent, h.records = nil, nil
	h.mu.Unlock()
	if b != nil {
		h.add(nil, b.Usage)
	}
	return b
}

// waiting is the batch that waits, or nil.
func (h *held) waiting() *pool.Batch {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sent
}

// begin says that the batch that waits is now being written.
func (h *held) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes++
	h.writing = make(chan struct{})
}

// end says that it was written, or that it was not.
func (h *held) end(written bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if written {
		h.sent = nil
	}
	close(h.writing)
	h.writing = nil
}

// settled waits until no write is under way, and returns how many were begun.
func (h *held) settled(ctx context.Context) (writes int64, err error) {
	for {
		h.mu.Lock()
		writing, writes := h.writing, h.writes
		h.mu.Unlock()
		if writing == nil {
			return writes, nil
		}
		select {
		case <-writing:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// usage adds what is held to rows that the store answered. It does nothing and
// reports false where a write was begun since: then the rows may have some of it.
func (h *held) usage(q pool.UsageQuery, rows []pool.UsageRow, writes int64) ([]pool.UsageRow, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.writes != writes {
		return rows, false
	}
	sum := usageSum{query: q, rows: rows}
	if h.sent != nil {
		for i := range h.sent.Usage {
			c := &h.sent.Usage[i]
			sum.add(cellKey{c.Pool, c.Proxy, c.Target, c.Quarter}, &c.Usage)
		}
	}
	for key, u := range h.cells {
		sum.add(key, u)
	}
	return sum.rows, true
}

// usageSum adds cells to the rows of an answer.
type usageSum struct {
	query pool.UsageQuery
	rows  []pool.UsageRow
	at    map[rowKey]int
}

type rowKey struct {
	span                int
	pool, proxy, target string
}

func (s *usageSum) add(c cellKey, u *pool.Usage) {
	span, ok := s.query.SpanOf(c.quarter)
	switch {
	case !ok || !s.query.Wants(c.pool, c.proxy, c.target):
	case s.query.Together:
		s.row(rowKey{span: span}).Add(*u)
	default:
		s.row(rowKey{span, c.pool, c.proxy, c.target}).Add(*u)
	}
}

// row is the row of a route in a span.
func (s *usageSum) row(key rowKey) *pool.Usage {
	if s.at == nil {
		s.at = make(map[rowKey]int, len(s.rows))
		for i := range s.rows {
			r := &s.rows[i]
			s.at[rowKey{r.Span, r.Pool, r.Proxy, r.Target}] = i
		}
	}
	i, ok := s.at[key]
	if !ok {
		i = len(s.rows)
		s.at[key] = i
		s.rows = append(s.rows, pool.UsageRow{Span: key.span, Pool: key.pool, Proxy: key.proxy, Target: key.target})
	}
	return &s.rows[i].Usage
}
