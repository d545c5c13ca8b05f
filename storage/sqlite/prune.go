package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	// spareFree is how many free pages are kept in the file for what comes.
	spareFree = 1024
	// maxReleased is how many pages are given back to the disk at once.
	maxReleased = 256
)

// old is how rows of one kind are removed.
type old struct {
	remove, left string // take a time, and remove takes a limit too
	before       int64
	wanted       bool
}

// prune removes up to limit rows of each kind, and gives some of the space back.
func (w *writer) prune(ctx context.Context, before pool.Expiry, limit int) (more bool, err error) {
	err = transaction(ctx, w.conn, func() error {
		for _, kind := range kinds(before) {
			if !kind.wanted {
				continue
			}
			left, err := w.remove(ctx, kind, limit)
			if err != nil {
				return err
			}
			more = more || left
		}
		if more {
			return nil
		}
		return w.removeUnused(ctx, before, limit)
	})
	if err != nil {
		return false, err
	}
	return more, w.release(ctx)
}

func kinds(before pool.Expiry) []old {
	return []old{
		byTime("log", before.Log),
		byTime("event", before.Events),
		byTime("alert", before.Alerts),
		{
			remove: `DELETE FROM usage WHERE (route_id, quarter) IN
				(SELECT route_id, quarter FROM usage WHERE quarter < ? ORDER BY quarter LIMIT ?)`,
			left:   "SELECT EXISTS (SELECT 1 FROM usage WHERE quarter < ?)",
			before: int64(pool.QuarterOf(before.Usage)),
			wanted: !before.Usage.IsZero(),
		},
	}
}

func byTime(table string, before time.Time) old {
	return old{
		remove: "DELETE FROM " + table + " WHERE id IN (SELECT id FROM " + table + " WHERE time < ? ORDER BY time LIMIT ?)",
		left:   "SELECT EXISTS (SELECT 1 FROM " + table + " WHERE time < ?)",
		before: before.UnixMilli(),
		wanted: !before.IsZero(),
	}
}

func (w *writer) remove(ctx context.Context, kind old, limit int) (left bool, err error) {
	if _, err := w.conn.ExecContext(ctx, kind.remove, kind.before, limit); err != nil {
		return false, err
	}
	err = w.conn.QueryRowContext(ctx, kind.left, kind.before).Scan(&left)
	return left, err
}

const (
	unusedTargets = "(SELECT id FROM target WHERE seen < ? ORDER BY seen, id LIMIT ?)"
	removeRoutes  = "DELETE FROM route WHERE target_id IN " + unusedTargets
	removeTargets = "DELETE FROM target WHERE id IN " + unusedTargets
)

// removeUnused removes targets, and their routes, that no row can be of any
// more: all that is from their days is removed already.
func (w *writer) removeUnused(ctx context.Context, before pool.Expiry, limit int) error {
	if before.Usage.IsZero() {
		return nil
	}
	first := pool.QuarterOf(before.Usage)
	switch {
	case !before.Log.IsZero():
		first = min(first, pool.QuarterOf(before.Log))
	default:
		var logged bool
		if err := w.conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM log)").Scan(&logged); err != nil || logged {
			return err
		}
	}
	for _, remove := range []string{removeRoutes, removeTargets} {
		result, err := w.conn.ExecContext(ctx, remove, int64(first)-seenEvery, limit)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			w.names.forget()
		}
	}
	return nil
}

// release gives space back to the disk, a little at a time, where much more is
// free than is soon used again.
func (w *writer) release(ctx context.Context) error {
	free, err := intPragma(ctx, w.conn, "freelist_count")
	if err != nil || free <= w.spareFree {
		return err
	}
	return w.vacuum(ctx, min(free-w.spareFree, w.maxReleased))
}

func (w *writer) vacuum(ctx context.Context, pages int) error {
	_, err := w.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", pages))
	return err
}
