package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

const (
	// How soon the status tells of a fault, and how long after its end the books
	// are written again at the latest: the longest pause between tries, and a try.
	toldWithin      = 2 * time.Second
	recoveredWithin = 20 * time.Second
)

// fault is something that is in the way of the store.
type fault struct {
	makes    func(t *testing.T, w *world) (end func()) // begins it
	early    bool                                      // it is there before Caddy starts, but after an earlier life
	fresh    bool                                      // the same, without an earlier life
	readable bool                                      // what is in the file can be read
	says     string                                    // in the status and in the log: what is wrong, and what to do
}

// TestFaults: whatever is in the way of the store, forwarding goes on, it is told
// once, and all that was counted meanwhile is written when the fault is over.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{
		"locked by another process":               {makes: lockFile, readable: true, says: "another program has locked the file: end its transaction"},
		"locked before the start":                 {makes: lockFile, readable: true, early: true, says: "another program has locked the file: end its transaction"},
		"a directory in its place":                {makes: directoryInPlace, fresh: true, says: "a directory is in its place: remove it"},
		"moved away and a directory in its place": {makes: moveAndDirectory, says: "a directory is in its place: remove it"},
		"of a newer version":                      {makes: newerVersion, early: true, says: "use a newer version of the program"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.try(t, newWorld(t, 2, 2, 12))
		})
	}
}

// try takes a world through a fault.
func (f fault) try(t *testing.T, w *world) {
	t.Helper()
	end := func() {}
	if f.early {
		p := start(t, w.setup())
		work(t, p, 100)
		p.Stop()
	}
	if f.early || f.fresh {
		end = f.makes(t, w)
	}
	p := start(t, w.setup())
	before, since := int64(w.origin.Requests()), int64(0)
	l := caddytest.Put(t, p.URL, 4, 5*time.Millisecond)
	if !f.early && !f.fresh {
		caddytest.Eventually(t, "some are answered", 10*time.Second, func() bool { return l.Answered.Load() > 100 })
		p.usage() // which writes all
		end = f.makes(t, w)
		before, since = 0, int64(w.origin.Requests())
	}
	began := time.Now()
	caddytest.Eventually(t, "the status tells of the fault", 15*time.Second, func() bool { return !p.store().OK })
	if took := time.Since(began); took > toldWithin {
		t.Errorf("the status told of it after %v", took)
	}
	l.MustSucceed(t)
	f.holds(t, w, p, before, since)
	l = caddytest.Put(t, p.URL, 4, 5*time.Millisecond)
	caddytest.Eventually(t, "some more are answered", 10*time.Second, func() bool { return l.Answered.Load() > 100 })
	f.told(t, p)

	end()
	caddytest.Eventually(t, "the store works again", recoveredWithin, func() bool { return p.store().OK })
	l.MustSucceed(t)
	if lines := p.SaidOf("info", "store works again"); len(lines) != 1 {
		t.Errorf("the log says %d times that it works again", len(lines))
	}
	p.Stop()
	w.quiet()
	w.exact(w.read(start(t, w.setup())), 2)
}

// work asks some and waits for the answers.
func work(t *testing.T, p *process, requests int64) {
	t.Helper()
	l := caddytest.Put(t, p.URL, 4, 0)
	caddytest.Eventually(t, "some are answered", 10*time.Second, func() bool { return l.Answered.Load() >= requests })
	l.MustSucceed(t)
}

// holds checks that what is in memory is exact: the counters all the time, usage
// but for what is in a file that cannot be read. Before is what came before Caddy
// knew it, and since what before the fault began.
func (f fault) holds(t *testing.T, w *world, p *process, before, since int64) {
	t.Helper()
	caddytest.Eventually(t, "no byte moves", 5*time.Second, w.still())
	s, err := p.status()
	if err != nil {
		t.Fatal(err)
	}
	var counted, usage used
	for _, row := range s.Proxies {
		counted = counted.Plus(used{Requests: row.TotalRequests, Failed: row.FailedRequests})
	}
	for _, u := range p.usage() {
		usage = usage.Plus(u)
	}
	came := int64(w.origin.Requests())
	if counted.Failed != 0 || counted.Requests != came && counted.Requests != came-before {
		t.Errorf("%d requests are counted (%d failed), %d came, %d of them before", counted.Requests, counted.Failed, came, before)
	}
	if usage.Requests > counted.Requests || usage.Requests < counted.Requests-since || f.readable && usage.Requests != came {
		t.Errorf("usage has %d requests, %d are counted, %d of them before the fault", usage.Requests, counted.Requests, since)
	}
}

// told checks that the fault was told once, with what to do about it.
func (f fault) told(t *testing.T, p *process) {
	t.Helper()
	if got := p.store(); !strings.Contains(got.Error, f.says) {
		t.Errorf("the status says %q, want %q", got.Error, f.says)
	}
	lines := p.SaidOf("error", "")
	if len(lines) != 1 || !strings.Contains(lines[0], f.says) {
		t.Errorf("the log says %q, want once %q", lines, f.says)
	}
}
