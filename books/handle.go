package books

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	// How long a store that is closed is waited for.
	handleWithin = 2 * time.Second
	// How long a query takes at most.
	queryWithin = 10 * time.Second
)

// handle is an open store with those who use it: the writer, and readers. The
// last one to leave closes it.
type handle struct {
	store    pool.Store
	id       string
	restored bool // is the writer's

	ctx    context.Context // of the readers
	cancel context.CancelFunc
	users  atomic.Int64
	broken atomic.Bool // a reader found that it must be opened again

	closed chan struct{}
	err    error // of closing, once closed is
}

func newHandle(s pool.Store, id string) *handle {
	h := &handle{store: s, id: id, closed: make(chan struct{})}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.users.Store(1)
	return h
}

func (h *handle) leave() {
	if h.users.Add(-1) == 0 {
		h.err = h.store.Close()
		close(h.closed)
	}
}

// close ends the readers and lets go of the store. Only the writer calls it,
// after no reader can join any more.
func (h *handle) close() error {
	h.cancel()
	h.leave()
	select {
	case <-h.closed:
		return h.err
	case <-time.After(handleWithin):
		return errors.New("a query does not come to its end")
	}
}

// publish makes h the store that readers use, nil for none.
func (b *Books) publish(h *handle) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.store = h
}

// read calls a query with the store that is open, if any. A store that is closed
// meanwhile ends it.
func (b *Books) read(ctx context.Context, query func(context.Context, pool.Store) error) (open bool, err error) {
	b.mu.Lock()
	h := b.store
	if h != nil {
		h.users.Add(1) // the writer, which is one of them, takes it away before it leaves
	}
	b.mu.Unlock()
	if h == nil {
		return false, nil
	}
	defer h.leave()
	ctx, cancel := context.WithTimeout(ctx, queryWithin)
	defer cancel()
	stop := context.AfterFunc(h.ctx, cancel)
	defer stop()
	err = query(ctx, h.store)
	if errors.Is(err, pool.ErrReopen) {
		h.broken.Store(true)
	}
	return true, err
}
