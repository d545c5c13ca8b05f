package alert

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
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
