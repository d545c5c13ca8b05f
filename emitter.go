package proxypool

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"
)

const (
	// How many events wait for their handlers. Beyond that they are dropped:
	// forwarding waits for nobody.
	maxEmitted = 1024
	// How long the handlers of what waits may take when a configuration ends.
	emitWithin = 2 * time.Second
)

// emitter tells Caddy's events app, and so whoever subscribed, what happens. The
// handlers run one after the other in a goroutine of its own.
type emitter struct {
	ctx     caddy.Context
	app     *caddyevents.App
	logger  *zap.Logger
	queue   chan emitted
	running context.Context // ends when no more handlers are to be called
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// emitted is an event on its way.
type emitted struct {
	name string
	data map[string]any
}

// newEmitter makes one that waits until Caddy has started all apps: before that
// the events app may not know yet who has subscribed. Where no events are
// configured it is nil, which tells nobody.
func newEmitter(ctx caddy.Context, logger *zap.Logger) (*emitter, error) {
	app, err := ctx.AppIfConfigured("events")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e := &emitter{ctx: ctx, app: app.(*caddyevents.App), logger: logger, queue: make(chan emitted, maxEmitted)}
	e.running, e.stop = context.WithCancel(context.Background())
	return e, e.app.On("started", e)
}

// Handle begins to call the handlers, when Caddy has started.
func (e *emitter) Handle(context.Context, caddy.Event) error {
	e.done.Go(func() {
		for {
			select {
			case next := <-e.queue:
				e.app.Emit(e.ctx, next.name, next.data)
			case <-e.running.Done():
				e.drain()
				return
			}
		}
	})
	return nil
}

// drain calls the handlers of what still waits.
func (e *emitter) drain() {
	for {
		select {
		case next := <-e.queue:
			e.app.Emit(e.ctx, next.name, next.data)
		default:
			return
		}
	}
}

// end lets the handlers of what waits run, for a moment.
func (e *emitter) end() {
	if e == nil {
		return
	}
	e.stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.done.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(emitWithin):
	}
}

// emit hands over an event. It never waits.
func (e *emitter) emit(name string, data map[string]any) {
	if e == nil {
		return
	}
	select {
	case e.queue <- emitted{moduleName + "." + name, data}:
	default:
		e.logger.Warn("an event was dropped, because the handlers of those before it take too long", zap.String("event", name))
	}
}

// Interface guard
var _ caddyevents.Handler = (*emitter)(nil)
