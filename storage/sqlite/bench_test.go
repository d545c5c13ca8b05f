//go:build unix

package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
	"github.com/caddy-proxypool/proxypool/storage/sqlite"
)

// benchBatch is a quarter of a second of 10,000 requests a second.
const benchBatch = 2_500

// million makes the large file, once for all benchmarks.
func million(b *testing.B) *sqlite.Store {
	b.Helper()
	if benchDir == "" {
		dir, err := os.MkdirTemp("", "proxypool-bench-") //nolint:usetesting // outlives this benchmark
		if err != nil {
			b.Fatal(err)
		}
		benchDir = dir
		fill(b, openAt(b, filepath.Join(dir, "million.db")))
	}
	store := openAt(b, filepath.Join(benchDir, "million.db"))
	b.Cleanup(func() { store.Close() })
	return store
}

var benchDir string

// removeMillion removes what million made.
func removeMillion() {
	if benchDir != "" {
		os.RemoveAll(benchDir)
	}
}

func fill(b *testing.B, store *sqlite.Store) {
	b.Helper()
	batch := &pool.Batch{Log: make([]pool.LogRow, benchBatch)}
	quarter := benchQuarter
	for n := 0; n < benchRows; n += benchBatch {
		for i := range batch.Log {
			batch.Log[i] = logRow(n + i)
		}
		batch.Usage = batch.Usage[:0]
		for end := benchQuarter + pool.Quarter((n+benchBatch)*benchQuarters/benchRows); quarter < end; quarter++ {
			for route := range benchProxies * benchTargets {
				batch.Usage = append(batch.Usage, usageCell(route, quarter))
			}
		}
		batch.ID++
		if err := store.Write(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
}

func benchmarkUsage(b *testing.B, length int) {
	store := million(b)
	var spans []pool.QuarterSpan
	for q := 0; q < benchQuarters; q += length {
		spans = append(spans, pool.QuarterSpan{From: benchQuarter + pool.Quarter(q), To: benchQuarter + pool.Quarter(q+length)})
	}
	want := len(spans) * benchProxies * benchTargets
	b.ReportAllocs()
	begin := cpuTime(b)
	for b.Loop() {
		rows, err := store.Usage(b.Context(), pool.UsageQuery{Spans: spans})
		if err != nil || len(rows) != want {
			b.Fatalf("%d rows, expected %d; error %v", len(rows), want, err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-begin).Microseconds())/float64(b.N)/1000, "cpu-ms/op")
}

func BenchmarkUsageMonth(b *testing.B) { benchmarkUsage(b, benchQuarters) }
func BenchmarkUsageDays(b *testing.B)  { benchmarkUsage(b, 96) }
func BenchmarkUsageHours(b *testing.B) { benchmarkUsage(b, 4) }

func benchmarkLog(b *testing.B, q pool.LogQuery, want int) {
	store := million(b)
	q.Limit = 100
	b.ReportAllocs()
	begin := cpuTime(b)
	for b.Loop() {
		rows, err := store.Log(b.Context(), q)
		if err != nil || len(rows) != want {
			b.Fatalf("%d rows, expected %d; error %v", len(rows), want, err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-begin).Microseconds())/float64(b.N)/1000, "cpu-ms/op")
}

var failures = false

func BenchmarkLogNewest(b *testing.B)    { benchmarkLog(b, pool.LogQuery{}, 100) }
func BenchmarkLogPool(b *testing.B)      { benchmarkLog(b, pool.LogQuery{Pool: "main"}, 100) }
func BenchmarkLogProxy(b *testing.B)     { benchmarkLog(b, pool.LogQuery{Proxy: "Datacenter-3"}, 100) }
func BenchmarkLogFewFailed(b *testing.B) { benchmarkLog(b, pool.LogQuery{Success: &failures}, 10) }
func BenchmarkLogNoneFailed(b *testing.B) {
	benchmarkLog(b, pool.LogQuery{Proxy: "Datacenter-3", Success: &failures}, 0)
}

// BenchmarkWrite writes batches of a second of much traffic with the usage log.
func BenchmarkWrite(b *testing.B) {
	path := filepath.Join(b.TempDir(), "proxy_pool.db")
	store := openAt(b, path)
	defer store.Close()
	batch := &pool.Batch{Log: make([]pool.LogRow, benchBatch)}
	for route := range benchProxies * benchTargets {
		batch.Usage = append(batch.Usage, usageCell(route, benchQuarter))
	}
	for i := range benchProxies {
		batch.Records = append(batch.Records, pool.Record{Pool: "main", Proxy: fmt.Sprintf("Datacenter-%d", i), State: make([]byte, 500)})
	}
	for i := range batch.Log {
		batch.Log[i] = logRow(i)
		batch.Log[i].Time = benchBegin.Add(time.Duration(i) * 100 * time.Microsecond)
	}
	b.ReportAllocs()
	begin := cpuTime(b)
	for b.Loop() {
		batch.ID++
		for i := range batch.Log {
			batch.Log[i].Time = batch.Log[i].Time.Add(250 * time.Millisecond)
		}
		if err := store.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-begin).Nanoseconds())/float64(b.N*benchBatch), "cpu-ns/row")
	b.ReportMetric(float64(sizeOf(b, path))/float64(b.N*benchBatch), "B/row")
}

// sizeOf is how much a store takes on the disk.
func sizeOf(tb testing.TB, path string) (size int64) {
	tb.Helper()
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			tb.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

// cpuTime is what this process has used. The machine may have other work.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
