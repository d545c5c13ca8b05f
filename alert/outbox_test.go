package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestOutage is Telegram out of reach for ten minutes, with a restart in between:
// everything arrives exactly once, in order.
func TestOutage(t *testing.T) {
	for _, restart := range []time.Duration{0, 3 * time.Minute, 9*time.Minute + 59*time.Second} {
		bubble(t, func(t *testing.T) {
			a := &chat{name: "a", err: errors.New("out of reach: do this"), takes: 5 * time.Second}
			o := newOffice(t, a)
			var want []string
			begin := time.Now()
			for i := range 20 {
				o.Used(KindBudget, "main", &Budget{Proxy: fmt.Sprint(i), Percent: 80})
				want = append(want, "budget normal via P1")
				pass(29 * time.Second)
				if restart != 0 && time.Since(begin) >= restart {
					restart = time.Hour
					o.restart()
				}
			}
			pass(time.Until(begin.Add(10 * time.Minute)))
			a.set(func(c *chat) { c.err, c.takes = nil, 0 })
			if h := o.Health()[0]; h.OK || h.Error != "out of reach: do this" || h.Waiting != 20 || h.Since.IsZero() {
				t.Errorf("health %+v", h)
			}
			pass(2 * time.Minute) // the longest pause, after the longest try
			a.want(t, want...)
			if a.tries > 20+40 {
				t.Errorf("%d tries", a.tries)
			}
			pass(time.Hour)
			a.want(t)
			log := []string{"a failed: out of reach: do this", "a recovered"}
			if restart == time.Hour {
				log = slices.Insert(log, 1, log[0]) // another process tells of it again
			}
			o.wantLog(log...)
			if h := o.Health()[0]; !h.OK || h.Waiting != 0 || h.Delivered.IsZero() {
				t.Errorf("health %+v", h)
			}
		})
	}
}

func TestInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", err: errors.New("no")}
		o := newOffice(t, a)
		o.settings.Pools = nil
		for i := range 100 {
			if i == 50 {
				o.restart()
			}
			o.Used(KindTrafficAlert, fmt.Sprint(i), &Budget{})
			pass(time.Second)
		}
		var pools []string
		o.Close()
		o.settings.Destinations = []Destination{listing{a, &pools}}
		o.start()
		pass(time.Minute)
		for i, name := range pools {
			if name != fmt.Sprint(i) {
				t.Fatalf("arrived in the order %q", pools)
			}
		}
		if len(pools) != 100 {
			t.Errorf("%d arrived", len(pools))
		}
	})
}

// listing notes which pool each alert is about.
type listing struct {
	*chat
	pools *[]string
}

func (l listing) Send(_ context.Context, a *Alert, _ int) (int, error) {
	*l.pools = append(*l.pools, a.Pool)
	return 1, nil
}

func TestParts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", parts: 3, broken: 2}
		o := newOffice(t, a)
		o.raise(1)
		pass(time.Minute)
		a.want(t, "budget normal via P1 (1)", "budget normal via P1 (2)", "budget normal via P1 (3)")
	})
}

func TestRetryAfter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", err: &RetryAfterError{7 * time.Minute, errors.New("too many: wait")}}
		o := newOffice(t, a)
		o.raise(1)
		a.set(func(c *chat) { c.err = nil })
		pass(7*time.Minute - time.Second)
		a.want(t)
		pass(2 * time.Second)
		a.want(t, "budget normal via P1")
	})
}

// TestRefused: what will never be taken does not hold up the rest.
func TestRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", err: &RefusedError{errors.New("too odd")}}
		o := newOffice(t, a)
		o.raise(1)
		a.set(func(c *chat) { c.err = nil })
		o.raise(2)
		a.want(t, "budget normal via P1")
		o.wantLog("a dropped 1: refused: too odd")
		if len(o.keeper.kept().Letters) != 0 {
			t.Error("it is still in the store")
		}
	})
}

func TestADayOld(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", err: errors.New("no")}
		o := newOffice(t, a)
		o.raise(1)
		pass(24*time.Hour - time.Minute)
		o.raise(2)
		if n := o.Health()[0].Waiting; n != 2 {
			t.Errorf("%d wait", n)
		}
		pass(2 * time.Minute)
		o.wantLog("a failed: no", "a dropped 1: not delivered within a day")
		a.set(func(c *chat) { c.err = nil })
		pass(2 * time.Minute)
		a.want(t, "budget normal via P1")
	})
}

func TestTooMany(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", err: errors.New("no")}
		o := newOffice(t, a)
		for i := range maxWaiting + 10 {
			o.Used(KindBudget, "main", &Budget{Proxy: fmt.Sprint(i), Percent: 80})
			if i%1000 == 0 {
				synctest.Wait()
			}
		}
		pass(time.Second)
		if n := o.Health()[0].Waiting; n != maxWaiting {
			t.Errorf("%d wait, expected %d", n, maxWaiting)
		}
		if n := len(o.keeper.kept().Letters); n != maxWaiting {
			t.Errorf("%d are stored, expected %d", n, maxWaiting)
		}
	})
}
