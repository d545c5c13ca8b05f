package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
	"github.com/caddy-proxypool/proxypool/storage/sqlite"
)

// The rows of the tests are of a month of 1,000,000 requests through five proxies
// to three targets.
const (
	benchRows    = 1_000_000
	benchProxies = 5
	benchTargets = 3
)

var (
	benchBegin   = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	benchQuarter = pool.QuarterOf(benchBegin)
)

const benchQuarters = 30 * 96

// logRow is a row as most are, with a path of 40 characters.
func logRow(n int) pool.LogRow {
	proxy := fmt.Sprintf("Datacenter-%d", n%benchProxies)
	return pool.LogRow{
		Time: benchBegin.Add(time.Duration(n) * (30 * 24 * time.Hour / benchRows)), Pool: "main", Proxy: proxy,
		Method: "POST", Target: fmt.Sprintf("api%d.example.com:443", n/benchProxies%benchTargets),
		Path:    fmt.Sprintf("/bot***/sendMessage/chat/%015d", n),
		Success: n%100_000 != 7, Status: 200, Duration: time.Duration(120+n%700) * time.Millisecond,
		BytesIn: int64(1500 + n%9000), BytesOut: int64(700 + n%900), Attempts: 1, Trail: proxy + ":ok",
	}
}

func usageCell(route int, q pool.Quarter) pool.UsageCell {
	n := int64(q%1000) + 20
	return pool.UsageCell{
		Pool: "main", Proxy: fmt.Sprintf("Datacenter-%d", route%benchProxies),
		Target: fmt.Sprintf("api%d.example.com:443", route/benchProxies), Quarter: q,
		Usage: pool.Usage{Requests: n, Failed: n / 50, BytesIn: n * 5000, BytesOut: n * 900, Cost: pool.Money(n * 66_000), Saved: pool.Money(n * 11_000)},
	}
}

// rowsPerBatch is how many rows of the log a batch of the tests has.
const rowsPerBatch = 20

// batch is the same for the same ID, and says in each row which one it is.
func batch(id int64) *pool.Batch {
	b := &pool.Batch{ID: id}
	for i := range rowsPerBatch {
		row := logRow(i)
		row.Path = fmt.Sprintf("/batch/%d", id)
		b.Log = append(b.Log, row)
	}
	cell := usageCell(0, benchQuarter)
	cell.Requests = rowsPerBatch
	b.Usage = []pool.UsageCell{cell}
	b.Records = []pool.Record{{Pool: "main", Proxy: "one", Total: pool.Usage{Requests: id * rowsPerBatch}, State: []byte("{}")}}
	b.Events = []pool.EventRow{{Event: pool.Event{Time: benchBegin, Pool: "main", Proxy: "one", From: "healthy", To: "down"}}}
	b.Alerts = []pool.Alert{{ID: id, Time: benchBegin, Notifier: "telegram", Body: []byte("down")}}
	b.Notes = []pool.Note{{Name: "told", Body: fmt.Append(nil, id)}}
	return b
}

func writeBatches(tb testing.TB, store *sqlite.Store, from, to int64) {
	tb.Helper()
	for id := from; id <= to; id++ {
		if err := store.Write(context.Background(), batch(id)); err != nil {
			tb.Fatalf("writing batch %d: %v", id, err)
		}
	}
}

// lastBatch checks that a store holds whole batches, from the first to some
// last one, which it returns.
func lastBatch(tb testing.TB, store *sqlite.Store) int64 {
	tb.Helper()
	ctx := context.Background()
	rows, err := store.Log(ctx, pool.LogQuery{Limit: 1 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	last := int64(len(rows) / rowsPerBatch)
	for i, r := range rows {
		if want := fmt.Sprintf("/batch/%d", last-int64(i/rowsPerBatch)); r.Path != want {
			tb.Fatalf("row %d of %d is of %s, expected %s", i, len(rows), r.Path, want)
		}
	}
	if len(rows)%rowsPerBatch != 0 {
		tb.Fatalf("%d rows, expected whole batches of %d", len(rows), rowsPerBatch)
	}
	usage, err := store.Usage(ctx, pool.UsageQuery{Spans: []pool.QuarterSpan{{From: benchQuarter, To: benchQuarter + 1}}})
	if err != nil {
		tb.Fatal(err)
	}
	var requests int64
	for _, u := range usage {
		requests += u.Requests
	}
	records, err := store.Records(ctx, "main")
	if err != nil {
		tb.Fatal(err)
	}
	var total int64
	for _, r := range records {
		total += r.Total.Requests
	}
	events, err := store.Events(ctx, pool.EventQuery{Limit: 1 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	alerts, err := store.Alerts(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	notes, err := store.Notes(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	var told string
	if len(notes) == 1 {
		told = string(notes[0].Body)
	}
	if want := fmt.Sprint(last); told != want && last > 0 || len(notes) != int(min(last, 1)) {
		tb.Fatalf("notes %q, expected that batch %d was told", notes, last)
	}
	want := fmt.Sprint(last*rowsPerBatch, last*rowsPerBatch, last, last)
	if got := fmt.Sprint(requests, total, len(events), len(alerts)); got != want {
		tb.Fatalf("requests in usage and records, events and alerts are %s, expected %s as in the log", got, want)
	}
	return last
}

func openStore(path string) (*sqlite.Store, error) {
	return sqlite.Open(context.Background(), path, func(message string) { panic("notice: " + message) })
}

func openAt(tb testing.TB, path string) *sqlite.Store {
	tb.Helper()
	var opened atomic.Bool // what is told when it is closed is another matter
	store, err := sqlite.Open(context.Background(), path, func(message string) {
		if !opened.Load() {
			tb.Errorf("notice: %s", message)
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	opened.Store(true)
	return store
}

// dbPath is a place for a store.
func dbPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "proxy_pool.db")
}

// made makes a store with some batches, and closes it.
func made(t *testing.T, path string, batches int64) {
	t.Helper()
	store := openAt(t, path)
	writeBatches(t, store, 1, batches)
	closed(t, store)
}

func closed(t *testing.T, store *sqlite.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
}

// damagedFiles are those that were set aside.
func damagedFiles(t *testing.T, path string) []string {
	t.Helper()
	names, err := filepath.Glob(path + ".damaged-*Z*")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, name := range names {
		if !strings.HasSuffix(name, "-wal") && !strings.HasSuffix(name, "-shm") {
			files = append(files, name)
		}
	}
	return files
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func mustWrite(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantError checks what an error says, and whether it wants the store opened
// again.
func wantError(t *testing.T, err error, reopen bool, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if errors.Is(err, pool.ErrReopen) != reopen {
		t.Errorf("error %q asks to open again: %t, expected %t", err, !reopen, reopen)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q, expected %q in it", err, word)
		}
	}
}

// keptAside checks that the only file that was set aside is as it was.
func keptAside(t *testing.T, path string, raw []byte) {
	t.Helper()
	files := damagedFiles(t, path)
	if len(files) != 1 {
		t.Fatalf("set aside: %v, expected one", files)
	}
	if !bytes.Equal(mustRead(t, files[0]), raw) {
		t.Error("what was set aside is not what was there")
	}
}
