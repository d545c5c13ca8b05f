package alert

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeKeeper is a store that survives its desks.
type fakeKeeper struct {
	mu      sync.Mutex
	letters map[int64]Letter
	notes   map[string][]byte
	noted   int   // notes that were handed over
	deaf    bool  // what is handed over is lost: the process is killed before it is written
	failing error // of Sync
	slow    time.Duration
}

func newFakeKeeper() *fakeKeeper {
	return &fakeKeeper{letters: make(map[int64]Letter), notes: make(map[string][]byte)}
}

func (k *fakeKeeper) Keep(add []Letter, done []int64, notes map[string][]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.deaf {
		return
	}
	for _, l := range add {
		k.letters[l.ID] = l
	}
	for _, id := range done {
		delete(k.letters, id)
	}
	maps.Copy(k.notes, notes)
	maps.DeleteFunc(k.notes, func(_ string, body []byte) bool { return len(body) == 0 })
	k.noted += len(notes)
}

func (k *fakeKeeper) Sync(ctx context.Context) error {
	k.mu.Lock()
	err, slow := k.failing, k.slow
	k.mu.Unlock()
	select {
	case <-time.After(slow):
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *fakeKeeper) kept() Kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	letters := slices.SortedFunc(maps.Values(k.letters), func(a, b Letter) int { return int(a.ID - b.ID) })
	return Kept{Letters: letters, Notes: maps.Clone(k.notes)}
}

func (k *fakeKeeper) set(f func(*fakeKeeper)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f(k)
}

// chat is a destination that notes what arrives.
type chat struct {
	name string

	mu      sync.Mutex
	err     error
	takes   time.Duration
	tries   int
	arrived []string
	parts   int // of each alert; 1 where 0
	broken  int // after so many parts, once
}

func (c *chat) Name() string { return c.name }

func (c *chat) Send(ctx context.Context, a *Alert, done int) (int, error) {
	c.mu.Lock()
	c.tries++
	err, takes, broken := c.err, c.takes, c.broken
	c.broken = 0
	c.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return done, ctx.Err()
	}
	if err != nil {
		return done, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	parts := max(c.parts, 1)
	for ; done < parts; done++ {
		if broken > 0 && done == broken {
			return done, errors.New("broken off")
		}
		text := short(a)
		if parts > 1 {
			text = fmt.Sprintf("%s (%d)", text, done+1)
		}
		c.arrived = append(c.arrived, text)
	}
	return done, nil
}

func (c *chat) set(f func(*chat)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c)
}

func (c *chat) want(t *testing.T, want ...string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(want, c.arrived); diff != "" {
		t.Errorf("%s: arrived (-want +got):\n%s", c.name, diff)
	}
	c.arrived = nil
}

// office is a desk with a store, a pool and chats.
type office struct {
	*testing.T
	*Desk
	keeper   *fakeKeeper
	pool     *fakePool
	settings Settings

	mu  sync.Mutex
	log []string
}

func newOffice(t *testing.T, chats ...Destination) *office {
	o := &office{T: t, keeper: newFakeKeeper(), pool: newFakePool("main", numbered(3)...)}
	note := func(format string, args ...any) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.log = append(o.log, fmt.Sprintf(format, args...))
	}
	o.settings = Settings{
		Pools: []Pool{o.pool}, Cooldown: 15 * time.Minute, Destinations: chats,
		Hooks: Hooks{
			Failed:    func(name string, err error) { note("%s failed: %v", name, err) },
			Recovered: func(name string, after time.Duration) { note("%s recovered", name) },
			Dropped:   func(name string, n int, why string) { note("%s dropped %d: %s", name, n, why) },
			Idle:      func(name string, err error) { note("%s is idle: %v", name, err) },
			Running:   func(name string) { note("%s runs again", name) },
			Edge:      func(e Edge) { note("edge %s", e.Kind) },
		},
	}
	o.start()
	t.Cleanup(func() { o.Close() })
	return o
}

func (o *office) start() {
	o.Desk = NewDesk(o.keeper)
	o.Restore(o.keeper.kept())
	o.Follow(o.settings)
	synctest.Wait()
}

// restart ends the process cleanly and begins another one.
func (o *office) restart() {
	o.Close()
	o.start()
}

// kill ends it without a word to the store.
func (o *office) kill() {
	o.keeper.set(func(k *fakeKeeper) { k.deaf = true })
	o.Close()
	o.keeper.set(func(k *fakeKeeper) { k.deaf = false })
	o.start()
}

func (o *office) wantLog(want ...string) {
	o.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if diff := cmp.Diff(want, o.log); diff != "" {
		o.Errorf("log (-want +got):\n%s", diff)
	}
	o.log = nil
}

// raise makes an alert about a proxy that was not heard of before.
func (o *office) raise(n int) {
	o.Used(KindBudget, "main", &Budget{Proxy: fmt.Sprint(n), Percent: 80})
	synctest.Wait()
}

// bubble runs a test with a clock of its own.
func bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// pass lets time pass, and what it sets off happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

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

func TestParts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a", parts: 3, broken: 2}
		o := newOffice(t, a)
		o.raise(1)
		pass(time.Minute)
		a.want(t, "budget normal via P1 (1)", "budget normal via P1 (2)", "budget normal via P1 (3)")
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

func TestDailyReport(t *testing.T) {
	bubble(t, func(t *testing.T) { // which begins at midnight UTC
		a := &chat{name: "a"}
		o := newOffice(t)
		var asked []string
		var fails atomic.Bool
		o.settings.Destinations = []Destination{a}
		o.settings.Daily = &Clock{9, 0, time.UTC}
		o.settings.Report = func(_ context.Context, from, to time.Time) (Report, error) {
			asked = append(asked, from.Format("02T15:04")+" "+to.Format("02T15:04"))
			if fails.Load() {
				return Report{}, errors.New("the books are closed")
			}
			return Report{From: from, To: to}, nil
		}
		o.Follow(o.settings)
		pass(9*time.Hour - time.Second)
		a.want(t)
		pass(2 * time.Second)
		a.want(t, "daily_report low")
		o.restart()
		pass(12 * time.Hour)
		a.want(t)
		pass(12 * time.Hour)
		a.want(t, "daily_report low")

		fails.Store(true)
		pass(24 * time.Hour)
		a.want(t)
		fails.Store(false)
		pass(2 * time.Minute)
		a.want(t, "daily_report low")

		o.Close() // over the time at which the next is due
		pass(48 * time.Hour)
		o.start()
		pass(time.Minute)
		a.want(t, "daily_report low")
		if diff := cmp.Diff([]string{"31T09:00 01T09:00", "01T09:00 02T09:00"}, asked[:2]); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		if last := asked[len(asked)-1]; last != "04T09:00 05T09:00" {
			t.Errorf("asked for %s in the end, expected the last one that was missed", last)
		}
	})
}

// TestReportInAnotherStore, which did not see that one was due.
func TestReportInAnotherStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		o.settings.Daily = &Clock{9, 0, time.UTC}
		o.settings.Report = func(_ context.Context, from, to time.Time) (Report, error) { return Report{}, nil }
		o.Follow(o.settings)
		pass(time.Hour)
		o.keeper.set(func(k *fakeKeeper) { clear(k.notes) })
		o.Restore(o.keeper.kept())
		synctest.Wait()
		o.Close() // over the time at which it is due
		pass(9 * time.Hour)
		o.start()
		pass(time.Minute)
		a.want(t, "daily_report low")
	})
}

// TestReportAfterAWrongClock, by which the last one was due in years.
func TestReportAfterAWrongClock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &chat{name: "a"}
		o := newOffice(t, a)
		o.Close()
		o.keeper.notes[noteReport] = []byte(`{"told":"2999-01-01T09:00:00Z"}`)
		o.settings.Daily = &Clock{9, 0, time.UTC}
		o.settings.Report = func(_ context.Context, from, to time.Time) (Report, error) { return Report{}, nil }
		o.start()
		pass(24 * time.Hour)
		a.want(t, "daily_report low")
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
