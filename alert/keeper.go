package alert

import (
	"context"
	"time"
)

// Keeper keeps what must outlive the process. Its methods are safe for
// concurrent use.
type Keeper interface {
	// Keep hands over what is to be written, all of it or nothing: letters to
	// add, IDs of those that are done with, and notes in place of those of the
	// same name, of which an empty one removes it. It does not wait.
	Keep(add []Letter, done []int64, notes map[string][]byte)

	// Sync returns once all that was handed over is written, or with an error as
	// soon as it is clear that it cannot be now.
	Sync(ctx context.Context) error
}

// Letter is an alert on its way to one destination.
type Letter struct {
	ID   int64 // rises with time; unique
	Time time.Time
	To   string // the destination's name
	Body []byte // the alert as JSON
}

// Kept is what a store has.
type Kept struct {
	Letters []Letter // undelivered, oldest first
	Notes   map[string][]byte
}
