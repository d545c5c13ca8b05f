package alert

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestOutageOverAReload is told of once, and shown all the while.
func TestOutageOverAReload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", err: errors.New("out of reach")}
		o := newOffice(t, a)
		o.raise(1)
		since := o.Health()[0].Since
		a.set(func(c *chat) { c.takes = 10 * time.Second })
		o.Follow(o.settings)
		pass(time.Second)
		if h := o.Health()[0]; h.OK || h.Error != "out of reach" || !h.Since.Equal(since) {
			t.Errorf("health %+v", h)
		}
		pass(time.Minute)
		o.wantLog("a failed: out of reach")
	})
}

// TestBrokenOff: a delivery that a reload ends is no failure.
func TestBrokenOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", takes: time.Hour}
		o := newOffice(t, a)
		o.raise(1)
		a.set(func(c *chat) { c.takes = 0 })
		o.Follow(o.settings)
		pass(time.Minute)
		a.want(t, "budget normal via P1")
		o.wantLog()
	})
}

// TestPausesBeginAnew after a delivery.
func TestPausesBeginAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", err: errors.New("no")}
		o := newOffice(t, a)
		o.raise(1)
		pass(10 * time.Minute)
		a.set(func(c *chat) { c.err = nil })
		pass(2 * maxRetry)
		a.want(t, "budget normal via P1")
		a.set(func(c *chat) { c.err = errors.New("no") })
		o.raise(2)
		a.set(func(c *chat) { c.err = nil })
		pass(2 * minRetry)
		a.want(t, "budget normal via P1")
	})
}

// lingering is a runner that takes its time to end.
type lingering struct {
	runner
	most int // that ran at once
}

func (l *lingering) Run(ctx context.Context, _ func(error)) {
	l.running++
	l.most = max(l.most, l.running)
	<-ctx.Done()
	time.Sleep(time.Second)
	l.running--
}

// TestOneRunsAtATime also where the one of before takes its time to end.
func TestOneRunsAtATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := &lingering{runner: runner{chat: chat{name: "l"}}}
		o := newOffice(t, l)
		for range 3 {
			o.Follow(o.settings)
			pass(100 * time.Millisecond)
		}
		pass(time.Minute)
		if l.most != 1 || l.running != 1 {
			t.Errorf("%d ran at once, %d run", l.most, l.running)
		}
	})
}

// TestTooManyWhileSending: the one that is on its way is not given up.
func TestTooManyWhileSending(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", takes: time.Minute}
		var got []string
		o := newOffice(t, &noting{a, &got})
		for i := range maxWaiting + 10 {
			o.Used(KindTrafficAlert, fmt.Sprint(i), &Budget{})
			if i%1000 == 0 {
				synctest.Wait()
			}
		}
		pass(time.Second)
		a.set(func(c *chat) { c.takes = 0 })
		pass(2 * time.Minute)
		if len(got) != maxWaiting || got[0] != "0" || got[1] != "11" {
			t.Errorf("%d arrived, the first of them %q", len(got), got[:min(len(got), 3)])
		}
	})
}

// noting is a chat that notes which pool each alert is about.
type noting struct {
	*chat
	pools *[]string
}

func (n *noting) Send(ctx context.Context, a *Alert, done int) (int, error) {
	parts, err := n.chat.Send(ctx, a, done)
	if err == nil {
		*n.pools = append(*n.pools, a.Pool)
	}
	return parts, err
}

// TestOrderAfterAWrongClock: what is new comes after what waits, of a time that
// is yet to come.
func TestOrderAfterAWrongClock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", err: errors.New("no")}
		var got []string
		o := newOffice(t, &noting{a, &got})
		o.Close()
		when := time.Now().Add(1000 * time.Hour)
		body := note(&Alert{Kind: KindTrafficAlert, Time: when, Pool: "0"})
		o.keeper.letters[when.UnixMicro()] = Letter{ID: when.UnixMicro(), Time: when, To: "a", Body: body}
		o.start()
		o.Used(KindTrafficAlert, "1", &Budget{})
		pass(time.Second)
		o.restart()
		a.set(func(c *chat) { c.err = nil })
		pass(time.Minute)
		if !slices.Equal(got, []string{"0", "1"}) {
			t.Errorf("arrived in the order %q", got)
		}
	})
}

// TestSpoiledID is the highest there is, in a store that somebody edited: what is
// new still gets one that rises, and arrives once.
func TestSpoiledID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", err: errors.New("no")}
		var got []string
		o := newOffice(t, &noting{a, &got})
		o.Close()
		for _, id := range []int64{-1, math.MaxInt64} {
			o.keeper.letters[id] = Letter{ID: id, To: "a", Body: note(&Alert{Kind: KindTrafficAlert, Time: time.Now(), Pool: "0"})}
		}
		o.start()
		for _, name := range []string{"1", "2"} {
			o.Used(KindTrafficAlert, name, &Budget{})
			pass(time.Second)
			o.Restore(o.keeper.kept())
		}
		a.set(func(c *chat) { c.err = nil })
		pass(time.Minute)
		if !slices.Equal(got, []string{"1", "2"}) || len(o.keeper.kept().Letters) != 0 {
			t.Errorf("arrived: %q", got)
		}
	})
}

// TestStoreOpensLate: what it has is older than what happened since, and comes
// before it.
func TestStoreOpensLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", err: errors.New("no")}
		var got []string
		o := newOffice(t, &noting{a, &got})
		when := time.Now().Add(-time.Hour)
		body := note(&Alert{Kind: KindTrafficAlert, Time: when, Pool: "0"})
		o.Used(KindTrafficAlert, "1", &Budget{})
		pass(time.Second)
		o.Restore(Kept{Letters: []Letter{{ID: when.UnixMicro(), Time: when, To: "a", Body: body}}})
		a.set(func(c *chat) { c.err = nil })
		pass(time.Minute)
		if !slices.Equal(got, []string{"0", "1"}) {
			t.Errorf("arrived in the order %q", got)
		}
	})
}

// TestFlood: where more happens than can be taken in, the pools are looked at
// instead; and now and then in any case.
func TestFlood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		o.settings.Hooks.Edge = func(Edge) { time.Sleep(time.Second) }
		o.Follow(o.settings)
		pass(5 * time.Second)
		o.pool.change(func(p *fakePool) { p.failing = true })
		pass(1500 * time.Millisecond) // the clerk is busy
		for range maxEvents {
			o.Event(Event{Pool: "main", Proxy: "P1", To: StatusHealthy})
		}
		o.Event(o.pool.set("P2", "down", "test"))
		pass(3 * time.Second)
		a.want(t, "status_changed normal P2:healthy-down via P1", "checks_failing normal via P1")

		o.pool.set("P3", "down", "test") // nobody tells
		pass(compareEvery + time.Second)
		a.want(t, "status_changed normal P3:healthy-down via P1")
	})
}

// TestPoolComesAndGoes: what was told of it is known each time.
func TestPoolComesAndGoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		pools := o.settings.Pools
		for _, status := range []string{"down", "degraded", "blocked"} {
			o.Event(o.pool.set("P2", status, "test"))
			pass(time.Second)
			if n := len(a.arrived); n != 1 {
				t.Errorf("arrived %q", a.arrived)
			}
			a.arrived = nil
			for _, now := range [][]Pool{nil, pools} {
				o.settings.Pools = now
				o.Follow(o.settings)
				pass(time.Minute)
				a.want(t)
			}
		}
	})
}
