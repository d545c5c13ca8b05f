package books

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	// maxAlerts is how many alerts are held while they cannot be written.
	maxAlerts = 10_000
	// maxDelivered is how many IDs of delivered alerts are. An alert whose ID is
	// forgotten may be delivered again after a restart.
	maxDelivered = 20_000
)

// Keep hands over alerts, the IDs of those that were delivered, and notes. It
// never waits for the store, which gets all of a call in one batch, and where it
// works within milliseconds. Nobody may change a body afterwards.
//
// An alert may be handed over again, and a note too: the newest counts. An alert
// that was delivered is not handed over any more.
func (b *Books) Keep(alerts []pool.Alert, delivered []int64, notes []pool.Note) {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return
	}
	b.dropped.Add(b.outbox.add(alerts, delivered, notes))
	b.rouse()
}

// outbox holds what Keep was given until it is written. Of the alerts the oldest
// go first.
type outbox struct {
	mu sync.Mutex
	kept
}

type kept struct {
	alerts    []pool.Alert // by rising ID
	delivered []int64      // the oldest first
	notes     map[string][]byte
}

// add returns how many alerts had to go for it.
func (o *outbox) add(alerts []pool.Alert, delivered []int64, notes []pool.Note) (dropped int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.merge(alerts, delivered, notes)
	return o.bound()
}

// putBack adds what a batch has, which is older than all the rest.
func (o *outbox) putBack(b *pool.Batch) (dropped int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	newer := o.kept
	o.kept = kept{}
	o.merge(b.Alerts, b.Delivered, b.Notes)
	o.merge(newer.alerts, newer.delivered, newer.list())
	return o.bound()
}

// take hands over all to a batch.
func (o *outbox) take(b *pool.Batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b.Alerts, b.Delivered, b.Notes = o.alerts, o.delivered, o.list()
	o.kept = kept{}
}

// merge adds what is newer than all that is there. An alert that was delivered
// need not be written, but its ID must: the store may have it.
func (k *kept) merge(alerts []pool.Alert, delivered []int64, notes []pool.Note) {
	for _, a := range alerts {
		if i, known := k.find(a.ID); known {
			k.alerts[i] = a
		} else {
			k.alerts = slices.Insert(k.alerts, i, a)
		}
	}
	for _, id := range delivered {
		if i, known := k.find(id); known {
			k.alerts = slices.Delete(k.alerts, i, i+1)
		}
	}
	k.delivered = append(k.delivered, delivered...)
	if k.notes == nil && len(notes) > 0 {
		k.notes = make(map[string][]byte, len(notes))
	}
	for _, n := range notes {
		k.notes[n.Name] = n.Body
	}
}

// find returns where an alert is, or belongs.
func (k *kept) find(id int64) (at int, known bool) {
	return slices.BinarySearchFunc(k.alerts, id, func(a pool.Alert, id int64) int { return cmp.Compare(a.ID, id) })
}

func (k *kept) bound() (dropped int64) {
	excess := max(len(k.alerts)-maxAlerts, 0)
	k.alerts = k.alerts[excess:]
	k.delivered = k.delivered[max(len(k.delivered)-maxDelivered, 0):]
	return int64(excess)
}

// list are the notes, by name.
func (k *kept) list() []pool.Note {
	var list []pool.Note
	for _, name := range slices.Sorted(maps.Keys(k.notes)) {
		list = append(list, pool.Note{Name: name, Body: k.notes[name]})
	}
	return list
}
