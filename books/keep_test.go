package books

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/caddy-proxypool/proxypool/pool"
)

// alertsOf are alerts with these IDs, and the same body.
func alertsOf(body string, ids ...int64) (alerts []pool.Alert) {
	for _, id := range ids {
		alerts = append(alerts, pool.Alert{ID: id, Notifier: "telegram", Body: []byte(body)})
	}
	return alerts
}

// notesOf are notes of these names and bodies, in turn.
func notesOf(words ...string) (notes []pool.Note) {
	for pair := range slices.Chunk(words, 2) {
		notes = append(notes, pool.Note{Name: pair[0], Body: []byte(pair[1])})
	}
	return notes
}

// keptIn checks what a batch has of what was kept.
func (w *world) keptIn(what string, b pool.Batch, alerts []pool.Alert, delivered []int64, notes []pool.Note) {
	w.Helper()
	got := pool.Batch{Alerts: b.Alerts, Delivered: b.Delivered, Notes: b.Notes}
	want := pool.Batch{Alerts: alerts, Delivered: delivered, Notes: notes}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (w *world) tries() []pool.Batch {
	return see(w.file, func(f *file) []pool.Batch { return slices.Clone(f.tries) })
}

// outbox are the IDs of the alerts that a file holds.
func (f *file) outbox() []int64 { return slices.Sorted(maps.Keys(f.alerts)) }

func TestWhatIsKeptIsWrittenTogetherAtOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.pass(flushEvery / 5) // between two flushes
		before, start := w.writes(), time.Now()
		w.Keep(alertsOf("down", 5, 6), []int64{3, 4}, notesOf("told", "down", "report", ""))
		w.pass(0)
		w.equal("time", time.Since(start), time.Duration(0))
		w.equal("writes", w.writes()-before, 1)
		w.keptIn("batch", w.tries()[before], alertsOf("down", 5, 6), []int64{3, 4}, notesOf("report", "", "told", "down"))
		w.pass(time.Minute)
		w.equal("writes while nothing happens", w.writes()-before, 1)
	})
}

func TestEachKindIsKeptAlone(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		first := w.writes()
		w.Keep(alertsOf("down", 1), nil, nil)
		w.pass(0)
		w.Keep(nil, []int64{1}, nil)
		w.pass(0)
		w.Keep(nil, nil, notesOf("told", "down"))
		w.pass(0)
		w.Keep(nil, nil, nil)
		w.pass(0)
		w.equal("batches", w.writes()-first, 3)
		w.equal("alerts", w.file.outbox(), []int64(nil))
		w.equal("notes", w.file.notes, map[string]string{"told": "down"})
	})
}

func TestWhatIsKeptBeforeAStoreIsOpen(t *testing.T) {
	bubble(t, func(w *world) {
		w.Keep(alertsOf("down", 2), nil, notesOf("told", "down", "other", "x"))
		w.pass(time.Minute)
		w.file.openFault = errDisk
		w.follow()
		w.Keep(alertsOf("up", 3), []int64{1}, notesOf("told", "up"))
		w.pass(10 * time.Second)
		w.equal("writes", w.writes(), 0)
		w.file.be(func(f *file) { f.openFault = nil })
		w.pass(maxOpenPause)
		w.equal("writes", w.writes(), 1)
		w.keptIn("batch", w.tries()[0], append(alertsOf("down", 2), alertsOf("up", 3)...), []int64{1}, notesOf("other", "x", "told", "up"))
	})
}

func TestTheNewestOfWhatWaitsIsWritten(t *testing.T) {
	bubble(t, func(w *world) {
		w.Keep(alertsOf("old", 4, 2), nil, notesOf("a", "old", "b", "old", "c", ""))
		w.Keep(alertsOf("new", 3, 4), nil, notesOf("b", "", "c", "new"))
		w.Keep(nil, []int64{2, 1}, nil) // one was never written, of the other that is not known
		w.follow()
		w.keptIn("batch", w.tries()[0], alertsOf("new", 3, 4), []int64{2, 1}, notesOf("a", "old", "b", "", "c", "new"))
	})
}

func TestKeepWhileTheStoreFails(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		first := w.writes()
		w.file.be(func(f *file) { f.writeFault = errDisk })
		w.Keep(alertsOf("down", 1), nil, notesOf("told", "down"))
		w.pass(0)
		w.equal("tries", w.writes()-first, 1)
		for i := range int64(20) {
			w.Keep(alertsOf("more", i+2), []int64{1}, notesOf("told", fmt.Sprint(i)))
			w.pass(0)
		}
		w.equal("tries, which do not come more often", w.writes()-first, 1)
		start := time.Now()
		if err := w.sync(); err == nil || time.Since(start) != 0 {
			t.Errorf("Sync = %v after %v, want the fault at once", err, time.Since(start))
		}
		w.pass(10 * time.Second)
		tries := w.tries()[first:]
		for _, b := range tries[1:] {
			w.equal("the batch that waits", b, tries[0])
		}
		w.file.be(func(f *file) { f.writeFault = nil })
		w.pass(maxWritePause)
		tries = w.tries()[first+len(tries):]
		w.equal("tries", len(tries), 2)
		w.keptIn("the first", tries[0], alertsOf("down", 1), nil, notesOf("told", "down"))
		w.equal("alerts in the second", len(tries[1].Alerts), 20)
		w.equal("notes", w.file.notes, map[string]string{"told": "19"})
		w.equal("alerts", len(w.file.alerts), 20) // the first was delivered
		w.equal("health", w.Health(), Health{OK: true})
	})
}

func TestKeepDoesNotWait(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeTakes, f.deaf = time.Hour, true })
		start := time.Now()
		for i := range int64(3) {
			w.Keep(alertsOf("down", i+1), nil, nil)
			w.equal("time", time.Since(start), time.Duration(0))
			w.pass(0)
			start = time.Now()
		}
		w.file.be(func(f *file) { f.writeTakes = 0 })
		w.pass(time.Hour)
		w.equal("alerts", w.file.outbox(), []int64{1, 2, 3})
	})
}

func TestAnotherStoreGetsWhatWasKept(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeFault = errDisk })
		w.Keep(alertsOf("old", 1, 2, 3), []int64{8}, notesOf("a", "old", "b", "old", "c", "old"))
		w.pass(0)
		w.Keep(alertsOf("new", 3, 4), []int64{2, 9}, notesOf("b", "new", "c", ""))
		other := newFile("b")
		s := w.settings()
		s.Storage = other
		w.Follow(context.Background(), s)
		w.equal("batches", len(other.tries), 1)
		w.keptIn("batch", other.tries[0], append(alertsOf("old", 1), alertsOf("new", 3, 4)...), []int64{8, 2, 9},
			notesOf("a", "old", "b", "new", "c", ""))
		w.pass(time.Minute)
		w.equal("batches", len(other.tries), 1)
	})
}

// A store that is opened again may have the batch that waits, which then does
// not change.
func TestTheSameStoreGetsTheSameBatch(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		first := w.writes()
		w.file.be(func(f *file) { f.writeFault, f.afterTheFact = pool.ErrReopen, true })
		w.Keep(alertsOf("down", 1), nil, notesOf("told", "down"))
		w.pass(0)
		w.Keep(nil, []int64{1}, notesOf("told", "nothing"))
		w.file.be(func(f *file) { f.writeFault, f.afterTheFact = nil, false })
		w.pass(maxOpenPause)
		tries := w.tries()[first:]
		w.equal("tries", len(tries), 4) // two at once, then it is opened again, and what came after it
		w.equal("the third", tries[2], tries[0])
		w.keptIn("the fourth", tries[3], nil, []int64{1}, notesOf("told", "nothing"))
		w.equal("alerts", w.file.outbox(), []int64(nil))
	})
}

// Restore hands over again what the other store must know, and that is newer
// than what waited.
func TestWhatRestoreKeeps(t *testing.T) {
	bubble(t, func(w *world) {
		w.file.writeFault = errDisk
		w.Keep(alertsOf("old", 1), nil, notesOf("told", "old", "report", "old"))
		w.follow()
		w.subject.onRestore = func() { w.Keep(alertsOf("new", 1, 2), nil, notesOf("told", "new")) }
		other := newFile("b")
		s := w.settings()
		s.Storage = other
		w.Follow(context.Background(), s)
		w.keptIn("batch", other.tries[0], alertsOf("new", 1, 2), nil, notesOf("report", "old", "told", "new"))
	})
}

// What comes while the pools are asked belongs to the next batch: an alert is
// not written before the record that has what it tells of.
func TestAnAlertIsWrittenNoEarlierThanWhatItTellsOf(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		first := w.writes()
		w.subject.onCollect = func() {
			w.subject.onCollect = nil
			w.Event(pool.Event{Pool: "main", Proxy: "p", To: pool.StatusDown})
			w.Keep(alertsOf("down", 1), nil, nil)
		}
		w.subject.use("t:443", 10)
		w.mustSync()
		w.pass(0)
		tries := w.tries()[first:]
		w.equal("batches", len(tries), 2)
		w.equal("records, alerts and events in the first",
			[]int{len(tries[0].Records), len(tries[0].Alerts), len(tries[0].Events)}, []int{1, 0, 0})
		w.equal("alerts and events in the second", []int{len(tries[1].Alerts), len(tries[1].Events)}, []int{1, 1})
	})
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	bubble(t, func(w *world) {
		w.file.openFault = errDisk
		w.follow()
		for i := range int64(maxAlerts + 3) {
			w.Keep(alertsOf("down", i+1), nil, nil)
		}
		w.equal("dropped", w.Health().Dropped, int64(3))
		w.Keep(alertsOf("again", maxAlerts), nil, nil)
		w.equal("dropped for one that waits", w.Health().Dropped, int64(3))
		for i := range int64(maxDelivered + 5) {
			w.Keep(nil, []int64{-i}, nil)
		}
		w.Keep(nil, []int64{maxAlerts + 1}, nil)
		w.Keep(alertsOf("down", maxAlerts+4), nil, nil)
		w.equal("dropped where one was delivered", w.Health().Dropped, int64(3))
		w.file.be(func(f *file) { f.openFault = nil })
		w.pass(maxOpenPause)
		b := w.tries()[0]
		w.equal("alerts", []int64{int64(len(b.Alerts)), b.Alerts[0].ID, b.Alerts[maxAlerts-1].ID}, []int64{maxAlerts, 4, maxAlerts + 4})
		w.equal("delivered", []int64{int64(len(b.Delivered)), b.Delivered[0]}, []int64{maxDelivered, -6})
	})
}

func TestWhatIsTakenBackIsBounded(t *testing.T) {
	var o outbox
	for i := range int64(maxAlerts - 1) {
		o.add(alertsOf("new", i+10), nil, nil)
	}
	o.add(nil, slices.Repeat([]int64{-1}, maxDelivered-1), nil)
	if n := o.putBack(&pool.Batch{Alerts: alertsOf("old", 1, 2, 10), Delivered: []int64{-3, -2}}); n != 1 {
		t.Errorf("dropped %d, want 1", n)
	}
	var b pool.Batch
	o.take(&b)
	if len(b.Alerts) != maxAlerts || b.Alerts[0].ID != 2 || b.Alerts[1].ID != 10 || string(b.Alerts[1].Body) != "new" {
		t.Errorf("%d alerts, first %+v, %+v", len(b.Alerts), b.Alerts[0], b.Alerts[1])
	}
	if len(b.Delivered) != maxDelivered || b.Delivered[0] != -2 || b.Delivered[1] != -1 {
		t.Errorf("%d delivered, first %d, %d", len(b.Delivered), b.Delivered[0], b.Delivered[1])
	}
	o.take(&b)
	if !b.Empty() {
		t.Errorf("taken twice: %d alerts, %d delivered", len(b.Alerts), len(b.Delivered))
	}
}

func TestCloseWritesWhatIsKept(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.writeFault = errDisk })
		w.Keep(alertsOf("down", 1), nil, notesOf("told", "down"))
		w.pass(0)
		w.Keep(alertsOf("up", 2), []int64{1}, notesOf("told", "up"))
		w.file.be(func(f *file) { f.writeFault = nil })
		w.Close()
		w.equal("alerts", w.file.outbox(), []int64{2})
		w.equal("notes", w.file.notes, map[string]string{"told": "up"})

		w.Keep(alertsOf("late", 3), []int64{2}, notesOf("told", "late"))
		w.pass(time.Minute)
		w.equal("alerts", w.file.outbox(), []int64{2})
		var b pool.Batch
		w.Books.outbox.take(&b)
		w.equal("held after Close", b.Empty(), true)
	})
}
