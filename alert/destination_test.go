package alert

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestSlowDestination is one that is given as long as can be configured.
func TestSlowDestination(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", takes: 10 * time.Minute}
		o := newOffice(t, a)
		o.raise(1)
		pass(10 * time.Minute)
		a.want(t, "budget normal via P1")
		o.wantLog()
	})
}

// TestReloadWhileSending: what is on its way arrives once, and what waits behind
// it goes to the destination of the new configuration.
func TestReloadWhileSending(t *testing.T) {
	bubble(t, func(t *testing.T) {
		before, after := &chat{name: "a", takes: 2 * time.Second}, &chat{name: "a"}
		o := newOffice(t, before)
		o.raise(1)
		o.raise(2)
		o.settings.Destinations = []Destination{after}
		o.Follow(o.settings)
		pass(time.Second)
		after.want(t)
		pass(time.Minute)
		before.want(t, "budget normal via P1")
		after.want(t, "budget normal via P1")
	})
}

// TestReloadGivenUp is a configuration without the destination that does not
// start as a whole, so that the one before goes on: what is on its way arrives
// once.
func TestReloadGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", takes: 2 * time.Second}
		o := newOffice(t, a)
		o.raise(1)
		other := o.settings
		other.Destinations = nil
		o.Follow(other)
		synctest.Wait()
		o.Follow(o.settings)
		pass(time.Minute)
		a.want(t, "budget normal via P1")
	})
}

// TestChatIsCorrected: what waits for a chat that was wrong goes to the one that
// is set in its place, also over a restart.
func TestChatIsCorrected(t *testing.T) {
	for _, restart := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			wrong, other, hook := &chat{name: "telegram 1", err: errors.New("no")}, &chat{name: "telegram 7"}, &chat{name: "webhook x"}
			right := &chat{name: "telegram 2"}
			o := newOffice(t, wrong, other)
			o.raise(1)
			pass(time.Minute)
			o.raise(2)
			if restart {
				o.Close()
			}
			o.settings.Destinations = []Destination{other, hook, right}
			if restart {
				o.start()
			} else {
				o.Follow(o.settings)
			}
			pass(time.Minute)
			right.want(t, "budget normal via P1", "budget normal via P1")
			other.want(t, "budget normal via P1", "budget normal via P1")
			hook.want(t)
			if n := len(o.keeper.kept().Letters); n != 0 {
				t.Errorf("%d letters are left in the store", n)
			}
			o.restart()
			pass(time.Minute)
			right.want(t)
		})
	}
}

// TestDestinationLeaves: its alerts wait for a day for it to come back.
func TestDestinationLeaves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := &chat{name: "a", err: errors.New("no")}, &chat{name: "b"}
		o := newOffice(t, a)
		o.raise(1)
		o.settings.Destinations = []Destination{b}
		o.Follow(o.settings)
		pass(time.Hour)
		o.restart()
		pass(time.Hour)
		b.want(t)
		a.set(func(c *chat) { c.err = nil })
		o.settings.Destinations = []Destination{a, b}
		o.Follow(o.settings)
		pass(time.Minute)
		a.want(t, "budget normal via P1")
		b.want(t)
	})
}

// TestManyDestinations, for all of which something waits over a restart.
func TestManyDestinations(t *testing.T) {
	bubble(t, func(t *testing.T) {
		chats := make([]*chat, 100)
		destinations := make([]Destination, len(chats))
		for i := range chats {
			chats[i] = &chat{name: fmt.Sprint(i), err: errors.New("no")}
			destinations[i] = chats[i]
		}
		o := newOffice(t, destinations...)
		o.raise(1)
		for _, c := range chats {
			c.set(func(c *chat) { c.err = nil })
		}
		o.restart()
		pass(time.Minute)
		for _, c := range chats {
			c.want(t, "budget normal via P1")
		}
	})
}

// TestDestinationIsNew: its sender starts before the clerk goes by the new
// settings, and a last look by those of before must not leave it waiting for ever.
func TestDestinationIsNew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		o.outbox.expire(time.Now(), nil)
		o.raise(1)
		a.want(t, "budget normal via P1")
	})
}

// runner is a destination that does something beside sending.
type runner struct {
	chat
	running int
	report  func(error)
}

func (r *runner) Run(ctx context.Context, report func(error)) {
	r.running++
	r.report = report
	<-ctx.Done()
	r.running--
}

func TestRunner(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := &runner{chat: chat{name: "r"}}
		o := newOffice(t, r)
		r.report(errors.New("another program polls"))
		r.report(errors.New("another program polls"))
		if h := o.Health()[0]; !h.OK || h.Runner != "another program polls" {
			t.Errorf("health %+v", h)
		}
		r.report(nil)
		o.wantLog("r is idle: another program polls", "r runs again")
		for range 3 {
			o.Follow(o.settings)
			synctest.Wait()
			if r.running != 1 {
				t.Errorf("%d run", r.running)
			}
		}
		o.Close()
		if r.running != 0 {
			t.Errorf("%d run after the end", r.running)
		}
	})
}
