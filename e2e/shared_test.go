package e2e

import (
	"fmt"
	"testing"
	"time"
)

// TestTwoProcesses: the second process on a file says so, forwards, and takes the
// file over with the sums of both when the first one has ended.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 2, 12)
	first := start(t, w.setup())
	work(t, first, 100)
	second := start(t, w.setup())
	f := fault{says: fmt.Sprintf("another process uses it (pid %d): stop that one", first.cmd.Process.Pid)}
	f.told(t, second)
	a, b := put(t, first.url, 4, 5*time.Millisecond), put(t, second.url, 4, 5*time.Millisecond)
	eventually(t, "both answer", 10*time.Second, func() bool { return a.answered.Load() > 100 && b.answered.Load() > 100 })
	if got := first.store(); !got.OK {
		t.Errorf("the first one's store: %+v", got)
	}
	f.told(t, second)
	a.mustSucceed(t)
	first.stop()
	eventually(t, "the second one takes over", recoveredWithin, func() bool { return second.store().OK })
	b.mustSucceed(t)
	eventually(t, "no byte moves", 5*time.Second, w.still())
	w.exact(w.read(second), 2)
	second.stop()
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
	l := put(t, old.url, 4, 0)
	n := w.origin.Requests()
	eventually(t, "requests are on their way", 5*time.Second, func() bool { return w.origin.Requests() >= n+4 })
	old.terminate()
	next := start(t, w.setup())
	if old.ended() {
		t.Error("the old one has ended already")
	}
	if next.store().OK {
		t.Error("both have the file")
	}
	w.origin.SetDelay(0)
	work(t, next, 100)
	l.stop() // of the requests after the old one's last ones nobody knew
	old.waitEnd()
	eventually(t, "the new one takes over", recoveredWithin, func() bool { return next.store().OK })
	next.stop()
	w.quiet()
	w.exact(w.read(start(t, w.setup())), 3)
}
