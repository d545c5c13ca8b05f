package books

import (
	"context"
	"errors"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	keepUsage  = 400 * 24 * time.Hour
	keepEvents = 90 * 24 * time.Hour
	keepAlerts = 24 * time.Hour

	pruneEvery  = time.Minute
	pruneRows   = 500
	pruneWithin = 50 * time.Millisecond // after each flush

	// A clock on the wall that was put by more than this is not believed for a
	// day: somebody may put it right again.
	maxJump   = time.Hour
	jumpPause = 24 * time.Hour
)

// pruning is the state of removing what is too old.
type pruning struct {
	looked  time.Time // with the monotonic time
	more    bool      // the last look found more than could be removed at once
	failing bool      // was told
	clock   clockGuard
}

// pruneSome removes some of what is too old, after a flush that succeeded.
func (w *writer) pruneSome() {
	p := &w.prune
	now := time.Now()
	if !p.looked.IsZero() && now.Sub(p.looked) < pruneEvery && !p.more {
		return
	}
	wall := w.wall().Round(0)
	if !p.clock.trusts(wall, now.Sub(w.started)) {
		p.looked, p.more = now, false
		return
	}
	p.looked = now
	before := expiry(wall, w.settings.Retention)
	p.more = true
	for p.more && time.Since(now) < pruneWithin {
		ctx, cancel := context.WithTimeout(context.Background(), writeWithin)
		more, err := w.open.store.Prune(ctx, before, pruneRows)
		cancel()
		p.more = more && err == nil
		w.prunedWith(err)
	}
}

// prunedWith tells of an error, once until it is over. Nothing is lost by it,
// and the next look tries again.
func (w *writer) prunedWith(err error) {
	if errors.Is(err, pool.ErrReopen) {
		w.open.broken.Store(true)
	}
	if err != nil && !w.prune.failing {
		w.noticed("removing what is too old: " + err.Error())
	}
	w.prune.failing = err != nil
}

// expiry says what is too old.
func expiry(now time.Time, retention time.Duration) pool.Expiry {
	e := pool.Expiry{
		Usage:  now.Add(-keepUsage),
		Events: now.Add(-keepEvents),
		Alerts: now.Add(-keepAlerts),
	}
	if retention > 0 {
		e.Log = now.Add(-retention)
	}
	return e
}

// clockGuard keeps a clock on the wall that jumps ahead from making everything
// too old at once. It compares how far that clock came with how much time went
// by, and where they disagree, a day must go by without that. A machine that
// was asleep looks the same, and loses nothing but that day.
type clockGuard struct {
	wall    time.Time
	elapsed time.Duration
	looked  bool
	until   time.Duration
}

// trusts takes the time on the wall and the time that went by since some moment.
func (g *clockGuard) trusts(wall time.Time, elapsed time.Duration) bool {
	if g.looked {
		jump := wall.Sub(g.wall) - (elapsed - g.elapsed)
		if jump.Abs() > maxJump {
			g.until = elapsed + jumpPause
		}
	}
	g.wall, g.elapsed, g.looked = wall, elapsed, true
	return elapsed >= g.until
}
