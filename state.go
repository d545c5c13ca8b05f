package proxypool

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/books"
	"github.com/caddy-proxypool/proxypool/pool"
)

// states keeps what outlives a reload, for as long as some configuration uses
// it. There is one registry for the process.
var states = caddy.NewUsagePool()

const statesKey = "proxy_pool"

// registry holds the state of every pool by its name. A pool that leaves the
// configuration keeps its state, because it may come back.
type registry struct {
	mu         sync.Mutex
	books      *books.Books
	desk       *alert.Desk
	tunnels    tunnels
	errands    errands
	proven     provenHashes
	begun      chan struct{} // closed once the first configuration has started
	beginOnce  sync.Once
	pools      map[string]*pool.State
	running    []*App // configurations that were started, the newest last
	trusts     []knownTrust
	made       int64  // configurations so far
	token      string // that pages of this process show for what they ask to be done
	trustCount int
}

// maxPoolStates bounds how many pools are remembered that are configured no more.
const maxPoolStates = 256

// acquireRegistry counts one more user of the registry; each must release it.
func acquireRegistry() (*registry, error) {
	value, _, err := states.LoadOrNew(statesKey, func() (caddy.Destructor, error) {
		r := &registry{pools: make(map[string]*pool.State), begun: make(chan struct{}), token: rand.Text()}
		r.books = books.New(r)
		r.desk = alert.NewDesk(keeper{r.books})
		return r, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*registry), nil
}

func releaseRegistry() error {
	_, err := states.Delete(statesKey)
	return err
}

// state is the state of the pool of a name.
func (r *registry) state(name string) *pool.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.pools[name]
	if !ok {
		s = pool.NewState()
		r.pools[name] = s
	}
	return s
}

// started makes the states and the books follow a configuration. What the store
// knows comes before what the configuration changes.
func (r *registry) started(a *App) {
	r.mu.Lock()
	first := len(r.running) == 0
	r.running = append(r.running, a)
	r.mu.Unlock()
	r.follow(a)
	if first {
		r.tunnels.reopen()
	}
	r.beginOnce.Do(func() { close(r.begun) })
}

// follow makes all but the tunnels follow a configuration.
func (r *registry) follow(a *App) {
	r.books.Follow(context.Background(), a.settings) // waits for some seconds at most
	a.adopt()
	r.desk.Follow(a.alerting.settings)
}

// beginWithin is how long a request waits at most for what a store knows.
const beginWithin = 5 * time.Second

// begin waits until the process knows what it knew before: the servers may start
// before the app does, and a request must not go through a proxy that is
// disabled, or whose budget is spent.
func (a *App) begin(ctx context.Context) {
	select {
	case <-a.begun:
		return
	default:
	}
	timer := time.NewTimer(beginWithin)
	defer timer.Stop()
	select {
	case <-a.begun:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// stopped takes a configuration out. Where it was the newest, one before it
// goes on: Caddy gives up a new configuration that does not start as a whole.
func (r *registry) stopped(a *App) {
	r.mu.Lock()
	i := slices.Index(r.running, a)
	newest := i >= 0 && i == len(r.running)-1
	if i >= 0 {
		r.running = slices.Delete(r.running, i, i+1)
	}
	var goesOn *App
	if n := len(r.running); n > 0 {
		goesOn = r.running[n-1]
	}
	r.mu.Unlock()
	switch {
	case goesOn == nil:
		r.tunnels.drain()
	case newest:
		r.follow(goesOn)
	}
	if goesOn != nil {
		// Only now is it certain which configuration holds.
		r.tunnels.review(goesOn, a)
	}
}

// nextNumber is the number of another configuration.
func (r *registry) nextNumber() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made++
	return r.made
}

// newest is the configuration that was started last, nil where none runs.
func (r *registry) newest() *App {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.running); n > 0 {
		return r.running[n-1]
	}
	return nil
}

// runningApp is the configuration of the process that was started last, nil where
// none runs.
func runningApp() (newest *App) {
	states.Range(func(_, value any) bool {
		newest = value.(*registry).newest()
		return false
	})
	return newest
}

// keepOnly closes the connections of pools that are configured no more, and
// forgets some of them where there are too many.
func (r *registry) keepOnly(configured map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	excess := len(r.pools) - len(configured) - maxPoolStates
	for name, s := range r.pools {
		if configured[name] {
			continue
		}
		s.Rest()
		if excess > 0 {
			s.Close()
			delete(r.pools, name)
			excess--
		}
	}
}

// Destruct lets go of all connections once no configuration uses them, and
// closes the desk and the books. Requests that still run keep their connections until they
// are done.
func (r *registry) Destruct() error {
	r.tunnels.close() // what they carried is booked
	r.mu.Lock()
	for _, s := range r.pools {
		s.Close()
	}
	r.mu.Unlock()
	r.desk.Close() // what arrived is noted in the books
	r.books.Close()
	return nil
}
