package books

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/pool"
)

func TestAFailedBatchIsTriedAgainUnchanged(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		first := w.writes()
		w.file.be(func(f *file) { f.writeFault = errDisk })
		w.subject.use("t:443", 10)
		w.Enter(Entry{Path: "/x"})
		w.pass(flushEvery)
		collects := w.subject.collects
		for range 20 {
			w.subject.use("t:443", 1)
			w.Enter(Entry{Path: "/y"})
			w.Event(pool.Event{Pool: "main", Proxy: "p"})
			w.pass(flushEvery)
		}
		w.equal("collects while it fails", w.subject.collects-collects, 0)
		tries := w.file.tries[first:]
		for _, b := range tries[1:] {
			w.equal("batch", b, tries[0])
		}
		w.file.be(func(f *file) { f.writeFault = nil })
		w.pass(maxWritePause)
		w.equal("usage", w.stored(), int64(30))
		w.equal("total", w.record(), int64(30))
		w.equal("rows", len(w.file.log), 21)
		w.equal("events", len(w.file.events), 20)
		last := w.file.tries[len(w.file.tries)-1]
		if last.ID == tries[0].ID {
			t.Error("the next batch has the ID of the one before")
		}
	})
}

func TestABatchWhoseErrorCameAfterTheFactCountsOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeFault, f.afterTheFact = errDisk, true })
		w.subject.use("t:443", 10)
		w.pass(10 * time.Second)
		w.file.be(func(f *file) { f.writeFault = nil })
		w.pass(maxWritePause)
		w.equal("usage", w.stored(), int64(10))
	})
}

func TestPausesAfterFaults(t *testing.T) {
	gaps := func(times []time.Time) (gaps []time.Duration) {
		for i := range times[1:] {
			gaps = append(gaps, times[i+1].Sub(times[i]))
		}
		return gaps
	}
	t.Run("writing", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.follow()
			first := w.writes()
			w.file.be(func(f *file) { f.writeFault = errDisk })
			w.subject.use("t:443", 10)
			w.pass(20 * time.Second)
			w.equal("pauses", gaps(w.file.times[first:]), []time.Duration{
				500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second,
			})
		})
	})
	t.Run("opening", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.file.openFault = errDisk
			w.follow()
			w.pass(100 * time.Second)
			w.equal("pauses", gaps(w.file.opens), []time.Duration{
				time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second,
			})
		})
	})
	t.Run("begin anew after a success", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.follow()
			for range 2 {
				w.file.be(func(f *file) { f.writeFault, f.times = errDisk, nil })
				w.subject.use("t:443", 10)
				w.pass(4 * time.Second)
				w.equal("first pause", gaps(w.file.times)[0], 500*time.Millisecond)
				w.file.be(func(f *file) { f.writeFault = nil })
				w.pass(maxWritePause)
			}
		})
	})
}

func TestSyncTellsTheFaultAndDoesNotHammer(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeFault = errDisk })
		w.subject.use("t:443", 10)
		if err := w.sync(); !errors.Is(err, errDisk) {
			t.Fatalf("Sync = %v", err)
		}
		tries := w.writes()
		w.pass(600 * time.Millisecond) // the next pause is a second
		tries2 := w.writes()
		for range 10 {
			if err := w.sync(); !errors.Is(err, errDisk) {
				t.Fatalf("Sync = %v", err)
			}
		}
		w.equal("tries", []int{tries2 - tries, w.writes() - tries2}, []int{1, 0})
		w.file.be(func(f *file) { f.writeFault = nil })
		w.follow() // tries at once
		w.equal("usage", w.stored(), int64(10))
	})
}

func TestAFaultIsToldOnceAndItsEnd(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeFault = errDisk })
		w.subject.use("t:443", 10)
		w.pass(flushEvery)
		began := time.Now()
		w.equal("health", w.Health(), Health{Error: errDisk.Error(), Since: began})
		w.pass(30 * time.Second)
		w.equal("health", w.Health(), Health{Error: errDisk.Error(), Since: began})
		w.equal("told", w.told.all(), []string{"failed: " + errDisk.Error()})
		w.file.be(func(f *file) { f.writeFault = nil })
		w.pass(maxWritePause)
		w.equal("health", w.Health(), Health{OK: true})
		w.equal("told", len(w.told.all()), 2)
		w.pass(time.Minute)
		w.equal("told", len(w.told.all()), 2)
	})
}

func TestHealthTellsTheNewestError(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeFault = errDisk })
		w.subject.use("t:443", 10)
		w.pass(flushEvery)
		w.file.be(func(f *file) { f.writeFault = errors.New("another") })
		w.pass(flushEvery)
		w.equal("error", w.Health().Error, "another")
	})
}

func TestAWriteThatHangsIsGivenUp(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeTakes = time.Hour })
		w.subject.use("t:443", 10)
		w.pass(flushEvery + writeWithin)
		if h := w.Health(); h.OK {
			t.Error("a write that hangs is no fault")
		}
		w.file.be(func(f *file) { f.writeTakes = 0 })
		w.pass(maxWritePause)
		w.equal("usage", w.stored(), int64(10))
	})
}

func TestReopen(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.subject.use("t:443", 10)
		w.mustSync()
		w.file.be(func(f *file) { f.writeFault = fmt.Errorf("reading page 3: %w", pool.ErrReopen) })
		w.subject.use("t:443", 5)
		w.pass(flushEvery) // twice at once, then a pause
		w.equal("opens", len(w.file.opens), 2)
		w.equal("closes", w.file.closes, 2)
		n := len(w.file.tries)
		w.equal("the second try", w.file.tries[n-1], w.file.tries[n-2])
		if _, err := w.Log(context.Background(), pool.LogQuery{Limit: 1}); !errors.Is(err, pool.ErrReopen) {
			t.Errorf("Log while no store is open = %v", err)
		}
		alls := w.subject.alls
		w.file.be(func(f *file) { f.writeFault = nil; f.empty() }) // the damaged file was set aside
		w.pass(time.Second)
		w.equal("restores", w.subject.restores, []string{"a", "a", "a"})
		w.equal("collected all", w.subject.alls-alls, 1)
		w.equal("usage", w.stored(), int64(5))
		w.equal("total", w.record(), int64(15))
		w.equal("told", len(w.told.all()), 2)
	})
}

func TestReopenAtOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeFault = pool.ErrReopen })
		w.subject.use("t:443", 10)
		w.file.notice = "a damaged file was set aside"
		heal := w.settings()
		heal.Hooks.Noticed = func(string) { w.file.be(func(f *file) { f.writeFault = nil }) }
		w.Follow(context.Background(), heal)
		w.equal("usage", w.stored(), int64(10))
		w.equal("opens", len(w.file.opens), 2)
		w.equal("told", len(w.told.all()), 0) // the notice says it all
	})
}

func TestAReaderFindsTheDamage(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.readFault = fmt.Errorf("reading page 3: %w", pool.ErrReopen) })
		if _, err := w.Log(context.Background(), pool.LogQuery{Limit: 1}); !errors.Is(err, pool.ErrReopen) {
			t.Errorf("Log = %v", err)
		}
		w.file.be(func(f *file) { f.readFault = nil; f.empty() })
		w.pass(flushEvery)
		w.equal("opens", len(w.file.opens), 2)
		w.equal("records", len(w.file.records), 1) // what the process knows is in it
	})
}

func TestAStoreThatIsSwitchedWhileItFailsGetsTheSameBatch(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeFault, f.afterTheFact = pool.ErrReopen, true })
		w.subject.use("t:443", 10)
		w.pass(flushEvery)
		w.file.be(func(f *file) { f.writeFault = nil })
		w.pass(time.Second)
		w.equal("usage", w.stored(), int64(10)) // it had been written
	})
}

func TestEventsAreBounded(t *testing.T) {
	bubble(t, func(w *world) {
		w.file.openFault = errDisk
		w.follow()
		for i := range maxEvents + 3 {
			w.Event(pool.Event{Pool: "main", Proxy: fmt.Sprint(i)})
		}
		w.equal("dropped", w.Health().Dropped, int64(3))
		w.file.be(func(f *file) { f.openFault = nil })
		w.pass(time.Second)
		w.equal("events", len(w.file.events), maxEvents)
		w.equal("oldest", w.file.events[0].Proxy, "3")
	})
}

func TestEventsThatAreTakenBackAreBounded(t *testing.T) {
	var q eventQueue
	named := func(names ...string) (rows []pool.EventRow) {
		for _, n := range names {
			rows = append(rows, pool.EventRow{Event: pool.Event{Proxy: n}})
		}
		return rows
	}
	for range maxEvents - 1 {
		q.add(named("new")[0])
	}
	if n := q.putBack(named("old", "older")); n != 1 {
		t.Errorf("dropped %d, want 1", n)
	}
	got := q.take()
	if got[0].Proxy != "older" || got[1].Proxy != "new" || len(got) != maxEvents {
		t.Errorf("%d events, first %q, %q", len(got), got[0].Proxy, got[1].Proxy)
	}
}

func TestCellsAreBoundedAndNothingIsLost(t *testing.T) {
	var h held
	cell := func(proxy string, target int, q pool.Quarter) pool.UsageCell {
		return pool.UsageCell{Pool: "main", Proxy: proxy, Target: fmt.Sprint(target), Quarter: q, Usage: pool.Usage{BytesIn: 1}}
	}
	for i := range maxCells + 10 {
		h.add(nil, []pool.UsageCell{cell("p", i, 1)})
	}
	if n := len(h.cells); n != maxCells+1 {
		t.Errorf("%d cells, want %d: targets are no longer kept apart", n, maxCells+1)
	}
	for i := range 2 * maxCells {
		h.add(nil, []pool.UsageCell{cell("p", 1, pool.Quarter(i+2))})
	}
	h.add(nil, []pool.UsageCell{cell("q", 1, 7)})
	if n := len(h.cells); n > 2*maxCells+2 {
		t.Errorf("%d cells, want at most %d: quarters are no longer kept apart", n, 2*maxCells+2)
	}
	sum := make(map[string]int64)
	for _, c := range h.seal(&pool.Batch{ID: 1}).Usage {
		sum[c.Proxy] += c.BytesIn
	}
	if diff := cmp.Diff(map[string]int64{"p": 3*maxCells + 10, "q": 1}, sum); diff != "" {
		t.Errorf("bytes (-want +got):\n%s", diff)
	}
}

func TestRecordsAreReplaced(t *testing.T) {
	var h held
	for i := range 3 {
		h.add([]pool.Record{{Pool: "main", Proxy: "p", Total: pool.Usage{Requests: int64(i)}}}, nil)
	}
	b := h.seal(&pool.Batch{ID: 1})
	want := []pool.Record{{Pool: "main", Proxy: "p", Total: pool.Usage{Requests: 2}}}
	if diff := cmp.Diff(want, b.Records); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	h = held{}
	if b := h.seal(&pool.Batch{ID: 2}); b != nil {
		t.Error("a batch of nothing was made")
	}
	h.add(want, nil)
	h.unseal() // nothing was sealed, but what was collected is out of date all the same
	if b := h.seal(&pool.Batch{ID: 3}); b != nil {
		t.Errorf("records are still there that are collected anew: %v", b.Records)
	}
}

func TestAnErrorOfClosingIsTold(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.closeFault = errDisk })
		w.Close()
		w.equal("told", w.told.all(), []string{"noticed: closing the store: " + errDisk.Error()})
	})
}

func TestAnotherFaultIsNews(t *testing.T) {
	bubble(t, func(t *world) {
		t.follow()
		other := errors.New("the file is locked")
		fail := func(err error) { t.file.be(func(f *file) { f.writeFault = err }) }
		fail(errDisk)
		t.subject.use("t:443", 1)
		t.pass(10 * time.Second)
		fail(other)
		t.pass(30 * time.Second)
		t.equal("told within a minute", len(t.told.all()), 1)
		t.pass(time.Minute)
		t.equal("told after a minute", t.told.all(), []string{
			"failed: " + errDisk.Error(), "failed: " + other.Error(),
		})
	})
}
