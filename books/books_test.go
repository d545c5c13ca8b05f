package books

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

func TestFollowOpensTheStoreAtOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.file.notice = "a damaged file was set aside"
		w.follow()
		if len(w.file.opens) != 1 || !w.file.isOpen || w.file.restored != 1 {
			t.Errorf("%d opens, open: %v, restored %d times; want one each", len(w.file.opens), w.file.isOpen, w.file.restored)
		}
		w.equal("told", w.told.all(), []string{"noticed: a damaged file was set aside"})
		w.equal("health", w.Health(), Health{OK: true})
	})
}

func TestWhatIsHandedOverIsWrittenWithinHalfASecond(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		before := w.writes()
		w.subject.use("t:443", 10)
		w.Enter(Entry{Path: "/x"})
		w.Event(pool.Event{Pool: "main", Proxy: "p", To: pool.StatusDown})
		w.pass(flushEvery)
		w.equal("writes", w.writes()-before, 1)
		w.equal("usage", w.stored(), int64(10))
		w.equal("total", w.record(), int64(10))
		w.equal("rows", len(w.file.log), 1)
		w.equal("events", len(w.file.events), 1)
		w.pass(time.Minute)
		w.equal("writes while nothing happens", w.writes()-before, 1)
	})
}

func TestSyncWritesAtOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		start := time.Now()
		w.subject.use("t:443", 10)
		w.Enter(Entry{Path: "/x"})
		w.Event(pool.Event{Pool: "main", Proxy: "p", To: pool.StatusDown})
		w.mustSync()
		w.equal("time", time.Since(start), time.Duration(0))
		w.equal("usage", w.stored(), int64(10))
		w.equal("rows", len(w.file.log), 1)
		w.equal("events", len(w.file.events), 1)
	})
}

func TestSyncEndsWithItsContext(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeTakes = 4 * time.Second })
		w.subject.use("t:443", 10)
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := w.Sync(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Sync = %v after %v, want the deadline's error after a second", err, time.Since(start))
		}
		w.pass(4 * time.Second)
		w.equal("usage", w.stored(), int64(10)) // the write went on
		w.equal("health", w.Health(), Health{OK: true})
	})
}

func TestCloseLosesNothing(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.subject.use("t:443", 10)
		for range 100 {
			w.Enter(Entry{Path: "/x"})
		}
		w.Event(pool.Event{Pool: "main", Proxy: "p", To: pool.StatusDown})
		alls := w.subject.alls
		w.Close()
		w.equal("usage", w.stored(), int64(10))
		w.equal("rows", len(w.file.log), 100)
		w.equal("events", len(w.file.events), 1)
		w.equal("collected all", w.subject.alls-alls, 1)
		w.equal("closes", w.file.closes, 1)
		w.equal("told", len(w.told.all()), 0)
		w.Close() // again
		w.follow()
		w.equal("opens", len(w.file.opens), 1)
		if err := w.sync(); !errors.Is(err, errClosed) {
			t.Errorf("Sync after Close = %v", err)
		}
		w.Enter(Entry{})
		if n := len(w.entries); n > 0 {
			t.Errorf("%d entries were taken after Close", n)
		}
	})
}

func TestCloseIsBounded(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeTakes, f.deaf = time.Hour, true })
		w.subject.use("t:443", 10)
		start := time.Now()
		w.Close()
		w.equal("time", time.Since(start), closeWithin)
		w.pass(time.Hour) // the writer ends once the store lets it
		w.equal("closes", w.file.closes, 1)
	})
}

func TestCloseTellsWhatIsLost(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeFault = errDisk })
		w.subject.use("t:443", 10)
		w.Close()
		w.equal("told", w.told.all(), []string{
			"failed: " + errDisk.Error(), "lost: " + errDisk.Error(),
		})
		w.equal("closes", w.file.closes, 1)
	})
}

func TestCloseTriesAgainAtOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.file.openFault = errDisk
		w.follow()
		w.subject.use("t:443", 10)
		w.pass(40 * time.Second) // the next try is half a minute away
		w.file.be(func(f *file) { f.openFault = nil })
		w.Close()
		w.equal("usage", w.stored(), int64(10))
	})
}

func TestCloseBeforeFollow(t *testing.T) {
	bubble(t, func(w *world) {
		if err := w.sync(); !errors.Is(err, errNotOpen) {
			t.Errorf("Sync before Follow = %v", err)
		}
		start := time.Now()
		w.Close()
		w.follow()
		w.equal("time", time.Since(start), time.Duration(0))
		w.equal("opens", len(w.file.opens), 0)
	})
}

func TestFollowKeepsTheStoreOfTheSameID(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.subject.use("t:443", 10)
		same := newFile("a")
		s := w.settings()
		s.Storage = same
		alls := w.subject.alls
		w.Follow(context.Background(), s)
		w.equal("usage", w.stored(), int64(10)) // nothing is lost by a reload
		w.equal("closes", w.file.closes, 0)
		w.equal("opens of the other", len(same.opens), 0)
		w.equal("restores", w.subject.restores, []string{"a", "a"}) // there may be new proxies
		w.equal("collected all", w.subject.alls-alls, 1)
	})
}

func TestFollowSwitchesTheStore(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.subject.use("t:443", 10)
		w.Enter(Entry{Path: "/x"})
		other := newFile("b")
		s := w.settings()
		s.Storage = other
		w.Follow(context.Background(), s)
		w.equal("usage in the old one", w.stored(), int64(10))
		w.equal("rows in the old one", len(w.file.log), 1)
		w.equal("closes", w.file.closes, 1)
		w.equal("restores", w.subject.restores, []string{"a", "b"})
		w.equal("total in the new one", other.records[recordKey{"main", "p"}].Total.BytesIn, int64(10))
		w.equal("usage in the new one", len(other.cells), 0)
		w.subject.use("t:443", 5)
		w.mustSync()
		w.equal("usage in the old one", w.stored(), int64(10))
		w.equal("usage in the new one", len(other.cells), 1)
	})
}

func TestFollowTakesWhatTheOldStoreRefused(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeFault = errDisk })
		w.subject.use("t:443", 10)
		w.Enter(Entry{Path: "/x"})
		w.Event(pool.Event{Pool: "main", Proxy: "p"})
		w.pass(2 * flushEvery)
		w.subject.use("t:443", 5)
		w.Enter(Entry{Path: "/y"})
		w.Event(pool.Event{Pool: "main", Proxy: "q"})
		other := newFile("b")
		s := w.settings()
		s.Storage = other
		var switched []string
		s.Hooks.Switched = func(from, to string) { switched = append(switched, from+" to "+to) }
		w.Follow(context.Background(), s)
		w.equal("switched", switched, []string{"a to b"})
		w.equal("total", other.records[recordKey{"main", "p"}].Total.BytesIn, int64(15))
		w.equal("usage", other.cells[cellKey{"main", "p", "t:443", pool.QuarterOf(time.Now())}].BytesIn, int64(15))
		w.equal("paths", []string{other.log[0].Path, other.log[1].Path}, []string{"/x", "/y"})
		w.equal("events", []string{other.events[0].Proxy, other.events[1].Proxy}, []string{"p", "q"})
		w.equal("batches", len(other.tries), 1)
		if len(other.tries[0].Records) != 1 {
			t.Errorf("%d records were written, want the newest alone", len(other.tries[0].Records))
		}
		w.equal("told", w.told.all(), []string{"failed: " + errDisk.Error(), "recovered after 500ms"})
	})
}

func TestFollowIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		deaf bool
		want time.Duration
	}{
		"a store that obeys":        {false, openWithin},
		"a store that does not end": {true, followWithin},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.file.openTakes, w.file.deaf = 20*time.Second, c.deaf
				start := time.Now()
				w.follow()
				w.equal("time", time.Since(start), c.want)
				w.subject.use("t:443", 10)
				w.file.be(func(f *file) { f.openTakes = 0 })
				w.pass(time.Minute)
				w.equal("usage", w.stored(), int64(10))
			})
		})
	}
}

func TestFollowOfACallerThatWentAwayStillCounts(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeTakes = 3 * time.Second })
		w.subject.use("t:443", 10)
		w.pass(flushEvery) // a write is under way
		other := newFile("b")
		s := w.settings()
		s.Storage = other
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w.Follow(ctx, s)
		w.equal("opens", see(other, func(f *file) int { return len(f.opens) }), 0)
		w.pass(4 * time.Second)
		w.equal("opens", see(other, func(f *file) int { return len(f.opens) }), 1)
		w.equal("usage in the old one", w.stored(), int64(10))
	})
}

func TestAnotherStoreIsNotMadeToWait(t *testing.T) {
	bubble(t, func(w *world) {
		w.file.openFault = errDisk
		w.follow()
		w.pass(40 * time.Second) // the next try is half a minute away
		other := newFile("b")
		s := w.settings()
		s.Storage = other
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w.Follow(ctx, s)
		w.pass(flushEvery)
		w.equal("opens", see(other, func(f *file) int { return len(f.opens) }), 1)
	})
}

func TestRestoreComesFirst(t *testing.T) {
	bubble(t, func(w *world) {
		w.subject.restoreFault = errors.New("reading the records: no")
		w.follow()
		w.subject.use("t:443", 10)
		w.Enter(Entry{Path: "/x"})
		w.equal("answered", w.answered(), int64(10)) // collects records that lack what the store knows
		w.pass(5 * time.Second)
		w.equal("writes", w.writes(), 0)
		if h := w.Health(); h.OK || h.Error != "taking over what the store knows: reading the records: no" {
			t.Errorf("Health = %+v", h)
		}
		w.subject.mu.Lock()
		w.subject.restoreFault = nil
		w.subject.total.BytesIn += 1000 // as Restore does
		w.subject.mu.Unlock()
		w.pass(maxWritePause)
		w.equal("opens", len(w.file.opens), 1)
		w.equal("usage", w.stored(), int64(10))
		for _, b := range w.file.tries {
			for _, r := range b.Records {
				w.equal("total", r.Total.BytesIn, int64(1010))
			}
		}
		w.equal("rows", len(w.file.log), 1)
	})
}

// Everything at once, from everywhere, in real time: for the race detector.
func TestConcurrentUse(t *testing.T) {
	s := &subject{}
	b := New(s)
	files := []*file{newFile("a"), newFile("b")}
	var hooks told
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b.Follow(ctx, Settings{Storage: files[0], Log: true, Hooks: hooks.hooks()})
	var wg sync.WaitGroup
	const rounds = 200
	for n := range 4 {
		wg.Go(func() {
			for i := range rounds {
				s.use("t:443", 1)
				b.Enter(Entry{Path: "/x"})
				b.Event(pool.Event{Pool: "main"})
				id := int64(i*4 + n + 1)
				b.Keep([]pool.Alert{{ID: id}}, []int64{-id}, []pool.Note{{Name: fmt.Sprint(id), Body: []byte("x")}})
			}
		})
		wg.Go(func() {
			for i := range rounds / 10 {
				b.Follow(ctx, Settings{Storage: files[i%2], Log: true, Hooks: hooks.hooks()})
				_ = b.Sync(ctx)
			}
		})
		wg.Go(func() {
			for range rounds / 10 {
				_, _ = b.Usage(ctx, allTime)
				_, _ = b.Log(ctx, pool.LogQuery{Limit: 10})
				_, _ = b.Events(ctx, pool.EventQuery{Limit: 10})
				b.Health()
			}
		})
	}
	wg.Wait()
	b.Close()
	var sum pool.Usage
	rows, events, alerts, notes := 0, 0, 0, 0
	for _, f := range files {
		for _, u := range f.cells {
			sum.Add(u)
		}
		rows += len(f.log)
		events += len(f.events)
		alerts += len(f.alerts)
		notes += len(f.notes)
		if len(f.misuse) > 0 {
			t.Errorf("a store was misused: %v", f.misuse)
		}
	}
	if sum.Requests != 4*rounds || rows != 4*rounds || events != 4*rounds {
		t.Errorf("%d requests, %d rows, %d events, want %d of each", sum.Requests, rows, events, 4*rounds)
	}
	if alerts != 4*rounds || notes != 4*rounds {
		t.Errorf("%d alerts, %d notes, want %d of each", alerts, notes, 4*rounds)
	}
	if all := hooks.all(); len(all) > 0 {
		t.Errorf("told: %v", all)
	}
}

func TestCloseEndsTheGoroutine(t *testing.T) {
	// A bubble does not end before its goroutines do, and panics where they cannot.
	synctest.Test(t, func(t *testing.T) {
		b := New(&subject{})
		b.Follow(context.Background(), Settings{Storage: newFile("a")})
		b.Close()
		select {
		case <-b.done:
		default:
			t.Error("the writer still runs")
		}
	})
}
