package books

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	flushEvery = 500 * time.Millisecond

	openWithin  = 3 * time.Second
	writeWithin = 5 * time.Second

	// The pauses after a fault, doubling. A store that cannot be opened is
	// usually waiting for somebody to do something.
	minWritePause, maxWritePause = 500 * time.Millisecond, 5 * time.Second
	minOpenPause, maxOpenPause   = time.Second, 30 * time.Second

	tellDroppedEvery = time.Minute
	tellFaultEvery   = time.Minute
)

// writer is the goroutine that writes. What is here belongs to it alone.
type writer struct {
	*Books
	settings Settings
	open     *handle // nil where the store is not open
	sentTo   string  // ID of the store that was to get the batch that waits
	all      bool    // the next batch has all records
	rows     []pool.LogRow
	prune    pruning
	notices  int // so far

	started      time.Time // with the monotonic time
	failing      error     // how the last attempt ended
	failedAt     time.Time // when the fault began
	failedTold   string    // what was told of it last, and when
	failedToldAt time.Time
	pause        time.Duration // after it, and until when
	retryAt      time.Time

	droppedTold int64
	toldAt      time.Time
}

func newWriter(b *Books) *writer { return &writer{Books: b, started: time.Now()} }

// run writes until it is told to end.
func (w *writer) run() {
	defer close(w.done)
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.takeIn()
			if w.due() && w.flush() == nil {
				w.pruneSome()
			}
			w.tellDropped()

		case <-w.wake:
			w.takeIn()
			if w.due() {
				_ = w.flush()
			}

		case o := <-w.orders:
			w.takeIn()
			err := w.failing
			if o.now || w.due() {
				err = w.flush()
			}
			if err != nil {
				w.collect() // queries answer what they can
			}
			o.done <- err

		case <-w.closing:
			w.takeIn()
			w.all = true
			if err := w.flush(); err != nil {
				w.lost(err)
			}
			w.close()
			return
		}
	}
}

// takeIn takes over what was handed over, under the settings that held until
// now, and then the settings that hold from now on.
func (w *writer) takeIn() {
	w.drain()
	w.adopt()
}

// adopt follows new settings, if there are any.
func (w *writer) adopt() {
	s := w.takeWanted()
	if s == nil {
		return
	}
	before := w.settings.Storage
	if before != nil && before.StoreID() != s.Storage.StoreID() {
		if w.open != nil {
			_ = w.deliver() // where it fails, the next store gets it
			w.close()
		}
		w.pause, w.retryAt = 0, time.Time{}
		if s.Hooks.Switched != nil {
			s.Hooks.Switched(before.StoreID(), s.Storage.StoreID())
		}
	}
	w.settings = *s
	if w.open != nil {
		w.open.restored = false // there may be proxies that the store knows of before
	}
}

// drain makes rows of the entries in the queue. It does so also while nothing
// can be written, because entries hold secrets and rows do not.
func (w *writer) drain() {
	queue := w.queue()
	for range len(queue) {
		e := <-queue
		if len(w.rows) >= maxRows {
			w.dropped.Add(1)
			continue
		}
		w.rows = append(w.rows, e.row())
	}
}

// due reports whether it is time to try again after a fault. The ticks are not
// exact, and one that comes a little early is not wasted.
func (w *writer) due() bool {
	return w.failing == nil || time.Until(w.retryAt) < flushEvery/2
}

// flush writes all that there is. A store that must be opened again is, at once.
func (w *writer) flush() error {
	err := w.deliver()
	if errors.Is(err, pool.ErrReopen) {
		w.close()
		cause, told := err, w.notices
		if err = w.deliver(); err == nil && w.notices == told {
			w.noticed("the store was opened again: " + cause.Error())
		}
	}
	if errors.Is(err, pool.ErrReopen) {
		w.close()
	}
	w.judge(err)
	return err
}

// deliver writes the batch that waits, unchanged, and then what came after it.
func (w *writer) deliver() error {
	if err := w.ready(); err != nil {
		return err
	}
	if b := w.held.waiting(); b != nil {
		if err := w.write(b); err != nil {
			return err
		}
	}
	next := &pool.Batch{ID: newBatchID(), Log: w.rows}
	// What an alert tells of comes after it here, so that it is written no later.
	w.outbox.take(next)
	next.Events = w.events.take()
	w.collect()
	b := w.held.seal(next)
	if b == nil {
		return nil
	}
	w.rows = make([]pool.LogRow, 0, len(w.rows))
	return w.write(b)
}

// ready opens the store where it is not open, and has it restored.
func (w *writer) ready() error {
	if w.open != nil && w.open.broken.Load() {
		w.close()
	}
	if w.open != nil && w.open.restored {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), openWithin)
	defer cancel()
	if w.open == nil {
		notice := w.settings.Hooks.Noticed // a reader may call it, who closes the store
		if notice == nil {
			notice = func(string) {}
		}
		store, err := w.settings.Storage.Open(ctx, notice)
		if err != nil {
			return err
		}
		w.open = newHandle(store, w.settings.Storage.StoreID())
		w.publish(w.open)
	}
	if err := w.subject.Restore(ctx, w.open.id, w.open.store); err != nil {
		return fmt.Errorf("taking over what the store knows: %w", err)
	}
	w.open.restored = true
	w.welcome()
	return nil
}

// welcome prepares what waits for a store that was just restored. Records that
// were collected before lack what it knew; and it may be an empty one, in place
// of one that was damaged.
func (w *writer) welcome() {
	w.all = true
	if w.held.waiting() != nil && w.sentTo == w.open.id {
		return // it may have been written in spite of an error, and then it must not change
	}
	b := w.held.unseal()
	if b == nil {
		return
	}
	w.rows = append(b.Log, w.rows...)
	w.dropped.Add(w.events.putBack(b.Events) + w.outbox.putBack(b))
}

// collect takes over what changed since the last time.
func (w *writer) collect() {
	var b pool.Batch
	w.subject.Collect(&b, w.all)
	w.all = false
	w.held.add(b.Records, b.Usage)
}

func (w *writer) write(b *pool.Batch) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeWithin)
	defer cancel()
	w.sentTo = w.open.id
	w.held.begin()
	err := w.open.store.Write(ctx, b)
	w.held.end(err == nil)
	return err
}

// close closes the store, where it is open.
func (w *writer) close() {
	if w.open == nil {
		return
	}
	w.publish(nil)
	if err := w.open.close(); err != nil {
		w.noticed(fmt.Sprintf("closing the store: %v", err))
	}
	w.open = nil
}

// newBatchID returns an ID that no other batch has.
func newBatchID() int64 {
	for {
		if id := int64(rand.Uint64()); id != 0 {
			return id
		}
	}
}
