package books

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// file is a store that is not there: what it holds stays when it is closed. It
// keeps to the contract of [pool.Store], and fails as it is told.
type file struct {
	id string

	mu       sync.Mutex
	isOpen   bool
	restored int // how often since it was opened
	contents
	tries  []pool.Batch // all that Write was asked for, with copies of what they held
	times  []time.Time
	opens  []time.Time
	prunes []pool.Expiry
	closes int

	openFault, writeFault, readFault, closeFault error
	afterTheFact                                 bool          // writes are done before they fail, or take long
	openTakes, writeTakes, readTakes, pruneTakes time.Duration // 0 = at once
	deaf                                         bool          // what takes long does not end with its context
	notice                                       string
	left                                         int // rows to prune, in batches
	pruneFault                                   error
	misuse                                       []string
}

type contents struct {
	last    int64
	records map[recordKey]pool.Record
	cells   map[cellKey]pool.Usage
	log     []pool.LogRow
	events  []pool.EventRow
	alerts  map[int64]pool.Alert
	notes   map[string]string
}

func newFile(id string) *file {
	f := &file{id: id}
	f.empty()
	return f
}

func (f *file) empty() {
	f.contents = contents{
		records: make(map[recordKey]pool.Record), cells: make(map[cellKey]pool.Usage),
		alerts: make(map[int64]pool.Alert), notes: make(map[string]string),
	}
}

// be changes how it behaves from now on.
func (f *file) be(change func(*file)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// see returns something of it.
func see[T any](f *file, what func(*file) T) T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return what(f)
}

func (f *file) StoreID() string { return f.id }

func (f *file) Open(ctx context.Context, notice func(string)) (pool.Store, error) {
	f.mu.Lock()
	f.opens = append(f.opens, time.Now())
	takes, message := f.openTakes, f.notice
	f.mu.Unlock()
	if err := f.take(ctx, takes); err != nil {
		return nil, err
	}
	if message != "" {
		notice(message)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.openFault != nil {
		return nil, f.openFault
	}
	if f.isOpen {
		f.misuse = append(f.misuse, "opened while open")
	}
	f.isOpen, f.restored = true, 0
	return f, nil
}

func (f *file) take(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	done := ctx.Done()
	f.mu.Lock()
	if f.deaf {
		done = nil
	}
	f.mu.Unlock()
	select {
	case <-time.After(d):
		return nil
	case <-done:
		return fmt.Errorf("writing: %w", ctx.Err())
	}
}

// used notes a use that the contract forbids.
func (f *file) used(what string) {
	if !f.isOpen {
		f.misuse = append(f.misuse, what+" while closed")
	}
}

func (f *file) Write(ctx context.Context, b *pool.Batch) error {
	f.mu.Lock()
	f.used("Write")
	if f.restored == 0 {
		f.misuse = append(f.misuse, "Write before Restore")
	}
	f.times = append(f.times, time.Now())
	f.tries = append(f.tries, pool.Batch{
		ID: b.ID, Records: slices.Clone(b.Records), Usage: slices.Clone(b.Usage),
		Log: slices.Clone(b.Log), Events: slices.Clone(b.Events),
		Alerts: slices.Clone(b.Alerts), Delivered: slices.Clone(b.Delivered), Notes: slices.Clone(b.Notes),
	})
	takes := f.writeTakes
	if f.afterTheFact {
		f.apply(b)
	}
	f.mu.Unlock()
	if err := f.take(ctx, takes); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writeFault == nil {
		f.apply(b)
	}
	return f.writeFault
}

func (f *file) apply(b *pool.Batch) {
	if b.ID == 0 || b.Empty() {
		f.misuse = append(f.misuse, "bad batch")
	}
	if b.ID == f.last {
		return
	}
	f.last = b.ID
	for _, r := range b.Records {
		f.records[recordKey{r.Pool, r.Proxy}] = r
	}
	for _, c := range b.Usage {
		key := cellKey{c.Pool, c.Proxy, c.Target, c.Quarter}
		u := f.cells[key]
		u.Add(c.Usage)
		f.cells[key] = u
	}
	f.log = append(f.log, b.Log...)
	f.events = append(f.events, b.Events...)
	for _, a := range b.Alerts {
		f.alerts[a.ID] = a
	}
	for _, id := range b.Delivered {
		delete(f.alerts, id)
	}
	for _, n := range b.Notes {
		f.notes[n.Name] = string(n.Body)
		if len(n.Body) == 0 {
			delete(f.notes, n.Name)
		}
	}
}

func (f *file) Records(_ context.Context, name string) ([]pool.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var records []pool.Record
	for _, r := range f.records {
		if r.Pool == name {
			records = append(records, r)
		}
	}
	return records, nil
}

func (f *file) read(ctx context.Context, what string) error {
	f.mu.Lock()
	f.used(what)
	takes, err := f.readTakes, f.readFault
	f.mu.Unlock()
	if err := f.take(ctx, takes); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used(what)
	return err
}

func (f *file) Usage(ctx context.Context, q pool.UsageQuery) ([]pool.UsageRow, error) {
	f.mu.Lock()
	sum := usageSum{query: q}
	for key, u := range f.cells {
		sum.add(key, &u)
	}
	f.mu.Unlock()
	return sum.rows, f.read(ctx, "Usage")
}

func (f *file) Log(ctx context.Context, q pool.LogQuery) ([]pool.LogRow, error) {
	if err := f.read(ctx, "Log"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	rows := slices.Clone(f.log)
	slices.Reverse(rows)
	return rows[:min(q.Limit, len(rows))], nil
}

func (f *file) Events(ctx context.Context, q pool.EventQuery) ([]pool.EventRow, error) {
	if err := f.read(ctx, "Events"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	rows := slices.Clone(f.events)
	slices.Reverse(rows)
	return rows[:min(q.Limit, len(rows))], nil
}

func (f *file) Alerts(context.Context) ([]pool.Alert, error) { return nil, nil }

func (f *file) Notes(context.Context) ([]pool.Note, error) { return nil, nil }

func (f *file) Prune(ctx context.Context, before pool.Expiry, limit int) (bool, error) {
	f.mu.Lock()
	f.used("Prune")
	f.prunes = append(f.prunes, before)
	f.left = max(f.left-limit, 0)
	more, takes, err := f.left > 0, f.pruneTakes, f.pruneFault
	f.mu.Unlock()
	if err == nil {
		err = f.take(ctx, takes)
	}
	return more, err
}

func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used("Close")
	f.isOpen = false
	f.closes++
	return f.closeFault
}
