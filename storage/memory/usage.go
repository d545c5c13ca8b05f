package memory

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// maxCells is how many rows of usage are kept before older ones are merged.
const maxCells = 100_000

// quartersOfDay is how many quarters of an hour a day in UTC has.
const quartersOfDay = 96

type cellKey struct {
	proxyKey
	target  string
	quarter pool.Quarter
}

// usage is the usage of every route in every quarter of an hour.
type usage struct {
	max   int
	cells map[cellKey]pool.Usage
}

func (u *usage) add(cells []pool.UsageCell) {
	for _, c := range cells {
		u.book(cellKey{proxyKey{c.Pool, c.Proxy}, c.Target, c.Quarter}, c.Usage)
	}
	for coarser := 0; len(u.cells) > u.max && coarser < 3; coarser++ {
		u.merge(coarser)
	}
}

func (u *usage) book(key cellKey, more pool.Usage) {
	sum := u.cells[key]
	sum.Add(more)
	u.cells[key] = sum
}

// merge makes the older half of the rows fewer, without losing any of what they
// hold: the targets are no longer told apart, at the next degree the hours of a
// day neither, and at the last one not even the days.
func (u *usage) merge(degree int) {
	quarters := make([]pool.Quarter, 0, len(u.cells))
	for key := range u.cells {
		quarters = append(quarters, key.quarter)
	}
	slices.Sort(quarters)
	middle := quarters[len(quarters)/2]
	merged := make(map[cellKey]pool.Usage, len(u.cells))
	old := u.cells
	u.cells = merged
	for key, sum := range old {
		if key.quarter <= middle {
			key.target = pool.OtherTargets
			switch degree {
			case 1:
				key.quarter = dayOf(key.quarter)
			case 2:
				key.quarter = middle
			}
		}
		u.book(key, sum)
	}
}

// dayOf is the first quarter of the day in UTC that a quarter is in.
func dayOf(q pool.Quarter) pool.Quarter {
	rest := q % quartersOfDay
	if rest < 0 {
		rest += quartersOfDay
	}
	return q - rest
}

// rows sums the usage of each route, or of all together, in each span.
func (u *usage) rows(q pool.UsageQuery) []pool.UsageRow {
	type rowKey struct {
		span int
		cellKey
	}
	sums := make(map[rowKey]pool.Usage)
	for key, sum := range u.cells {
		span, ok := q.SpanOf(key.quarter)
		if !ok || !q.Wants(key.pool, key.proxy, key.target) {
			continue
		}
		key.quarter = 0
		if q.Together {
			key = cellKey{}
		}
		total := sums[rowKey{span, key}]
		total.Add(sum)
		sums[rowKey{span, key}] = total
	}
	rows := make([]pool.UsageRow, 0, len(sums))
	for key, sum := range sums {
		rows = append(rows, pool.UsageRow{Span: key.span, Pool: key.pool, Proxy: key.proxy, Target: key.target, Usage: sum})
	}
	return rows
}

// prune removes up to limit rows that ended before a time, the oldest first,
// and reports whether it left others.
func (u *usage) prune(before time.Time, limit int) (more bool) {
	if before.IsZero() {
		return false
	}
	first := pool.QuarterOf(before) // that is not over by then
	var old []cellKey
	for key := range maps.Keys(u.cells) {
		if key.quarter < first {
			old = append(old, key)
		}
	}
	if len(old) > limit {
		slices.SortFunc(old, func(a, b cellKey) int { return cmp.Compare(a.quarter, b.quarter) })
		old, more = old[:limit], true
	}
	for _, key := range old {
		delete(u.cells, key)
	}
	return more
}
