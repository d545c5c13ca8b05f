package books

import (
	"context"
	"errors"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	// How long a query waits for the newest to be written first.
	querySyncWithin = 250 * time.Millisecond
	// How long it waits for a write that may or may not have happened yet.
	settleWithin = 6 * time.Second
	// How often it begins anew because a write came between.
	maxTries = 3
)

// Usage returns the usage of the routes asked for, in no particular order. What
// is not written yet is in it, also while the store fails; where no store is
// open, that is all.
func (b *Books) Usage(ctx context.Context, q pool.UsageQuery) ([]pool.UsageRow, error) {
	var rows []pool.UsageRow
	for try := 1; try <= maxTries; try++ {
		synced := b.querySync(ctx) == nil
		writes, err := b.settled(ctx)
		if err != nil {
			return nil, err
		}
		rows = nil
		open, err := b.read(ctx, func(ctx context.Context, s pool.Store) (err error) {
			rows, err = s.Usage(ctx, q)
			return err
		})
		if errors.Is(err, pool.ErrReopen) && try < maxTries {
			continue // the writer, which is waited for above, opens it again
		}
		if err != nil {
			return nil, err
		}
		if open && synced {
			return rows, nil
		}
		var ok bool
		if rows, ok = b.held.usage(q, rows, writes); ok {
			return rows, nil
		}
	}
	return rows, nil // writes succeed all the time: the rows lack a moment at most
}

// Log returns rows of the usage log, newest first, as far as they are written.
func (b *Books) Log(ctx context.Context, q pool.LogQuery) ([]pool.LogRow, error) {
	var rows []pool.LogRow
	err := b.query(ctx, func(ctx context.Context, s pool.Store) (err error) {
		rows, err = s.Log(ctx, q)
		return err
	})
	return rows, err
}

// Events returns changes of status, newest first, as far as they are written.
func (b *Books) Events(ctx context.Context, q pool.EventQuery) ([]pool.EventRow, error) {
	var rows []pool.EventRow
	err := b.query(ctx, func(ctx context.Context, s pool.Store) (err error) {
		rows, err = s.Events(ctx, q)
		return err
	})
	return rows, err
}

// query asks the store, after what was handed over is written, if that can be.
// Where no store is open, the error is the store's.
func (b *Books) query(ctx context.Context, ask func(context.Context, pool.Store) error) error {
	_ = b.querySync(ctx)
	open, err := b.read(ctx, ask)
	if open || err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return errClosed
	case b.fault != nil:
		return b.fault
	default:
		return errNotOpen
	}
}

func (b *Books) querySync(ctx context.Context) error {
	return b.ask(ctx, querySyncWithin, order{})
}

func (b *Books) settled(ctx context.Context) (writes int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	return b.held.settled(ctx)
}
