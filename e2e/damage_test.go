package e2e

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// damage is done to a file of some size.
type damage func(w *world, size int64)

func overwrite(w *world, size int64) {
	w.t.Helper()
	garbage := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{})
	_, _ = rng.Read(garbage)
	f, err := os.OpenFile(w.file, os.O_WRONLY, 0)
	w.must(err)
	_, err = f.Write(garbage)
	w.must(err)
	w.must(f.Close())
}

func truncateTo(share int64) damage {
	return func(w *world, size int64) { w.t.Helper(); w.must(os.Truncate(w.file, size*share/8)) }
}

// TestDamagedBefore: a file that was damaged between two processes is set aside
// as it is, and a new one is begun.
func TestDamagedBefore(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]damage{"garbage": overwrite, "cut in half": truncateTo(4), "a short rest": truncateTo(1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2, 2, 12)
			p := start(t, w.setup())
			work(t, p, 200)
			p.Stop()
			w.quiet()
			info, err := os.Stat(w.file)
			w.must(err)
			harm(w, info.Size())
			damaged, err := os.ReadFile(w.file)
			w.must(err)

			p = start(t, w.setup())
			before, seen := int64(w.origin.Requests()), w.seen()
			if got := p.store(); !got.OK {
				t.Errorf("store %+v", got)
			}
			work(t, p, 100)
			p.Stop()
			w.quiet()
			w.setAside(t, p, damaged)
			after := w.read(start(t, w.setup()))
			if n := int64(w.origin.Requests()) - before; after.total.Requests != n || after.tried != n {
				t.Errorf("%d requests in the new books, %d in its log, want %d", after.total.Requests, after.tried, n)
			}
			for i := range w.proxies {
				if grown := w.seen()[id(i)].Minus(seen[id(i)]); after.proxies[id(i)].Out != grown.Out {
					t.Errorf("%s: %d bytes out in the new books, want %d", id(i), after.proxies[id(i)].Out, grown.Out)
				}
			}
		})
	}
}

// setAside checks that there is one damaged file, with its bytes unchanged, and
// that the log names it.
func (w *world) setAside(t *testing.T, p *process, content []byte) {
	t.Helper()
	var found []string
	names, err := filepath.Glob(w.file + ".damaged-*")
	w.must(err)
	for _, name := range names {
		if !strings.HasSuffix(name, "-wal") && !strings.HasSuffix(name, "-shm") {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		t.Fatalf("set aside are %q", found)
	}
	if got, err := os.ReadFile(found[0]); err != nil || !bytes.Equal(got, content) {
		t.Errorf("what was set aside has other bytes than before: %d, %d before, %v", len(got), len(content), err)
	}
	if lines := p.SaidOf("warn", found[0]); len(lines) != 1 {
		t.Errorf("the log names what was set aside %d times", len(lines))
	}
}

// TestDamagedWhileRunning: the process notices, sets the file aside and begins a
// new one with all that it knows. Only usage and log rows of the past are in the
// old one.
func TestDamagedWhileRunning(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]damage{
		"garbage": overwrite, "cut in half": truncateTo(4), "emptied": truncateTo(0),
		"removed": func(w *world, _ int64) { w.must(os.RemoveAll(filepath.Dir(w.file))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2, 2, 12)
			p := start(t, w.setup())
			work(t, p, 200)
			p.Stop() // with which all that is in the -wal file goes into the file
			p = start(t, w.setup())
			l := caddytest.Put(t, p.URL, 4, 5*time.Millisecond)
			caddytest.Eventually(t, "some are answered", 10*time.Second, func() bool { return l.Answered.Load() > 100 })
			info, err := os.Stat(w.file)
			w.must(err)
			harm(w, info.Size())
			caddytest.Eventually(t, "the log tells of it", toldWithin, func() bool { return len(p.SaidOf("warn", w.file)) > 0 })
			caddytest.Eventually(t, "the store works", recoveredWithin, func() bool { return p.store().OK })
			if found, err := filepath.Glob(w.file + ".damaged-*"); err != nil || (len(found) == 0) != (name == "removed") {
				t.Errorf("set aside are %q, %v", found, err)
			}
			after := int64(w.origin.Requests())
			l.MustSucceed(t)
			p.Stop()
			w.quiet()
			p = start(t, w.setup())
			s, err := p.status()
			w.must(err)
			var counted, usage used
			for i, row := range s.Proxies {
				counted = counted.Plus(used{Requests: row.TotalRequests, Failed: row.FailedRequests})
				usage = usage.Plus(p.usage()[id(i)])
			}
			if n := int64(w.origin.Requests()); counted.Requests != n || counted.Failed != 0 {
				t.Errorf("%d requests are counted (%d failed), the origin counted %d", counted.Requests, counted.Failed, n)
			} else if usage.Requests < n-after {
				t.Errorf("usage has %d requests of %d, want at least %d", usage.Requests, n, n-after)
			}
			if !s.Store.OK {
				t.Errorf("store %+v", s.Store)
			}
		})
	}
}
