// Package storagetest is what every store must pass: the contract of
// [pool.Store] as tests.
package storagetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/caddy-proxypool/proxypool/pool"
)

// Suite says what is to be tested.
type Suite struct {
	// New makes a storage of its own for a test, with nothing in it.
	New func(t *testing.T) pool.Storage

	// Volatile is for stores that keep nothing when they are closed.
	Volatile bool
}

// Run runs all tests.
func (s Suite) Run(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *bed)
	}{
		{"empty", testEmpty},
		{"records", testRecords},
		{"records replaced", testRecordsReplaced},
		{"batch again", testBatchAgain},
		{"usage added", testUsageAdded},
		{"usage filters", testUsageFilters},
		{"usage spans", testUsageSpans},
		{"usage of many routes", testUsageManyRoutes},
		{"usage together", testUsageTogether},
		{"usage extremes", testUsageExtremes},
		{"log", testLog},
		{"log filters", testLogFilters},
		{"log pages", testLogPages},
		{"log trails", testLogTrails},
		{"log large batch", testLogLargeBatch},
		{"events", testEvents},
		{"events filters", testEventsFilters},
		{"alerts", testAlerts},
		{"alerts disorder", testAlertsDisorder},
		{"alerts replaced", testAlertsReplaced},
		{"alerts delivered", testAlertsDelivered},
		{"notes", testNotes},
		{"notes in a batch", testNotesInABatch},
		{"odd notes", testOddNotes},
		{"large notes", testLargeNotes},
		{"notes stay", testNotesStay},
		{"odd strings", testOddStrings},
		{"times", testTimes},
		{"prune log", testPruneLog},
		{"prune usage", testPruneUsage},
		{"prune events and alerts", testPruneOthers},
		{"prune keeps", testPruneKeeps},
		{"prune disorder", testPruneDisorder},
		{"prune and go on", testPruneAndGoOn},
		{"cancelled", testCancelled},
		{"concurrent", testConcurrent},
		{"the caller's memory", testCallersMemory},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s.bed(t)) })
	}
	if s.Volatile {
		return
	}
	t.Run("reopened", func(t *testing.T) { testReopened(t, s.bed(t)) })
	t.Run("reopened batch again", func(t *testing.T) { testReopenedBatchAgain(t, s.bed(t)) })
	t.Run("reopened rising IDs", func(t *testing.T) { testReopenedIDs(t, s.bed(t)) })
	t.Run("reopened alerts", func(t *testing.T) { testAlertsReopened(t, s.bed(t)) })
	t.Run("reopened notes", func(t *testing.T) { testNotesReopened(t, s.bed(t)) })
}

// bed is one store under test.
type bed struct {
	t       *testing.T
	storage pool.Storage
	store   pool.Store
	batch   int64
}

func (s Suite) bed(t *testing.T) *bed {
	b := &bed{t: t, storage: s.New(t)}
	b.open()
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return b
}

func (b *bed) open() {
	b.t.Helper()
	store, err := b.storage.Open(context.Background(), func(message string) {
		b.t.Errorf("notice: %s", message)
	})
	if err != nil {
		b.t.Fatalf("opening: %v", err)
	}
	b.store = store
}

// reopen closes the store and opens it at once.
func (b *bed) reopen() {
	b.t.Helper()
	if err := b.store.Close(); err != nil {
		b.t.Fatalf("closing: %v", err)
	}
	b.open()
}

// write writes a batch of its own.
func (b *bed) write(batch pool.Batch) {
	b.t.Helper()
	b.batch++
	batch.ID = b.batch
	if err := b.store.Write(b.t.Context(), &batch); err != nil {
		b.t.Fatalf("writing: %v", err)
	}
}

func (b *bed) records(name string) []pool.Record {
	b.t.Helper()
	records, err := b.store.Records(b.t.Context(), name)
	if err != nil {
		b.t.Fatalf("reading records: %v", err)
	}
	return records
}

func (b *bed) usage(q pool.UsageQuery) []pool.UsageRow {
	b.t.Helper()
	rows, err := b.store.Usage(b.t.Context(), q)
	if err != nil {
		b.t.Fatalf("reading usage: %v", err)
	}
	return rows
}

func (b *bed) log(q pool.LogQuery) []pool.LogRow {
	b.t.Helper()
	rows, err := b.store.Log(b.t.Context(), q)
	if err != nil {
		b.t.Fatalf("reading the log: %v", err)
	}
	return rows
}

func (b *bed) events(q pool.EventQuery) []pool.EventRow {
	b.t.Helper()
	rows, err := b.store.Events(b.t.Context(), q)
	if err != nil {
		b.t.Fatalf("reading events: %v", err)
	}
	return rows
}

func (b *bed) alerts() []pool.Alert {
	b.t.Helper()
	alerts, err := b.store.Alerts(b.t.Context())
	if err != nil {
		b.t.Fatalf("reading alerts: %v", err)
	}
	return alerts
}

func (b *bed) notes() []pool.Note {
	b.t.Helper()
	notes, err := b.store.Notes(b.t.Context())
	if err != nil {
		b.t.Fatalf("reading notes: %v", err)
	}
	return notes
}

// prune prunes and checks whether more is left.
func (b *bed) prune(before pool.Expiry, limit int, wantMore bool) {
	b.t.Helper()
	more, err := b.store.Prune(b.t.Context(), before, limit)
	if err != nil {
		b.t.Fatalf("pruning: %v", err)
	}
	if more != wantMore {
		b.t.Errorf("pruning says that more is left: %t, expected %t", more, wantMore)
	}
}

// equal compares, whatever the order of what has none.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got,
		cmpopts.EquateEmpty(),
		cmpopts.SortSlices(func(a, b pool.Record) bool { return a.Proxy < b.Proxy }),
		cmpopts.SortSlices(before),
		cmp.Transformer("UTC", func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }),
	); diff != "" {
		t.Errorf("%s (-expected +got):\n%s", what, diff)
	}
}

func before(a, b pool.UsageRow) bool {
	switch {
	case a.Span != b.Span:
		return a.Span < b.Span
	case a.Pool != b.Pool:
		return a.Pool < b.Pool
	case a.Proxy != b.Proxy:
		return a.Proxy < b.Proxy
	default:
		return a.Target < b.Target
	}
}

// noon is when the tests play.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// quarter is the quarter of noon, q of them later.
func quarter(q int) pool.Quarter { return pool.QuarterOf(noon) + pool.Quarter(q) }

// spend is some usage, different for every n.
func spend(n int64) pool.Usage {
	return pool.Usage{
		Requests: n, Failed: n / 2, BytesIn: 1000 * n, BytesOut: 100 * n, Cost: pool.Money(7 * n), Saved: pool.Money(3 * n),
		Timed: n + 1, Took: time.Duration(1_000_003 * n),
	}
}
