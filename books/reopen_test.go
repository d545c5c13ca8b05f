package books

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// TestUsageOutlivesReopening: usage is asked for again where the store that was
// asked had to be opened again.
func TestUsageOutlivesReopening(t *testing.T) {
	bubble(t, func(w *world) {
		heal := w.settings()
		heal.Hooks.Noticed = func(string) { w.file.be(func(f *file) { f.readFault = nil }) }
		w.Follow(context.Background(), heal)
		w.subject.use("api:443", 7)
		w.pass(flushEvery)
		w.file.notice = "a damaged file was set aside"
		w.file.be(func(f *file) { f.readFault = fmt.Errorf("reading page 3: %w", pool.ErrReopen) })
		if rows, err := w.Usage(context.Background(), pool.UsageQuery{Spans: []pool.QuarterSpan{{From: 0, To: 1 << 40}}}); err != nil || len(rows) != 1 || rows[0].BytesIn != 7 {
			t.Errorf("%v, %v", rows, err)
		}
	})
}

// TestReopeningIsTold: a store that could be opened again at once never failed,
// but what is gone with the old one should be known.
func TestReopeningIsTold(t *testing.T) {
	bubble(t, func(w *world) {
		w.follow()
		w.file.be(func(f *file) {
			f.writeFault, f.openTakes = fmt.Errorf("the file was removed: %w", pool.ErrReopen), time.Second
		})
		w.subject.use("api:443", 7)
		w.pass(flushEvery)
		w.file.be(func(f *file) { f.writeFault = nil }) // while it is opened again
		w.pass(time.Second)
		w.equal("told", w.told.all(), []string{"noticed: the store was opened again: the file was removed: the store must be opened again"})
	})
}
