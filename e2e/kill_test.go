package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// maxLag is how much of its traffic a killed process may forget.
const maxLag = time.Second

// crashes is a world in which Caddy is killed again and again.
type crashes struct {
	*world
	rng   *rand.Rand
	line  *timeline
	round int
	worst struct{ requests, bytes, rows, ready time.Duration }
}

// TestKill kills Caddy at random moments under load, and in the middle of what
// it does. Each time the file opens without repair, and its counters are never
// ahead of what the origin and the proxies counted, nor more than a second behind.
func TestKill(t *testing.T) {
	seed, rounds := uint64(20261123), 5
	if soaking() {
		seed, rounds = rand.Uint64(), 50
	}
	t.Logf("seed %d", seed)
	w := newWorld(t, 2, 2, 12)
	c := &crashes{world: w, rng: rand.New(rand.NewPCG(seed, seed)), line: w.watch(t)}
	p := start(t, c.setup())
	for ; c.round < rounds && !t.Failed(); c.round++ {
		p = c.crash(p)
	}
	last := c.read(p)
	p.Stop()
	counted := c.line.now()
	t.Logf("%d rounds: at most %v of requests, %v of bytes and %v of rows forgotten; ready within %v; %d of %d requests and %d of %d bytes known in the end",
		c.round, c.worst.requests, c.worst.bytes, c.worst.rows, c.worst.ready,
		last.total.Requests, counted.requests, last.total.Bytes(), counted.bytes)
}

// TestKillAfterAction: what an admin did holds although Caddy is killed once it
// is answered.
func TestKillAfterAction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 2)
	for _, action := range []string{"disable", "enable", "disable"} {
		p := start(t, w.setup())
		if err := p.Act("P1", action); err != nil {
			t.Fatal(err)
		}
		p.Kill()
		p = start(t, w.setup())
		if got, want := p.row("P1").Active, action == "enable"; got != want {
			t.Errorf("after %s and a kill: active %v, want %v", action, got, want)
		}
		p.Stop()
	}
}

// crash puts load on a process, kills it, and holds its successor to the books.
func (c *crashes) crash(p *process) *process {
	before, began, seen := c.read(p), c.line.now(), c.seen()
	// Under full load the log fills so quickly that it is written all the time.
	pause := time.Duration(c.round%2) * 20 * time.Millisecond
	l := caddytest.Put(c.t, p.URL, 16, pause)
	s := c.steer(p)
	how := c.live(p)
	killed := time.Now()
	p.Kill()
	l.Stop()
	c.quiet()
	now := c.seen()

	if c.rng.IntN(4) == 0 {
		c.killEarly()
	}
	next := start(c.t, c.setup())
	after := c.read(next)
	c.line.sample(0)
	c.nothingElse()
	c.costs(after, 2*c.round+2)
	c.notAhead(before, after, seen, now)
	c.notBehind(before, after, began, killed)
	c.survived(s, next, killed)
	c.worst.ready = max(c.worst.ready, next.Took)
	c.t.Logf("killed %s after %v and %d answers", how, killed.Sub(began.time).Round(time.Millisecond), l.Answered.Load())
	return next
}

// live lets the process live for a while, and begin something in the midst of
// which it is killed.
func (c *crashes) live(p *process) (how string) {
	<-time.After(200*time.Millisecond + time.Duration(c.rng.Int64N(int64(2*time.Second))))
	switch c.rng.IntN(6) {
	case 0:
		go p.Reload(p.Setup)
		how = "while it reloads"
	case 1:
		p.Terminate()
		how = "while it stops"
	default:
		return "at work"
	}
	<-time.After(time.Duration(c.rng.Int64N(int64(100 * time.Millisecond))))
	return how
}

// killEarly kills a process that has hardly begun.
func (c *crashes) killEarly() {
	p := caddytest.Launch(c.t, c.setup())
	<-time.After(time.Duration(c.rng.Int64N(int64(400 * time.Millisecond))))
	p.Kill()
}

// nothingElse checks that nothing was set aside.
func (c *crashes) nothingElse() {
	c.t.Helper()
	entries, err := os.ReadDir(filepath.Dir(c.file))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range entries {
		suffix := strings.TrimPrefix(e.Name(), filepath.Base(c.file))
		if !slices.Contains([]string{"", "-wal", "-shm", ".lock"}, suffix) {
			c.t.Errorf("there is a file %s", e.Name())
		}
	}
}

// notAhead checks that the books have nothing that the world has not, and lack
// nothing that they had.
func (c *crashes) notAhead(before, after books, seen, now map[string]used) {
	c.t.Helper()
	for i := range c.proxies {
		grown, counted := after.proxies[id(i)].Minus(before.proxies[id(i)]), now[id(i)].Minus(seen[id(i)])
		if grown.In > counted.In || grown.Out > counted.Out {
			c.t.Errorf("%s: the books grew by %+v, the proxy counted %+v", id(i), grown, counted)
		}
		if min(grown.Requests, grown.Failed, grown.In, grown.Out, grown.Cost) < 0 {
			c.t.Errorf("%s: the books went back by %+v", id(i), grown)
		}
	}
	if after.rows < before.rows || after.tried > after.total.Requests {
		c.t.Errorf("%d rows, then %d with %d attempts of %d", before.rows, after.rows, after.tried, after.total.Requests)
	}
}

// notBehind checks that the books lack a second of traffic at most, and no more
// than time in which this machine stood still besides.
func (c *crashes) notBehind(before, after books, began sample, killed time.Time) {
	c.t.Helper()
	grown := after.total.Minus(before.total)
	if counted := c.line.now().requests - began.requests; grown.Requests > counted {
		c.t.Errorf("the books grew by %d requests, the origin counted %d", grown.Requests, counted)
	}
	if grown.Failed > 0 {
		c.t.Errorf("%d attempts failed", grown.Failed)
	}
	allowed := maxLag + c.line.stalled(killed.Add(-2*maxLag), killed)
	for _, one := range []struct {
		what  string
		worst *time.Duration
		known func(s sample) bool
	}{
		{"requests", &c.worst.requests, func(s sample) bool { return s.requests-began.requests <= grown.Requests }},
		{"bytes", &c.worst.bytes, func(s sample) bool { return s.bytes-began.bytes <= grown.Bytes() }},
		{"rows", &c.worst.rows, func(s sample) bool { return s.requests-began.requests <= after.tried-before.tried }},
	} {
		lag := c.line.lag(killed, one.known)
		if lag > allowed {
			c.t.Errorf("%s of the last %v are forgotten, allowed are %v", one.what, lag, allowed)
		}
		*one.worst = max(*one.worst, lag)
	}
}
