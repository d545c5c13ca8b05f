package pool

import (
	"context"
	"errors"
	"time"
)

// ErrReopen is what an error of a [Store] wraps where the store is of no more
// use and must be closed and opened again.
var ErrReopen = errors.New("the store must be opened again")

// Storage is where a store is, and how it is opened. Safe for concurrent use.
type Storage interface {
	// StoreID tells stores apart: configurations whose IDs are equal share one.
	StoreID() string

	// Open opens the store, and makes it where there is none. It returns within
	// a few seconds also where something stands in the way. An error says what
	// is wrong and what to do. notice is told what an admin must know although
	// the store could be opened, such as a damaged file that was set aside.
	Open(ctx context.Context, notice func(message string)) (Store, error)
}

// Store keeps the books and what is known of the proxies beyond the life of the
// process. One goroutine at a time calls Write, Prune and Close; the others may
// be called concurrently, also with them, but not after Close.
//
// A method that returns an error has changed nothing, as far as it knows, and
// may be called again, unless the error wraps [ErrReopen]. Errors name files,
// and never hold a secret.
type Store interface {
	// Records returns what is kept of all proxies of a pool, those too that are
	// in no configuration any more.
	Records(ctx context.Context, pool string) ([]Record, error)

	// Write writes a batch, all of it or nothing. One with the ID of the last
	// batch that was written is known already: its error came after the fact.
	// It is skipped, without an error.
	Write(ctx context.Context, b *Batch) error

	// Usage returns the usage of the routes asked for, in no particular order.
	// Routes without usage in a span have no row for it.
	Usage(ctx context.Context, q UsageQuery) ([]UsageRow, error)

	// Log and Events return rows newest first: by falling ID.
	Log(ctx context.Context, q LogQuery) ([]LogRow, error)
	Events(ctx context.Context, q EventQuery) ([]EventRow, error)

	// Alerts returns the undelivered alerts, oldest first: by rising ID.
	Alerts(ctx context.Context) ([]Alert, error)

	// Notes returns all notes, by name.
	Notes(ctx context.Context) ([]Note, error)

	// Prune removes up to limit rows of each kind that ended before the times
	// given, the oldest first. more tells that there are others to remove.
	Prune(ctx context.Context, before Expiry, limit int) (more bool, err error)

	// Close lets go of the store. What was written stays.
	Close() error
}

// Batch is what is written at once.
type Batch struct {
	ID        int64       // of this batch alone; not 0
	Records   []Record    // in place of those of the same pool and proxy
	Usage     []UsageCell // added to what is there; a route may come up twice
	Log       []LogRow    // IDs are given by the store, rising
	Events    []EventRow  // the same
	Alerts    []Alert     // IDs are the caller's, above 0, rising with time; one that the store has is replaced
	Delivered []int64     // IDs of alerts to remove, of this batch too
	Notes     []Note      // in place of those of the same name; an empty Body removes one
}

// Empty reports whether there is nothing to write.
func (b *Batch) Empty() bool {
	return len(b.Records)+len(b.Usage)+len(b.Log)+len(b.Events)+len(b.Alerts)+len(b.Delivered)+len(b.Notes) == 0
}

// Record is what is kept of one proxy.
type Record struct {
	Pool, Proxy string
	Total       Usage  // since the beginning; never goes back
	State       []byte // JSON, of no concern to the store
}

// LogRow is a row of the usage log: one request. It holds no query, and no
// secret that a path is known to have.
type LogRow struct {
	ID                int64
	Time              time.Time // when the request came; kept to the millisecond
	Pool, Proxy       string    // Proxy that carried it, or was tried last; may be empty
	Method            string
	Target            string // "host:port"
	Path              string
	Success           bool          // an answer came, and to its end
	Status            int           // that the client got; 0 where none
	Duration          time.Duration // kept to the millisecond
	BytesIn, BytesOut int64         // on the connections to the proxies
	Attempts          int
	Trail, Error      string
}

// LogQuery asks for rows of the usage log.
type LogQuery struct {
	Pool, Proxy string // empty for all
	Success     *bool  // nil for both
	Before      int64  // only IDs below; 0 for all
	Limit       int    // at most so many; not 0
}

// EventRow is a change of status as it is kept. Times to the millisecond.
type EventRow struct {
	ID int64
	Event
}

// EventQuery asks for events.
type EventQuery struct {
	Pool, Proxy string // empty for all
	Before      int64  // only IDs below; 0 for all
	Limit       int    // at most so many; not 0
}

// Alert is a message that waits to be delivered.
type Alert struct {
	ID       int64
	Time     time.Time // when it was raised; kept to the millisecond
	Notifier string    // whom it is for
	Body     []byte    // of no concern to the store
}

// Note is something to remember beside the alerts, such as what was told last.
// It is kept until another one takes its place.
type Note struct {
	Name string // at most 256 bytes
	Body []byte // of no concern to the store
}

// Expiry says before when rows are too old to be kept. A zero time keeps all.
type Expiry struct {
	Log, Usage, Events, Alerts time.Time
}
