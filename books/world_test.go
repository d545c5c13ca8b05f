package books

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/pool"
)

// subject has one pool, "main", with a proxy "p".
type subject struct {
	mu           sync.Mutex
	total        pool.Usage
	changed      bool
	cells        map[cellKey]pool.Usage
	collects     int
	alls         int
	restores     []string // IDs of the stores
	restoreFault error
	onCollect    func() // called without the lock, where it is not nil
	onRestore    func() // the same
}

func (s *subject) Collect(b *pool.Batch, all bool) {
	if s.onCollect != nil {
		s.onCollect()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collects++
	if all {
		s.alls++
	}
	if s.changed || all {
		b.Records = append(b.Records, pool.Record{Pool: "main", Proxy: "p", Total: s.total})
	}
	for k, u := range s.cells {
		b.Usage = append(b.Usage, pool.UsageCell{Pool: k.pool, Proxy: k.proxy, Target: k.target, Quarter: k.quarter, Usage: u})
	}
	s.changed, s.cells = false, nil
}

func (s *subject) Restore(_ context.Context, id string, st pool.Store) error {
	if s.onRestore != nil {
		s.onRestore()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := st.(*file)
	if !ok {
		return nil
	}
	if id != f.id {
		return fmt.Errorf("restored from %s, which is called %s", f.id, id)
	}
	s.restores = append(s.restores, f.id)
	if s.restoreFault != nil {
		return s.restoreFault
	}
	f.be(func(f *file) { f.restored++ })
	return nil
}

// use books one request of some bytes.
func (s *subject) use(target string, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := pool.Usage{Requests: 1, BytesIn: bytes}
	s.total.Add(u)
	s.changed = true
	if s.cells == nil {
		s.cells = make(map[cellKey]pool.Usage)
	}
	key := cellKey{"main", "p", target, pool.QuarterOf(time.Now())}
	cell := s.cells[key]
	cell.Add(u)
	s.cells[key] = cell
}

// told is what the hooks were told, in turn.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (h *told) say(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
}

func (h *told) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

func (h *told) hooks() Hooks {
	return Hooks{
		Failed:    func(err error) { h.say("failed: %v", err) },
		Recovered: func(after time.Duration) { h.say("recovered after %v", after) },
		Lost:      func(err error) { h.say("lost: %v", err) },
		Noticed:   func(message string) { h.say("noticed: %s", message) },
		Dropped:   func(rows int64) { h.say("dropped %d", rows) },
	}
}

// world is books in a bubble, with a file and a subject.
type world struct {
	*testing.T
	*Books
	file    *file
	subject *subject
	told    *told
}

// bubble runs a test in one. The books are closed at its end, and no store may
// have been used otherwise than its contract says.
func bubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &subject{}
		w := &world{T: t, Books: New(s), file: newFile("a"), subject: s, told: &told{}}
		test(w)
		w.Close()
		if m := see(w.file, func(f *file) []string { return f.misuse }); len(m) > 0 {
			t.Errorf("the store was misused: %v", m)
		}
	})
}

func (w *world) settings() Settings {
	return Settings{Storage: w.file, Log: true, Retention: 30 * 24 * time.Hour, Hooks: w.told.hooks()}
}

func (w *world) follow() { w.Follow(context.Background(), w.settings()) }

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) sync() error { return w.Sync(context.Background()) }

func (w *world) mustSync() {
	w.Helper()
	if err := w.sync(); err != nil {
		w.Fatalf("Sync: %v", err)
	}
}

// stored is what the file holds of the usage of all time, in bytes.
func (w *world) stored() int64 {
	return see(w.file, func(f *file) (sum int64) {
		for u := range maps.Values(f.cells) {
			sum += u.BytesIn
		}
		return sum
	})
}

// answered is what the books answer for the usage of all time, in bytes.
func (w *world) answered() int64 {
	w.Helper()
	rows, err := w.Usage(context.Background(), allTime)
	if err != nil {
		w.Fatalf("Usage: %v", err)
	}
	var sum int64
	for _, r := range rows {
		sum += r.BytesIn
	}
	return sum
}

var allTime = pool.UsageQuery{Spans: []pool.QuarterSpan{{From: 0, To: 1 << 40}}}

// record is what the file knows of the proxy in total, in bytes.
func (w *world) record() int64 {
	return see(w.file, func(f *file) int64 { return f.records[recordKey{"main", "p"}].Total.BytesIn })
}

func (w *world) writes() int { return see(w.file, func(f *file) int { return len(f.tries) }) }

func (w *world) equal(what string, got, want any) {
	w.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var errDisk = errors.New(`writing to "a": the disk is full: make room`)
