package memory

import (
	"cmp"
	"slices"
	"time"
)

// table holds rows in the order they came, the newest of them.
type table[T any] struct {
	rows   []T
	max    int
	lastID int64
	time   func(*T) time.Time
}

func (t *table[T]) nextID() int64 {
	t.lastID++
	return t.lastID
}

// add adds a row, in place of the oldest where there are too many.
func (t *table[T]) add(row T) {
	if len(t.rows) == t.max {
		clear(t.rows[:1])
		t.rows = t.rows[1:]
	}
	t.rows = append(t.rows, row)
}

// newest returns up to limit rows that are wanted, newest first.
func (t *table[T]) newest(limit int, wanted func(*T) bool) []T {
	var rows []T
	for i := len(t.rows) - 1; i >= 0 && len(rows) < limit; i-- {
		if wanted(&t.rows[i]) {
			rows = append(rows, t.rows[i])
		}
	}
	return rows
}

// remove removes rows.
func (t *table[T]) remove(unwanted func(i int, row *T) bool) {
	kept := t.rows[:0]
	for i := range t.rows {
		if !unwanted(i, &t.rows[i]) {
			kept = append(kept, t.rows[i])
		}
	}
	clear(t.rows[len(kept):])
	t.rows = kept
}

// prune removes up to limit rows from before a time, the oldest first, and
// reports whether it left others. The clock may have jumped, so that the rows
// need not be in the order of their times.
func (t *table[T]) prune(before time.Time, limit int) (more bool) {
	if before.IsZero() {
		return false
	}
	var old []int
	for i := range t.rows {
		if t.time(&t.rows[i]).UnixMilli() < before.UnixMilli() {
			old = append(old, i)
		}
	}
	if len(old) > limit {
		slices.SortStableFunc(old, func(a, b int) int {
			return cmp.Compare(t.time(&t.rows[a]).UnixMilli(), t.time(&t.rows[b]).UnixMilli())
		})
		old, more = old[:limit], true
		slices.Sort(old)
	}
	t.remove(func(i int, _ *T) bool {
		_, found := slices.BinarySearch(old, i)
		return found
	})
	return more
}
