package sqlite_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/caddy-proxypool/proxypool/pool"
	"github.com/caddy-proxypool/proxypool/storage/memory"
)

// FuzzDamage overwrites a piece of a file. What is opened then has all that was
// in it or is set aside, and nothing is lost silently.
func FuzzDamage(f *testing.F) {
	path := f.TempDir() + "/proxy_pool.db"
	store := openAt(f, path)
	writeBatches(f, store, 1, damagedBatches)
	if err := store.Close(); err != nil {
		f.Fatal(err)
	}
	sound := mustRead(f, path)
	f.Add(uint32(0), []byte("SQLite format 4"))
	f.Add(uint32(16), []byte{0, 0})
	f.Add(uint32(28), []byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(uint32(60), []byte{0, 0, 0, 9})
	f.Add(uint32(100), []byte{13})
	f.Add(uint32(4096), []byte{13, 0, 0, 0, 0})
	f.Add(uint32(2*4096+3), []byte{0, 1})
	f.Add(uint32(5*4096+8), []byte{15, 0, 15, 1})
	f.Fuzz(func(t *testing.T, at uint32, piece []byte) {
		const page = 4096
		if len(piece) == 0 || len(piece) > page {
			return
		}
		raw := bytes.Clone(sound)
		copy(raw[int(at)%len(raw):], piece)
		path := dbPath(t)
		mustWrite(t, path, raw)
		batches, aside, err := openDamaged(t, path, raw)
		switch {
		case err != nil: // refused, and left as it is
		case aside && batches != 0:
			t.Errorf("%d batches in a new file", batches)
		case !aside && batches != damagedBatches:
			t.Errorf("%d batches, expected %d or that the file is set aside", batches, damagedBatches)
		}
	})
}

// FuzzRows stores anything in both stores: what comes back is what was stored.
func FuzzRows(f *testing.F) {
	store := openAt(f, f.TempDir()+"/proxy_pool.db")
	f.Cleanup(func() {
		if err := store.Close(); err != nil {
			f.Error(err)
		}
	})
	f.Add("main", "A", "GET", "/bot***/x", []byte("{}"), int64(200), int64(5))
	f.Add("", "", "\x00", "'; DROP TABLE log; --", []byte{0, 255}, int64(-1), int64(1)<<62)
	f.Add("é\u200f", "پروکسی", "x\x00y", "\U0010FFFF", []byte(nil), int64(0), int64(-1)<<63)
	var batches atomic.Int64
	f.Fuzz(func(t *testing.T, name, proxy, word, path string, body []byte, n, m int64) {
		for _, s := range []string{name, proxy, word, path} {
			if !utf8.ValidString(s) || len(s) > 200 {
				return // what the books never hand over
			}
		}
		at := time.UnixMilli(n % (1 << 42)).UTC()
		b := &pool.Batch{
			ID:      batches.Add(1),
			Log:     []pool.LogRow{{Time: at, Pool: name, Proxy: proxy, Method: word, Target: word, Path: path, Status: int(n % 1000), Duration: time.Duration(m%1e9) * time.Millisecond, BytesIn: n, BytesOut: m, Attempts: int(m % 100), Trail: path, Error: word}},
			Events:  []pool.EventRow{{Event: pool.Event{Time: at, Pool: name, Proxy: proxy, From: pool.Status(word), To: pool.Status(path), Reason: path}}},
			Records: []pool.Record{{Pool: name, Proxy: proxy, Total: pool.Usage{Requests: n, Cost: pool.Money(m)}, State: body}},
			Alerts:  []pool.Alert{{ID: n&(1<<40) | 1, Time: at, Notifier: word, Body: append([]byte("x"), body...)}},
			Notes:   []pool.Note{{Name: "n" + word, Body: append([]byte("x"), body...)}},
		}
		fresh, err := new(memory.Storage).Open(context.Background(), func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		if diff := cmp.Diff(stored(t, fresh, b), stored(t, store, b), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("memory and SQLite differ: %s", diff)
		}
	})
}

// written is what a store gives back of a batch.
type written struct {
	Log     pool.LogRow
	Event   pool.Event
	Records []pool.Record
	Alert   pool.Alert
	Note    pool.Note
}

// stored writes a batch and reads it again.
func stored(t *testing.T, store pool.Store, b *pool.Batch) written {
	t.Helper()
	ctx := t.Context()
	if err := store.Write(ctx, b); err != nil {
		t.Fatal(err)
	}
	var w written
	if rows := read(store.Log(ctx, pool.LogQuery{Limit: 1})); len(rows) == 1 {
		w.Log = rows[0]
		w.Log.ID = 0
	}
	if rows := read(store.Events(ctx, pool.EventQuery{Limit: 1})); len(rows) == 1 {
		w.Event = rows[0].Event
	}
	for _, r := range read(store.Records(ctx, b.Records[0].Pool)) {
		if r.Proxy == b.Records[0].Proxy {
			w.Records = append(w.Records, r)
		}
	}
	for _, a := range read(store.Alerts(ctx)) {
		if a.ID == b.Alerts[0].ID {
			w.Alert = a
		}
	}
	for _, n := range read(store.Notes(ctx)) {
		if n.Name == b.Notes[0].Name {
			w.Note = n
		}
	}
	return w
}

func read[T any](rows []T, err error) []T {
	if err != nil {
		panic(err)
	}
	return rows
}
