package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	eventSelect = `SELECT event.id, event.time, proxy.pool, proxy.name, event.was, event.became, event.reason `
	eventJoin   = ` CROSS JOIN proxy ON proxy.id = event.proxy_id `

	selectNewestEvents = eventSelect + `FROM event` + eventJoin + `WHERE event.id < ? ORDER BY event.id DESC LIMIT ?`
	selectEventByID    = eventSelect + `FROM json_each(?) AS wanted CROSS JOIN event ON event.id = wanted.value` + eventJoin
	selectEventIDs     = `SELECT id FROM event WHERE proxy_id = ? AND id > ? AND id < ? ORDER BY id DESC LIMIT ?`
)

// readEvents reads the newest events, as readLog does with the log.
func (r *reader) readEvents(ctx context.Context, q pool.EventQuery) ([]pool.EventRow, error) {
	page := newPage(q.Before, q.Limit)
	if q.Pool == "" && q.Proxy == "" {
		return scanEvents(r.newestEvents.QueryContext(ctx, page.before, page.limit))
	}
	proxies, err := r.proxies(ctx, q.Pool, q.Proxy)
	if err != nil {
		return nil, err
	}
	for _, proxy := range proxies {
		if err := page.merge(ctx, r.eventID, proxy); err != nil {
			return nil, err
		}
	}
	rows, err := scanEvents(r.eventByID.QueryContext(ctx, page.json()))
	slices.SortFunc(rows, func(a, b pool.EventRow) int { return int(b.ID - a.ID) })
	return rows, err
}

func scanEvents(rows *sql.Rows, err error) ([]pool.EventRow, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []pool.EventRow
	for rows.Next() {
		var e pool.EventRow
		var at int64
		if err := rows.Scan(&e.ID, &at, &e.Pool, &e.Proxy, &e.From, &e.To, &e.Reason); err != nil {
			return nil, err
		}
		e.Time = time.UnixMilli(at).UTC()
		out = append(out, e)
	}
	return out, rows.Err()
}
