package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// TestTwoProcesses: the second process on a file says so, forwards, and takes the
// file over with the sums of both when the first one has ended.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 2, 12)
	first := start(t, w.setup())
	work(t, first, 100)
	second := start(t, w.setup())
	f := fault{says: fmt.Sprintf("another process uses it (pid %d): stop that one", first.Cmd.Process.Pid)}
	f.told(t, second)
	a, b := caddytest.Put(t, first.URL, 4, 5*time.Millisecond), caddytest.Put(t, second.URL, 4, 5*time.Millisecond)
	caddytest.Eventually(t, "both answer", 10*time.Second, func() bool { return a.Answered.Load() > 100 && b.Answered.Load() > 100 })
	if got := first.store(); !got.OK {
		t.Errorf("the first one's store: %+v", got)
	}
	f.told(t, second)
	a.MustSucceed(t)
	first.Stop()
	caddytest.Eventually(t, "the second one takes over", recoveredWithin, func() bool { return second.store().OK })
	b.MustSucceed(t)
	caddytest.Eventually(t, "no byte moves", 5*time.Second, w.still())
	w.exact(w.read(second), 2)
	second.Stop()
	w.quiet()
	w.exact(w.read(start(t, w.setup())), 3)
}

// TestQuickRestart: a new process that starts while the old one still finishes
// its requests loses nothing of either.
func TestQuickRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 2, 12)
	old := start(t, w.setup())
	work(t, old, 100)
	w.origin.SetDelay(1500 * time.Millisecond)
	l := caddytest.Put(t, old.URL, 4, 0)
	n := w.origin.Requests()
	caddytest.Eventually(t, "requests are on their way", 5*time.Second, func() bool { return w.origin.Requests() >= n+4 })
	old.Terminate()
	next := start(t, w.setup())
	if old.Ended() {
		t.Error("the old one has ended already")
	}
	if next.store().OK {
		t.Error("both have the file")
	}
	w.origin.SetDelay(0)
	work(t, next, 100)
	l.Stop() // of the requests after the old one's last ones nobody knew
	old.WaitEnd()
	caddytest.Eventually(t, "the new one takes over", recoveredWithin, func() bool { return next.store().OK })
	next.Stop()
	w.quiet()
	w.exact(w.read(start(t, w.setup())), 3)
}
