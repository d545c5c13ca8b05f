package sqlite

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// requests is a batch with rows in the log, of a target each, if there are to be
// many of them, and their usage.
func requests(id int64, rows int, manyTargets bool, at time.Time) *pool.Batch {
	b := &pool.Batch{ID: id}
	for i := range rows {
		target := "api.example.com:443"
		if manyTargets {
			target = fmt.Sprintf("%d-%d.example.com:443", id, i)
		}
		b.Log = append(b.Log, pool.LogRow{
			Time: at.Add(time.Duration(i) * time.Millisecond), Pool: "main", Proxy: fmt.Sprintf("Datacenter-%d", i%5),
			Method: "POST", Target: target, Path: fmt.Sprintf("/bot***/sendMessage/chat/%015d", i),
			Success: true, Status: 200, Duration: 143 * time.Millisecond, BytesIn: 5000, BytesOut: 900, Attempts: 1,
			Trail: fmt.Sprintf("Datacenter-%d:ok", i%5),
		})
		if manyTargets || i < 5 {
			b.Usage = append(b.Usage, pool.UsageCell{
				Pool: "main", Proxy: fmt.Sprintf("Datacenter-%d", i%5), Target: target, Quarter: pool.QuarterOf(at),
				Usage: pool.Usage{Requests: 1, BytesIn: 5000, BytesOut: 900},
			})
		}
	}
	return b
}

func opened(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "proxy_pool.db"), noNotice(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func write(t *testing.T, s *Store, b *pool.Batch) {
	t.Helper()
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// TestBytesPerRow logs requests with paths of 40 characters: the file grows by
// less than 200 bytes for each, its -wal file to about 4 MiB and no more.
func TestBytesPerRow(t *testing.T) {
	s := opened(t)
	const rows, batches = 500, 20
	for id := range int64(batches) {
		write(t, s, requests(id+1, rows, false, epoch.Add(time.Duration(id)*time.Second)))
	}
	if err := s.restartWAL(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.path)
	if err != nil {
		t.Fatal(err)
	}
	perRow := info.Size() / (rows * batches)
	t.Logf("%d bytes per row", perRow)
	if perRow >= 200 {
		t.Errorf("%d bytes per row", perRow)
	}
}

// TestPermanentReader has another program read without end, so that the -wal
// file cannot begin anew: writing stops before it takes the whole disk, and goes
// on when the reader is gone.
func TestPermanentReader(t *testing.T) {
	s := opened(t)
	write(t, s, requests(1, 10, false, epoch))
	s.largeWAL, s.maxWAL = 1<<18, 1<<21
	db, err := sql.Open("sqlite", source(s.path, "mode=ro"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	shell, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shell.Exec("SELECT count(*) FROM log"); err != nil {
		t.Fatal(err)
	}
	id := int64(1)
	for ; err == nil && id < 200; id++ {
		err = s.Write(t.Context(), requests(id+1, 100, false, epoch))
	}
	if err == nil || !strings.Contains(err.Error(), "end that program or its transaction") {
		t.Fatalf("error %v after %d batches, expected one that says what to do", err, id)
	}
	if size, err := s.walSize(); err != nil || size > s.maxWAL+1<<20 {
		t.Errorf("the -wal file has %d bytes; error %v", size, err)
	}
	if err := shell.Rollback(); err != nil {
		t.Fatal(err)
	}
	write(t, s, requests(id+1, 500, false, epoch))
	if size, err := s.walSize(); err != nil || size > s.largeWAL {
		t.Errorf("the -wal file has %d bytes after the reader has gone; error %v", size, err)
	}
}

// TestWALStaysSmall writes much while our own readers read.
func TestWALStaysSmall(t *testing.T) {
	s := opened(t)
	const pages = 100
	if _, err := s.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", pages)); err != nil {
		t.Fatal(err)
	}
	for id := range int64(60) {
		write(t, s, requests(id+1, 50, false, epoch))
		if _, err := s.Log(t.Context(), pool.LogQuery{Limit: 10}); err != nil {
			t.Fatal(err)
		}
	}
	if size, err := s.walSize(); err != nil || size > 2*pages*4096 {
		t.Errorf("the -wal file has %d bytes; error %v", size, err)
	}
}

func count(t *testing.T, s *Store, what string) (n int) {
	t.Helper()
	if err := s.rdb.QueryRow("SELECT " + what).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTargetsAreForgotten has many targets that are not used any more. They go
// when the last row of their days is gone, and no earlier.
func TestTargetsAreForgotten(t *testing.T) {
	s := opened(t)
	const day = 24 * time.Hour
	write(t, s, requests(1, 300, true, epoch))
	write(t, s, requests(2, 10, false, epoch))
	write(t, s, requests(3, 10, false, epoch.Add(20*day)))

	prune := func(before pool.Expiry, wantTargets int) {
		t.Helper()
		for more := true; more; {
			var err error
			if more, err = s.Prune(t.Context(), before, 100); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 { // those of a day go in steps too
			if _, err := s.Prune(t.Context(), before, 100); err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, s, "count(*) FROM target"); n != wantTargets {
			t.Errorf("%d targets, expected %d", n, wantTargets)
		}
	}
	prune(pool.Expiry{Log: epoch.Add(10 * day)}, 301)
	prune(pool.Expiry{Log: epoch, Usage: epoch.Add(10 * day)}, 301)
	prune(pool.Expiry{Log: epoch.Add(10 * day), Usage: epoch.Add(10 * day)}, 1)
	if n := count(t, s, "count(*) FROM route"); n != 5 {
		t.Errorf("%d routes, expected 5", n)
	}

	write(t, s, requests(1, 300, true, epoch.Add(21*day)))
	rows, err := s.Log(t.Context(), pool.LogQuery{Limit: 1000})
	if err != nil || len(rows) != 310 {
		t.Errorf("%d rows after the targets came back, expected 310; error %v", len(rows), err)
	}
}

// TestSpaceIsReleased removes a large log: the file gets smaller, in steps.
func TestSpaceIsReleased(t *testing.T) {
	s := opened(t)
	s.spareFree, s.maxReleased = 20, 10
	for id := range int64(20) {
		write(t, s, requests(id+1, 500, false, epoch))
	}
	before := count(t, s, "page_count FROM pragma_page_count")
	last, more := before, true
	for range 200 {
		var err error
		if more, err = s.Prune(t.Context(), pool.Expiry{Log: epoch.AddDate(1, 0, 0)}, 2000); err != nil {
			t.Fatal(err)
		}
		now := count(t, s, "page_count FROM pragma_page_count")
		if now > last || last-now > s.maxReleased {
			t.Fatalf("%d pages after %d", now, last)
		}
		last = now
	}
	if more {
		t.Error("more is left")
	}
	if free := count(t, s, "freelist_count FROM pragma_freelist_count"); free > s.spareFree {
		t.Errorf("%d free pages of %d, at first %d", free, last, before)
	}
}
