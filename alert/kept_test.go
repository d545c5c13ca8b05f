package alert

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestKilled between sending and noting it: it arrives once more, and nothing
// else does.
func TestKilled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		o.raise(1)
		a.want(t, "budget normal via P1")
		a.set(func(c *chat) { c.takes = 2 * time.Second })
		o.raise(2)
		o.kill() // in the middle of it
		pass(time.Minute)
		a.want(t, "budget normal via P1", "budget normal via P1")
	})
}

// TestEndWhileBusy: what was handed over before the end is not lost, because
// nobody hands it over again.
func TestEndWhileBusy(t *testing.T) {
	for range 10 { // which of two things is noticed first is chance
		bubble(t, func(t *testing.T) {
			a := &chat{name: "a"}
			o := newOffice(t, a)
			o.settings.Hooks.Edge = func(Edge) { time.Sleep(time.Second) }
			o.Follow(o.settings)
			synctest.Wait()
			o.pool.change(func(p *fakePool) { p.failing = true })
			pass(1500 * time.Millisecond)
			o.Used(KindBudget, "main", &Budget{Proxy: "P1", Percent: 80})
			o.restart()
			pass(time.Second)
			a.want(t, "budget normal via P1", "checks_failing normal via P1")
		})
	}
}

// TestChangesAreStoredNowAndThen: a note is as long as its pool is large.
func TestChangesAreStoredNowAndThen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		change := func(times int) {
			for i := range times {
				o.Event(o.pool.set("P2", []string{"down", "healthy"}[i%2], "test"))
				pass(time.Second)
			}
		}
		change(2)
		a.want(t, "status_changed normal P2:healthy-down via P1", "status_changed low P2:down-healthy via P1 1s")
		before := o.keeper.noted
		change(240)
		if n := o.keeper.noted - before; n > 5 {
			t.Errorf("%d notes in four minutes in which nothing was told", n)
		}
		o.restart()
		pass(15 * time.Minute)
		a.want(t, "flapping normal P2:healthy-healthy*242 via P1 900s")
	})
}

// TestManyPoolsLeave: the store does not keep all of them for ever, and of the
// one that is configured it keeps what was told.
func TestManyPoolsLeave(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		o.Event(o.pool.set("P1", "down", "test"))
		pass(time.Second)
		a.want(t, "status_changed normal P1:healthy-down switched to P2")
		for i := range 2 * maxNotes {
			o.settings.Pools = []Pool{o.pool, newFakePool(fmt.Sprint("pool", i), "P1")}
			o.Restore(o.keeper.kept()) // as the books do after each Follow
			o.Follow(o.settings)
			synctest.Wait()
		}
		if n := len(o.keeper.kept().Notes); n > maxNotes+2 {
			t.Errorf("%d notes are stored", n)
		}
		o.restart()
		pass(time.Hour)
		a.want(t)
	})
}

// TestStoreFails: the alert may be about that.
func TestStoreFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		o.keeper.set(func(k *fakeKeeper) { k.failing = errors.New("disk full") })
		o.raise(1)
		a.want(t, "budget normal via P1")
		o.keeper.set(func(k *fakeKeeper) { k.slow = time.Hour })
		o.raise(2)
		pass(storeWithin)
		a.want(t, "budget normal via P1")
	})
}

// TestStoredFirst: nothing is sent that is not in the store.
func TestStoredFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		o.keeper.set(func(k *fakeKeeper) { k.slow = 500 * time.Millisecond })
		o.raise(1)
		a.want(t)
		pass(500 * time.Millisecond)
		a.want(t, "budget normal via P1")
	})
}

// TestAnotherStore gets what waits, and does not bring back what has arrived.
func TestAnotherStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", err: errors.New("no")}
		o := newOffice(t, a)
		o.raise(1)
		old := o.keeper.kept()
		a.set(func(c *chat) { c.err = nil })
		pass(time.Minute)
		a.want(t, "budget normal via P1")
		a.set(func(c *chat) { c.err = errors.New("no") })
		o.raise(2)
		o.keeper.set(func(k *fakeKeeper) { clear(k.letters); clear(k.notes) })
		for _, l := range old.Letters {
			o.keeper.letters[l.ID] = l
		}
		o.Restore(o.keeper.kept())
		pass(time.Second)
		letters := o.keeper.kept().Letters
		if len(letters) != 1 || letters[0].ID == old.Letters[0].ID {
			t.Errorf("%d letters in the other store, expected the one that waits", len(letters))
		}
		a.set(func(c *chat) { c.err = nil })
		pass(time.Minute)
		a.want(t, "budget normal via P1")
		if len(o.keeper.kept().Notes) == 0 {
			t.Error("what was told is not in the other store")
		}
	})
}

func TestSpoiledLetter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", err: errors.New("no")}
		o := newOffice(t, a)
		o.raise(1)
		o.Close()
		o.keeper.letters[1] = Letter{ID: 1, To: "a", Body: []byte("{")}
		o.keeper.letters[2] = Letter{ID: 2, To: "a", Body: []byte("{}")}
		a.set(func(c *chat) { c.err = nil })
		o.start()
		pass(time.Minute)
		a.want(t, "budget normal via P1")
		if n := len(o.keeper.kept().Letters); n != 0 {
			t.Errorf("%d letters are left", n)
		}
	})
}
