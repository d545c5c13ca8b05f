package books

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

func TestUsageHasWhatIsNotWritten(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.subject.use("t:443", 10)
		w.equal("at once", w.answered(), int64(10))
		w.equal("written by the query", w.stored(), int64(10))
		w.file.be(func(f *file) { f.writeFault = errDisk })
		for i := range 40 {
			w.subject.use("t:443", 1)
			w.equal("while the store fails", w.answered(), int64(11+i))
			w.pass(100 * time.Millisecond)
		}
		w.equal("written", w.stored(), int64(10))
		w.file.be(func(f *file) { f.writeFault = nil })
		w.pass(maxWritePause)
		w.equal("afterwards", w.answered(), int64(50))
		w.equal("written", w.stored(), int64(50))
		w.equal("total", w.record(), int64(50))
	})
}

func TestUsageWithoutAStore(t *testing.T) {
	bubble(t, func(w *world) {
		w.equal("before anything", w.answered(), int64(0))
		w.file.openFault = errDisk
		w.follow()
		w.subject.use("t:443", 10)
		w.equal("at once", w.answered(), int64(10))
		w.subject.use("t:443", 5)
		w.pass(time.Minute)
		w.equal("later", w.answered(), int64(15))
		w.file.be(func(f *file) { f.openFault = nil })
		w.pass(maxOpenPause)
		w.equal("afterwards", w.answered(), int64(15))
		w.equal("written", w.stored(), int64(15))
	})
}

func TestLogAndEventsWithoutAStore(t *testing.T) {
	bubble(t, func(w *world) {
		ctx := context.Background()
		both := func() []error {
			_, err := w.Log(ctx, pool.LogQuery{Limit: 1})
			_, err2 := w.Events(ctx, pool.EventQuery{Limit: 1})
			return []error{err, err2}
		}
		for _, err := range both() {
			if !errors.Is(err, errNotOpen) {
				t.Errorf("before Follow: %v", err)
			}
		}
		w.file.openFault = errDisk
		w.follow()
		for _, err := range both() {
			if !errors.Is(err, errDisk) {
				t.Errorf("while the store cannot be opened: %v", err)
			}
		}
		w.Close()
		for _, err := range both() {
			if !errors.Is(err, errClosed) {
				t.Errorf("after Close: %v", err)
			}
		}
	})
}

func TestLogAndEventsHaveTheNewest(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		for _, path := range []string{"/1", "/2", "/3"} {
			w.Enter(Entry{Path: path})
			w.Event(pool.Event{Proxy: path})
		}
		log, err := w.Log(context.Background(), pool.LogQuery{Limit: 2})
		if err != nil || len(log) != 2 || log[0].Path != "/3" {
			t.Errorf("Log = %v, %v", log, err)
		}
		events, err := w.Events(context.Background(), pool.EventQuery{Limit: 2})
		if err != nil || len(events) != 2 || events[0].Proxy != "/3" {
			t.Errorf("Events = %v, %v", events, err)
		}
		w.file.be(func(f *file) { f.writeFault = errDisk })
		w.Enter(Entry{Path: "/4"})
		log, err = w.Log(context.Background(), pool.LogQuery{Limit: 2})
		if err != nil || log[0].Path != "/3" {
			t.Errorf("while writing fails: Log = %v, %v", log, err)
		}
	})
}

func TestAQueryDoesNotWaitLongForTheWriter(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeTakes = 4 * time.Second })
		w.subject.use("t:443", 10)
		w.pass(flushEvery)
		start := time.Now()
		if _, err := w.Log(context.Background(), pool.LogQuery{Limit: 1}); err != nil {
			t.Error(err)
		}
		w.equal("time", time.Since(start), querySyncWithin)
	})
}

// What is being written may or may not be in the store: it must not be missing,
// and not be there twice.
func TestUsageDuringAWrite(t *testing.T) {
	for name, c := range map[string]struct {
		fault        error
		afterTheFact bool
	}{
		"that succeeds":                  {nil, false},
		"that fails":                     {errDisk, false},
		"that is done before it is told": {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.follow()
				w.subject.use("t:443", 10)
				w.mustSync()
				w.file.be(func(f *file) { f.writeTakes, f.writeFault, f.afterTheFact = 3*time.Second, c.fault, c.afterTheFact })
				w.subject.use("t:443", 5)
				w.pass(flushEvery)
				start := time.Now()
				w.equal("answered", w.answered(), int64(15))
				if d := time.Since(start); d > 4*time.Second {
					t.Errorf("answered after %v", d)
				}
			})
		})
	}
}

func TestUsageThatAWriteCameBetween(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeFault = errDisk })
		w.subject.use("t:443", 10)
		w.pass(flushEvery) // held, and tried again half a second later
		w.file.be(func(f *file) { f.readTakes = 2 * flushEvery })
		got := make(chan int64)
		go func() { got <- w.answered() }()
		w.pass(flushEvery / 5)
		w.file.be(func(f *file) { f.writeFault = nil })
		w.equal("answered", <-got, int64(10))
		w.equal("written", w.stored(), int64(10))
	})
}

func TestUsageByQuery(t *testing.T) {
	bubble(t, func(w *world) {
		w.file.openFault = errDisk
		w.follow()
		cell := func(name, proxy, target string, q pool.Quarter) pool.UsageCell {
			return pool.UsageCell{Pool: name, Proxy: proxy, Target: target, Quarter: q, Usage: pool.Usage{BytesIn: 1}}
		}
		w.held.add(nil, []pool.UsageCell{
			cell("a", "p", "t", 9), cell("a", "p", "t", 10), cell("a", "p", "t", 11), cell("a", "p", "u", 12),
			cell("a", "q", "t", 19), cell("b", "p", "t", 20), cell("b", "p", "t", 30),
		})
		span := []pool.QuarterSpan{{From: 10, To: 20}, {From: 20, To: 30}}
		row := func(span int, name, proxy, target string, bytes int64) pool.UsageRow {
			return pool.UsageRow{Span: span, Pool: name, Proxy: proxy, Target: target, Usage: pool.Usage{BytesIn: bytes}}
		}
		for name, c := range map[string]struct {
			query pool.UsageQuery
			want  []pool.UsageRow
		}{
			"all":      {pool.UsageQuery{Spans: span}, []pool.UsageRow{row(0, "a", "p", "t", 2), row(0, "a", "p", "u", 1), row(0, "a", "q", "t", 1), row(1, "b", "p", "t", 1)}},
			"pool":     {pool.UsageQuery{Pool: "b", Spans: span}, []pool.UsageRow{row(1, "b", "p", "t", 1)}},
			"proxy":    {pool.UsageQuery{Proxy: "q", Spans: span}, []pool.UsageRow{row(0, "a", "q", "t", 1)}},
			"target":   {pool.UsageQuery{Target: "u", Spans: span}, []pool.UsageRow{row(0, "a", "p", "u", 1)}},
			"none":     {pool.UsageQuery{Target: "v", Spans: span}, nil},
			"together": {pool.UsageQuery{Pool: "a", Together: true, Spans: span}, []pool.UsageRow{row(0, "", "", "", 4)}},
		} {
			got, err := w.Usage(context.Background(), c.query)
			if err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(got, func(a, b pool.UsageRow) int {
				return slices.Compare([]string{a.Pool, a.Proxy, a.Target}, []string{b.Pool, b.Proxy, b.Target})
			})
			w.equal(name, got, c.want)
		}
	})
}

func TestHeldUsageIsAddedToTheRowsOfTheStore(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.subject.use("t:443", 10)
		w.mustSync()
		w.file.be(func(f *file) { f.writeFault = errDisk })
		w.subject.use("t:443", 5)
		rows, err := w.Usage(context.Background(), allTime)
		if err != nil {
			t.Fatal(err)
		}
		w.equal("rows", rows, []pool.UsageRow{{Pool: "main", Proxy: "p", Target: "t:443", Usage: pool.Usage{Requests: 2, BytesIn: 15}}})
	})
}

func TestAnErrorOfReadingIsTheAnswer(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.readFault = errDisk })
		if _, err := w.Usage(context.Background(), allTime); !errors.Is(err, errDisk) {
			t.Errorf("Usage = %v", err)
		}
		if _, err := w.Events(context.Background(), pool.EventQuery{Limit: 1}); !errors.Is(err, errDisk) {
			t.Errorf("Events = %v", err)
		}
	})
}

func TestAStoreIsNotClosedUnderAReader(t *testing.T) {
	for name, deaf := range map[string]bool{"that ends": false, "that does not end": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.follow()
				w.file.be(func(f *file) { f.readTakes, f.deaf = 20*time.Second, deaf })
				read := make(chan error, 1)
				go func() {
					_, err := w.Log(context.Background(), pool.LogQuery{Limit: 1})
					read <- err
				}()
				w.pass(time.Second)
				start := time.Now()
				w.Close() // the fake notes where it is read after that
				if deaf {
					w.equal("time", time.Since(start), handleWithin)
					w.equal("closes", see(w.file, func(f *file) int { return f.closes }), 0)
				} else if err := <-read; !errors.Is(err, context.Canceled) {
					t.Errorf("Log = %v", err)
				}
				w.pass(20 * time.Second)
				w.equal("closes", w.file.closes, 1)
			})
		})
	}
}

func TestAQueryEndsByItself(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.readTakes = time.Hour })
		start := time.Now()
		if _, err := w.Usage(context.Background(), allTime); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Usage = %v", err)
		}
		w.equal("time", time.Since(start), queryWithin)
	})
}
