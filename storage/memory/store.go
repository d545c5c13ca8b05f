// Package memory keeps the books of the pools in memory, for where nothing
// should be or can be written to a disk. What it keeps is bounded, and gone when
// the process ends.
package memory

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// maxRows is how many rows of the log, events and alerts are kept of each.
const maxRows = 10_000

// maxNotes is how many notes are kept.
const maxNotes = 4096

// Store is a [pool.Store] in memory.
type Store struct {
	mu      sync.Mutex // guards what follows
	batch   int64      // that was written last
	records map[proxyKey]pool.Record
	usage   usage
	log     table[pool.LogRow]
	events  table[pool.EventRow]
	alerts  alerts
	notes   notes
}

type proxyKey struct{ pool, proxy string }

// New makes a store with nothing in it.
func New() *Store {
	return &Store{
		records: make(map[proxyKey]pool.Record),
		usage:   usage{max: maxCells, cells: make(map[cellKey]pool.Usage)},
		log:     table[pool.LogRow]{max: maxRows, time: func(r *pool.LogRow) time.Time { return r.Time }},
		events:  table[pool.EventRow]{max: maxRows, time: func(r *pool.EventRow) time.Time { return r.Time }},
		alerts:  alerts{table[pool.Alert]{max: maxRows, time: func(r *pool.Alert) time.Time { return r.Time }}},
		notes:   notes{max: maxNotes, byName: make(map[string]note)},
	}
}

// Records returns what is kept of the proxies of a pool.
func (s *Store) Records(ctx context.Context, name string) ([]pool.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var records []pool.Record
	for _, r := range s.records {
		if r.Pool == name {
			r.State = bytes.Clone(r.State)
			records = append(records, r)
		}
	}
	return records, nil
}

// Write writes a batch.
func (s *Store) Write(ctx context.Context, b *pool.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.ID == s.batch {
		return nil
	}
	s.batch = b.ID
	for _, r := range b.Records {
		r.State = bytes.Clone(r.State)
		s.records[proxyKey{r.Pool, r.Proxy}] = r
	}
	s.usage.add(b.Usage)
	for _, r := range b.Log {
		r.Time = toMilliseconds(r.Time)
		r.Duration = r.Duration.Truncate(time.Millisecond)
		r.ID = s.log.nextID()
		s.log.add(r)
	}
	for _, r := range b.Events {
		r.Time = toMilliseconds(r.Time)
		r.ID = s.events.nextID()
		s.events.add(r)
	}
	for _, a := range b.Alerts {
		a.Time = toMilliseconds(a.Time)
		a.Body = bytes.Clone(a.Body)
		s.alerts.set(a)
	}
	s.alerts.deliver(b.Delivered)
	s.notes.set(b.Notes)
	return nil
}

// Usage returns the usage of the routes asked for.
func (s *Store) Usage(ctx context.Context, q pool.UsageQuery) ([]pool.UsageRow, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage.rows(q), nil
}

// Log returns rows of the usage log, newest first.
func (s *Store) Log(ctx context.Context, q pool.LogQuery) ([]pool.LogRow, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.newest(q.Limit, func(r *pool.LogRow) bool {
		return (q.Before == 0 || r.ID < q.Before) &&
			matches(q.Pool, r.Pool) && matches(q.Proxy, r.Proxy) &&
			(q.Success == nil || *q.Success == r.Success)
	}), nil
}

// Events returns status events, newest first.
func (s *Store) Events(ctx context.Context, q pool.EventQuery) ([]pool.EventRow, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events.newest(q.Limit, func(r *pool.EventRow) bool {
		return (q.Before == 0 || r.ID < q.Before) &&
			matches(q.Pool, r.Pool) && matches(q.Proxy, r.Proxy)
	}), nil
}

// Alerts returns the undelivered alerts, oldest first.
func (s *Store) Alerts(ctx context.Context) ([]pool.Alert, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alerts.all(), nil
}

// Notes returns all notes, by name.
func (s *Store) Notes(ctx context.Context) ([]pool.Note, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notes.all(), nil
}

// Prune removes rows that are too old.
func (s *Store) Prune(ctx context.Context, before pool.Expiry, limit int) (more bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, left := range []bool{
		s.log.prune(before.Log, limit),
		s.usage.prune(before.Usage, limit),
		s.events.prune(before.Events, limit),
		s.alerts.prune(before.Alerts, limit),
	} {
		more = more || left
	}
	return more, nil
}

// Close does nothing: what was kept goes with the store.
func (s *Store) Close() error { return nil }

// matches reports whether a filter lets a value through. An empty one lets all.
func matches(filter, value string) bool { return filter == "" || filter == value }

func toMilliseconds(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }

// Interface guard.
var _ pool.Store = (*Store)(nil)
