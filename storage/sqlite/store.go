package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	// What SQLite writes to the -wal file before it makes a checkpoint, in
	// pages of 4 KiB. The file is cut to that size when it begins anew.
	checkpointPages = 1000
	// From what size on each write tries to begin the -wal file anew, and at
	// what size writing stops.
	largeWAL = 64 << 20
	maxWAL   = 512 << 20

	// How long Close may try to complete a file that was moved.
	closeTimeout = 5 * time.Second
)

// Store is a [pool.Store] in a SQLite file. It holds the lock on the file from
// [Open] to Close.
type Store struct {
	path  string // absolute, without symbolic links
	lock  *flock.Flock
	files []os.FileInfo // as they were when opened; see kept

	notice func(message string) // told of what an admin must know

	largeWAL, maxWAL int64 // the constants, but in tests

	*writer
	*reader
	watch // of the goroutine that writes

	// What damage was found, by whoever found it. The next write fails with it,
	// so that the store is opened again.
	damage atomic.Pointer[error]
}

// Write writes a batch.
func (s *Store) Write(ctx context.Context, b *pool.Batch) error {
	err := s.usable(ctx)
	if err == nil {
		err = s.write(ctx, b)
		s.wrote()
	}
	return s.failed("writing to", err)
}

// Prune removes rows that are too old.
func (s *Store) Prune(ctx context.Context, before pool.Expiry, limit int) (more bool, err error) {
	if err = s.usable(ctx); err == nil {
		more, err = s.prune(ctx, before, limit)
		s.wrote()
	}
	return more, s.failed("pruning", err)
}

// Records returns what is kept of the proxies of a pool.
func (s *Store) Records(ctx context.Context, name string) ([]pool.Record, error) {
	records, err := s.readRecords(ctx, name)
	return records, s.failed("reading", err)
}

// Usage returns the usage of the routes asked for.
func (s *Store) Usage(ctx context.Context, q pool.UsageQuery) ([]pool.UsageRow, error) {
	rows, err := s.readUsage(ctx, q)
	return rows, s.failed("reading", err)
}

// Log returns rows of the usage log, newest first.
func (s *Store) Log(ctx context.Context, q pool.LogQuery) ([]pool.LogRow, error) {
	rows, err := s.readLog(ctx, q)
	return rows, s.failed("reading", err)
}

// Events returns status events, newest first.
func (s *Store) Events(ctx context.Context, q pool.EventQuery) ([]pool.EventRow, error) {
	rows, err := s.readEvents(ctx, q)
	return rows, s.failed("reading", err)
}

// Alerts returns the undelivered alerts, oldest first.
func (s *Store) Alerts(ctx context.Context) ([]pool.Alert, error) {
	alerts, err := s.readAlerts(ctx)
	return alerts, s.failed("reading", err)
}

// Notes returns all notes, by name.
func (s *Store) Notes(ctx context.Context) ([]pool.Note, error) {
	notes, err := s.readNotes(ctx)
	return notes, s.failed("reading", err)
}

// Close lets go of the file. A damaged one is set aside.
func (s *Store) Close() error {
	var err error
	switch {
	case s.moved() != nil:
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		err = s.leave(ctx)
		cancel()
	case s.damage.Load() != nil:
		err = s.disconnect()
		aside, asideErr := setAside(s.path, time.Now())
		if asideErr == nil {
			s.notice(wasDamaged(s.path, aside))
		}
		err = errors.Join(err, asideErr)
	default:
		err = s.disconnect()
	}
	if err = errors.Join(err, s.end(), s.lock.Close()); err != nil {
		return fmt.Errorf("closing store %q: %w", s.path, explain(err))
	}
	return nil
}

// disconnect closes all connections that are open. The writer's is the last, so
// that it can make a checkpoint, and the -wal file is gone afterwards.
func (s *Store) disconnect() error {
	var err error
	if s.reader != nil {
		err = s.reader.close()
	}
	if s.writer != nil {
		err = errors.Join(err, s.writer.close())
	}
	return err
}

// failed says what failed, and remembers damage.
func (s *Store) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s store %q: %w", doing, s.path, explain(err))
	if errors.Is(err, errDamaged) {
		s.damage.CompareAndSwap(nil, &err)
	}
	return err
}

// usable reports what is in the way of writing.
func (s *Store) usable(ctx context.Context) error {
	if err := s.moved(); err != nil {
		return err
	}
	if damage := s.damage.Load(); damage != nil {
		return *damage
	}
	if err := s.spoiled(s.path); err != nil {
		return err
	}
	return s.boundWAL(ctx)
}

// boundWAL keeps the -wal file from growing without end.
func (s *Store) boundWAL(ctx context.Context) error {
	size, err := s.walSize()
	if err != nil || size < s.largeWAL {
		return err
	}
	if err := s.restartWAL(ctx); err != nil {
		return err
	}
	if size, err = s.walSize(); err != nil || size < s.maxWAL {
		return err
	}
	return fmt.Errorf("another program reads from the file and does not end, so that %s-wal cannot be made smaller: "+
		"end that program or its transaction", s.path)
}

func (s *Store) walSize() (int64, error) {
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
