package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDeath(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := &chat{name: "a"}, &chat{name: "b"}
		o := newOffice(t, a, b)
		o.Event(o.pool.set("P1", "down", "test"))
		pass(time.Second)
		want := "status_changed normal P1:healthy-down switched to P2"
		a.want(t, want)
		b.want(t, want)
		if len(o.keeper.kept().Letters) != 0 {
			t.Error("the store was not told that they arrived")
		}
		pass(time.Hour)
		a.want(t)
		o.restart()
		pass(time.Hour)
		a.want(t)
		o.wantLog()
	})
}

// TestLostEvents: when more happens than can be taken in, the last word is right
// all the same.
func TestLostEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		o.mu.Lock()
		o.mu.Unlock() //nolint:staticcheck,gocritic // only to be sure that nobody holds it
		for range maxEvents {
			o.Event(Event{Pool: "main", Proxy: "P1", To: StatusHealthy})
		}
		o.Event(o.pool.set("P2", "down", "test"))
		pass(time.Minute)
		a.want(t, "status_changed normal P2:healthy-down via P1")
	})
}

func TestTestAlert(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := &chat{name: "a"}, &chat{name: "b", err: errors.New("no: do this")}
		o := newOffice(t, b, a)
		got := ""
		for _, r := range o.Test(t.Context()) {
			got += fmt.Sprintf("%s %v\n", r.Name, r.Err)
		}
		if want := "a <nil>\nb no: do this\n"; got != want {
			t.Errorf("results %q, expected %q", got, want)
		}
		a.want(t, "test normal")
		if h := o.Health(); !h[0].OK || h[0].Delivered.IsZero() || h[1].OK || h[1].Error != "no: do this" {
			t.Errorf("health %+v", h)
		}
		b.set(func(c *chat) { c.err = nil })
		o.Test(t.Context())
		if h := o.Health()[1]; !h.OK || h.Error != "" {
			t.Errorf("health %+v", h)
		}
		o.wantLog("b failed: no: do this", "b recovered")
		gone, leave := context.WithCancel(t.Context())
		leave()
		b.set(func(c *chat) { c.takes = time.Second })
		o.Test(gone)
		o.wantLog()
	})
}

func TestEdges(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t) // nobody is told, and the edges are
		for range 2 {
			for _, name := range o.pool.order {
				o.Event(o.pool.set(name, "down", "test"))
			}
			pass(time.Second)
			o.Event(o.pool.set("P1", "healthy", ""))
			pass(time.Second)
		}
		o.wantLog("edge pool_down", "edge pool_up", "edge pool_down", "edge pool_up")
	})
}

// TestBusy is an admin with a thousand proxies that all die: two messages.
func TestBusy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		o.pool = newFakePool("main", numbered(1000)...)
		o.settings.Pools = []Pool{o.pool}
		o.Follow(o.settings)
		for _, name := range o.pool.order {
			o.Event(o.pool.set(name, "down", "test"))
			pass(3 * time.Millisecond)
		}
		pass(20 * time.Minute)
		a.mu.Lock()
		arrived := slices.Clone(a.arrived)
		a.mu.Unlock()
		if len(arrived) != 2 || !strings.HasPrefix(arrived[0], "burst ") || !strings.HasPrefix(arrived[1], "burst_over high") {
			t.Errorf("arrived %q, expected a start and an end", arrived)
		}
		o.restart()
		pass(20 * time.Minute)
		if len(a.arrived) != 2 {
			t.Errorf("arrived %q after a restart", a.arrived[2:])
		}
	})
}
