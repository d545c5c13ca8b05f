package memory

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/caddy-proxypool/proxypool/pool"
)

// alerts are those that are not delivered yet, by rising ID.
type alerts struct{ table[pool.Alert] }

// set adds an alert, or puts it in the place of the one with its ID. Where there
// are too many then, the oldest goes.
func (t *alerts) set(a pool.Alert) {
	i, known := slices.BinarySearchFunc(t.rows, a.ID, func(row pool.Alert, id int64) int { return cmp.Compare(row.ID, id) })
	switch {
	case known:
		t.rows[i] = a
	case i == len(t.rows):
		t.add(a)
	case len(t.rows) < t.max:
		t.rows = slices.Insert(t.rows, i, a)
	case i > 0: // otherwise it is itself the oldest
		copy(t.rows, t.rows[1:i])
		t.rows[i-1] = a
	}
}

func (t *alerts) deliver(ids []int64) {
	if len(ids) == 0 {
		return
	}
	delivered := make(map[int64]bool, len(ids))
	for _, id := range ids {
		delivered[id] = true
	}
	t.remove(func(_ int, a *pool.Alert) bool { return delivered[a.ID] })
}

func (t *alerts) all() []pool.Alert {
	all := slices.Clone(t.rows)
	for i := range all {
		all[i].Body = bytes.Clone(all[i].Body)
	}
	return all
}
