package books

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/pool"
)

func (w *world) prunes() int { return see(w.file, func(f *file) int { return len(f.prunes) }) }

func TestPruneOnceAMinute(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.pass(10*time.Minute + flushEvery)
		w.equal("looks", w.prunes(), 11)
	})
}

func TestPruneSaysWhatIsTooOld(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	want := pool.Expiry{
		Log: now.Add(-30 * day), Usage: now.Add(-400 * day), Events: now.Add(-90 * day), Alerts: now.Add(-day),
	}
	if diff := cmp.Diff(want, expiry(now, 30*day)); diff != "" {
		t.Errorf("expiry (-want +got):\n%s", diff)
	}
	if e := expiry(now, 0); !e.Log.IsZero() {
		t.Errorf("without retention: %v", e.Log)
	}
	bubble(t, func(w *world) {
		w.follow()
		w.pass(flushEvery)
		w.equal("asked for", w.file.prunes[0], expiry(time.Now(), 30*day))
	})
}

func TestPruneTakesABitAtATime(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.pass(flushEvery)
		w.file.be(func(f *file) {
			f.left, f.pruneTakes = 12*pruneRows, 20*time.Millisecond // three in 50 ms
			f.prunes = nil
		})
		w.pass(time.Minute + 100*time.Millisecond)
		w.equal("in the first flush", w.prunes(), 3)
		w.pass(flushEvery)
		w.equal("in the second", w.prunes(), 6)
		w.pass(2 * flushEvery)
		w.equal("until it is done", w.prunes(), 12)
		w.pass(50 * time.Second)
		w.equal("and no more", w.prunes(), 12)
	})
}

func TestNoPruneWhileWritesFail(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.pass(flushEvery)
		w.file.be(func(f *file) {
			f.writeFault = errDisk
			f.left, f.pruneTakes, f.prunes = 100*pruneRows, 20*time.Millisecond, nil
		})
		w.subject.use("t:443", 10)
		w.pass(5 * time.Minute)
		w.equal("looks", w.prunes(), 0)
	})
}

func TestAPruneThatFailsIsToldOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) { f.pruneFault = errDisk })
		w.pass(5 * time.Minute)
		w.equal("told", w.told.all(), []string{"noticed: removing what is too old: " + errDisk.Error()})
		w.equal("looks", w.prunes(), 5) // no more often than else
		w.equal("health", w.Health(), Health{OK: true})
		w.file.be(func(f *file) { f.pruneFault = nil })
		w.pass(time.Minute)
		w.file.be(func(f *file) { f.pruneFault = fmt.Errorf("page 3: %w", pool.ErrReopen) })
		w.pass(time.Minute)
		w.equal("told", len(w.told.all()), 2)
		w.pass(flushEvery)
		w.equal("opens", len(w.file.opens), 2)
	})
}

func TestAClockThatJumps(t *testing.T) {
	const day, minute = 24 * time.Hour, time.Minute
	type look struct {
		wall, elapsed time.Duration
		want          bool
	}
	for name, looks := range map[string][]look{
		"goes":              {{0, 0, true}, {minute, minute, true}, {2 * minute, 2 * minute, true}},
		"little":            {{0, 0, true}, {59 * minute, 0, true}, {0, minute, true}},
		"ahead":             {{0, 0, true}, {500 * day, minute, false}, {500*day + minute, 2 * minute, false}, {501 * day, day, false}, {501*day + minute, day + minute, true}},
		"ahead and back":    {{0, 0, true}, {500 * day, minute, false}, {2 * minute, 2 * minute, false}, {day + 2*minute, day + 2*minute, true}},
		"twice":             {{0, 0, true}, {5 * day, minute, false}, {10 * day, 2 * minute, false}, {11 * day, day + minute, false}, {11*day + minute, day + 2*minute, true}},
		"back":              {{0, 0, true}, {-500 * day, minute, false}, {-499 * day, day + minute, true}},
		"a look that waits": {{0, 0, true}, {3 * time.Hour, 3 * time.Hour, true}},
	} {
		t.Run(name, func(t *testing.T) {
			var g clockGuard
			start := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
			for i, l := range looks {
				if got := g.trusts(start.Add(l.wall), l.elapsed); got != l.want {
					t.Errorf("look %d: %v, want %v", i, got, l.want)
				}
			}
		})
	}
}

// The books follow a clock on the wall that is put.
func TestTheClockOnTheWallIsPut(t *testing.T) {
	bubble(t, func(w *world) {
		var offset atomic.Int64
		w.wall = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
		w.follow()
		w.pass(flushEvery)
		const years = 1000 * 24 * time.Hour
		for _, jump := range []time.Duration{-years, years} {
			offset.Store(int64(jump))
			looks := w.prunes()
			written := w.stored()
			w.subject.use("t:443", 10)
			w.pass(flushEvery)
			w.equal("usage", w.stored(), written+10)
			w.pass(time.Hour)
			w.equal("looks", w.prunes(), looks)
		}
		w.pass(24 * time.Hour)
		if n := w.prunes(); n == 1 {
			t.Error("nothing is pruned any more")
		}
	})
}
