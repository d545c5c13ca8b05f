// Package books keeps the books: it is the one writer between the paths of the
// requests and the store.
//
// Forwarding hands over copies, through bounded queues, and waits for nothing.
// One goroutine gathers them, together with what the pools counted, writes a
// batch at a time, tries again what could not be written, removes what is too
// old, and opens the store again where that is needed. It outlives reloads.
//
// While the store fails, rows of the usage log are dropped and counted once
// their queue is full. Counters never are: they wait in memory, and become less
// exact about targets and quarters before they become too many.
package books

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	// How long a configuration that starts waits for its store. Where that is
	// not enough, the writer goes on alone and the books are held in memory.
	followWithin = 4 * time.Second
	// How long Sync waits at most, whatever its context says.
	syncWithin = 10 * time.Second
	// How long Close waits for the last write.
	closeWithin = 8 * time.Second
)

var (
	errNotOpen = errors.New("the books are not open yet")
	errClosed  = errors.New("the books are closed")
)

// Subject is whose books are kept: the states of all pools. Its methods are
// called by one goroutine at a time.
type Subject interface {
	// Collect adds to b what changed since the last call: records and usage,
	// nothing else. all adds the records too that did not change.
	Collect(b *pool.Batch, all bool)

	// Restore takes over what a store knows. It is called before the first Write
	// to a store that was just opened, and again before the first one after each
	// Follow, whose configuration may have proxies that nobody asked for before;
	// and then until it succeeds. id is that of the store's [pool.Storage]. What
	// it hands over to Keep is written to that store.
	Restore(ctx context.Context, id string, s pool.Store) error
}

// Settings are what a configuration says of the books.
type Settings struct {
	Storage   pool.Storage
	Log       bool          // keep the usage log
	Retention time.Duration // of its rows; 0 = for ever
	Hooks     Hooks
}

// Hooks are told what an admin must know. They are called by the writer, which
// waits for them, without a lock. Those that are nil are not called.
type Hooks struct {
	Failed    func(err error)           // a fault began; the error says what to do
	Recovered func(after time.Duration) // it is over, and all that was held is written
	Lost      func(err error)           // the end came while the fault lasted, and what was held is lost
	Switched  func(from, to string)     // another store is written to from now on; by their IDs
	Noticed   func(message string)      // what else the admin should know, such as a damaged file set aside
	Dropped   func(rows int64)          // rows lost since the last time; at most once a minute
}

// Health is how the store is.
type Health struct {
	OK      bool
	Error   string    // why not, and what to do; empty where OK
	Since   time.Time // when the fault began; zero where OK
	Dropped int64     // rows of the usage log, events and alerts that were never written
}

// Books are the books of the process, from the first Follow to Close. All
// methods are safe for concurrent use.
type Books struct {
	subject Subject
	wall    func() time.Time // what the clock on the wall says

	logging atomic.Bool
	dropped atomic.Int64
	events  eventQueue
	outbox  outbox
	held    held

	orders  chan order
	wake    chan struct{} // something is not to wait for the writer's time
	closing chan struct{} // closed when the writer is to end
	done    chan struct{} // closed when it has ended

	mu      sync.Mutex // guards what follows; never held over I/O
	running bool
	closed  bool
	wanted  *Settings  // not followed yet
	entries chan Entry // made when the log is first kept
	store   *handle    // nil where none is open
	fault   error
	since   time.Time
}

// order is what the writer is asked to do: to write all that was handed over.
type order struct {
	now  bool // also where a fault makes it wait before it tries again
	done chan error
}

// New makes books that nothing is written to before the first Follow.
func New(subject Subject) *Books {
	b := &Books{
		subject: subject,
		wall:    time.Now,
		orders:  make(chan order),
		wake:    make(chan struct{}, 1),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	return b
}

// Follow makes the settings of a configuration that starts hold. It returns once
// the store is open and what was handed over before is written, or some seconds
// later: what a slow store or a fault keeps it from is done as soon as possible.
// Where the settings name another store, the present one gets what was handed
// over before and is closed.
func (b *Books) Follow(ctx context.Context, s Settings) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.wanted = &s
	if s.Log && b.entries == nil {
		b.entries = make(chan Entry, queueSize)
	}
	b.logging.Store(s.Log)
	if !b.running {
		b.running = true
		go newWriter(b).run()
	}
	b.mu.Unlock()
	_ = b.ask(ctx, followWithin, order{now: true}) // a fault is told by the writer
}

// Sync returns once all that was handed over before is written, or with an
// error that says why it is not. While the writer waits before it tries again
// what failed, that is at once.
func (b *Books) Sync(ctx context.Context) error {
	return b.ask(ctx, syncWithin, order{})
}

// Close writes all that is known and closes the store. It returns after some
// seconds also where that cannot be done.
func (b *Books) Close() {
	b.logging.Store(false)
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.closing)
		if !b.running {
			close(b.done)
		}
	}
	b.mu.Unlock()
	select {
	case <-b.done:
	case <-time.After(closeWithin):
	}
}

// ask gives the writer an order and waits until it is done.
func (b *Books) ask(ctx context.Context, within time.Duration, o order) error {
	b.mu.Lock()
	running, closed := b.running, b.closed
	b.mu.Unlock()
	switch {
	case closed:
		return errClosed
	case !running:
		return errNotOpen
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	o.done = make(chan error, 1)
	select {
	case b.orders <- o:
	case <-b.done:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("waiting for the store: %w", ctx.Err())
	}
	select {
	case err := <-o.done: // the writer answers every order that it took
		return err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the store: %w", ctx.Err())
	}
}

// rouse has the writer come by now.
func (b *Books) rouse() {
	select {
	case b.wake <- struct{}{}:
	default: // it is about to
	}
}

// Health tells how the store is.
func (b *Books) Health() Health {
	h := Health{OK: true, Dropped: b.dropped.Load()}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault != nil {
		h.OK, h.Error, h.Since = false, b.fault.Error(), b.since
	}
	return h
}

// queue is where the entries of the usage log come from, nil where none ever did.
func (b *Books) queue() <-chan Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.entries
}

// takeWanted returns settings that are not followed yet, or nil.
func (b *Books) takeWanted() *Settings {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.wanted
	b.wanted = nil
	return s
}
