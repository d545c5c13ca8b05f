package alert

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

const (
	// How long an alert is tried to be delivered.
	keepFor = 24 * time.Hour
	// How many alerts wait for one destination; the oldest go first. It is far
	// more than the rules raise in a day.
	maxWaiting = 5000
	// How many destinations are remembered that alerts wait for, those that left
	// the configuration among them: which these are is not known yet when a store
	// is read.
	maxQueues = 1024
	// How many IDs are remembered of what was delivered, for a store that was
	// not told of it.
	maxDelivered = 10_000
	// An ID above this is of no clock, and after the highest there is no other.
	maxID = 1 << 60
)

// outbox holds the alerts that wait, by destination and in order. What is in it
// is stored, too. Safe for concurrent use.
type outbox struct {
	keeper Keeper

	mu        sync.Mutex // guards what follows
	lastID    int64
	queues    map[string]*queue
	delivered map[int64]bool
	order     []int64 // of delivered, the oldest first
}

// queue is what waits for one destination.
type queue struct {
	letters []*letter
	wake    chan struct{} // something was added
}

// letter is an alert on its way to one destination.
type letter struct {
	id    int64
	alert *Alert
	parts int  // that have arrived
	held  bool // the store has it, or was waited for
}

func newOutbox(k Keeper) *outbox {
	return &outbox{keeper: k, queues: make(map[string]*queue), delivered: make(map[int64]bool)}
}

// post puts an alert into the outbox for each destination, and notes with it. It
// returns how many older ones had to go for it, by destination.
func (o *outbox) post(alerts []*Alert, to []string, notes map[string][]byte) (dropped map[string]int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var add []Letter
	var done []int64
	for _, a := range alerts {
		o.lastID = max(o.lastID+1, a.Time.UnixMicro())
		a.Version, a.ID = Version, o.lastID
		for i, name := range to {
			l := &letter{id: a.ID + int64(i), alert: a}
			o.lastID = l.id
			q := o.queue(name)
			q.letters = append(q.letters, l)
			add = append(add, l.stored(name))
			if gone := q.bound(); len(gone) > 0 {
				done = append(done, gone...)
				if dropped == nil {
					dropped = make(map[string]int)
				}
				dropped[name] += len(gone)
			}
			notify(q.wake)
		}
	}
	if len(add)+len(done)+len(notes) > 0 {
		o.keeper.Keep(add, done, notes)
	}
	return dropped
}

// queue is that of a destination, made where there was none.
func (o *outbox) queue(name string) *queue {
	q, ok := o.queues[name]
	if !ok {
		q = &queue{wake: make(chan struct{}, 1)}
		o.queues[name] = q
	}
	return q
}

// bound takes out the oldest where there are too many, but for the one that may
// be on its way.
func (q *queue) bound() (gone []int64) {
	for len(q.letters) > maxWaiting {
		gone = append(gone, q.letters[1].id)
		q.letters = slices.Delete(q.letters, 1, 2)
	}
	return gone
}

// restore takes in what a store has, and hands over to it what it lacks.
func (o *outbox) restore(k Kept) {
	o.mu.Lock()
	defer o.mu.Unlock()
	stored := make(map[int64]bool, len(k.Letters))
	var done []int64
	for _, l := range k.Letters {
		stored[l.ID] = true
		a := new(Alert)
		if l.ID <= 0 || l.ID > maxID || o.delivered[l.ID] || json.Unmarshal(l.Body, a) != nil || a.Kind == "" {
			done = append(done, l.ID)
			continue
		}
		o.lastID = max(o.lastID, l.ID)
		o.adopt(l, a)
	}
	var add []Letter
	for name, q := range o.queues {
		for _, l := range q.letters {
			if !stored[l.id] {
				add = append(add, l.stored(name))
			}
		}
	}
	if len(add)+len(done) > 0 {
		o.keeper.Keep(add, done, nil)
	}
}

// adopt puts a letter into its place, unless it is there already.
func (o *outbox) adopt(l Letter, a *Alert) {
	if _, known := o.queues[l.To]; !known && len(o.queues) >= maxQueues {
		return // it stays in the store for its day
	}
	q := o.queue(l.To)
	at, known := slices.BinarySearchFunc(q.letters, l.ID, func(l *letter, id int64) int { return cmp.Compare(l.id, id) })
	if known {
		return
	}
	q.letters = slices.Insert(q.letters, at, &letter{id: l.ID, alert: a, held: true})
	notify(q.wake)
}

// oldest is the letter that is to be delivered next, nil where none waits.
func (o *outbox) oldest(name string) *letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	if q := o.queue(name); len(q.letters) > 0 {
		return q.letters[0]
	}
	return nil
}

// done takes a letter out: it was delivered, or never will be.
func (o *outbox) done(name string, l *letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.queue(name)
	q.letters = slices.DeleteFunc(q.letters, func(other *letter) bool { return other == l })
	o.delivered[l.id] = true
	o.order = append(o.order, l.id)
	if excess := len(o.order) - maxDelivered; excess > 0 {
		for _, id := range o.order[:excess] {
			delete(o.delivered, id)
		}
		o.order = slices.Delete(o.order, 0, excess)
	}
	o.keeper.Keep(nil, []int64{l.id}, nil)
}

// move gives what waits for one destination to another one, and returns how much
// that was.
func (o *outbox) move(from, to string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	q, ok := o.queues[from]
	if !ok || len(q.letters) == 0 {
		return 0
	}
	moved := q.letters
	q.letters = nil
	target := o.queue(to)
	add := make([]Letter, len(moved))
	for i, l := range moved {
		// The sender of before may still be at work on the letter that it has.
		target.letters = append(target.letters, &letter{id: l.id, alert: l.alert})
		add[i] = l.stored(to)
	}
	slices.SortFunc(target.letters, func(a, b *letter) int { return cmp.Compare(a.id, b.id) })
	notify(target.wake)
	o.keeper.Keep(add, nil, nil)
	return len(moved)
}

// stored is the letter as the store has it.
func (l *letter) stored(to string) Letter {
	body, _ := json.Marshal(l.alert) // numbers, strings and times of this century, which cannot fail
	return Letter{ID: l.id, Time: l.alert.Time, To: to, Body: body}
}

// wait is told when something is added for a destination.
func (o *outbox) wait(name string) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.queue(name).wake
}

// waiting is how many letters wait for a destination.
func (o *outbox) waiting(name string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue(name).letters)
}

// expire takes out what is a day old, and forgets destinations that nothing
// waits for and that are not in keep. It returns how many were too old, by
// destination. A sender may wait there already, whose configuration is not
// followed yet: it is woken, and waits anew.
func (o *outbox) expire(now time.Time, keep []string) map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := make(map[string]int)
	var done []int64
	for name, q := range o.queues {
		n := 0
		for n < len(q.letters) && now.Sub(q.letters[n].alert.Time) > keepFor {
			done = append(done, q.letters[n].id)
			n++
		}
		if n > 0 {
			q.letters, old[name] = slices.Delete(q.letters, 0, n), n
		}
		if len(q.letters) == 0 && !slices.Contains(keep, name) {
			delete(o.queues, name)
			notify(q.wake)
		}
	}
	if len(done) > 0 {
		o.keeper.Keep(nil, done, nil)
	}
	return old
}

func notify(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default: // it knows already
	}
}
