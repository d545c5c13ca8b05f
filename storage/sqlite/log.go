package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// usualTrail is the trail of a request whose first attempt went well.
func usualTrail(proxy string) string { return proxy + ":ok" }

const (
	logSelect = `SELECT log.id, log.time, proxy.pool, proxy.name, log.method, target.name, log.path, log.success, log.status,
		log.duration, log.bytes_in, log.bytes_out, log.attempts, log.trail, log.error `
	logJoin = ` CROSS JOIN proxy ON proxy.id = log.proxy_id CROSS JOIN target ON target.id = log.target_id `

	selectNewestLog = logSelect + `FROM log` + logJoin + `WHERE log.id < ? ORDER BY log.id DESC LIMIT ?`
	selectLogByID   = logSelect + `FROM json_each(?) AS wanted CROSS JOIN log ON log.id = wanted.value` + logJoin
	selectLogIDs    = `SELECT id FROM log WHERE proxy_id = ? AND success = ? AND id > ? AND id < ? ORDER BY id DESC LIMIT ?`
)

// readLog reads the newest rows. Where only some are wanted, their IDs are found
// first, in the index, for each proxy and outcome that is wanted.
func (r *reader) readLog(ctx context.Context, q pool.LogQuery) ([]pool.LogRow, error) {
	page := newPage(q.Before, q.Limit)
	if q.Pool == "" && q.Proxy == "" && q.Success == nil {
		return scanLog(r.newestLog.QueryContext(ctx, page.before, page.limit))
	}
	proxies, err := r.proxies(ctx, q.Pool, q.Proxy)
	if err != nil {
		return nil, err
	}
	for _, proxy := range proxies {
		for _, success := range []bool{true, false} {
			if q.Success != nil && *q.Success != success {
				continue
			}
			if err := page.merge(ctx, r.logIDs, proxy, success); err != nil {
				return nil, err
			}
		}
	}
	rows, err := scanLog(r.logByID.QueryContext(ctx, page.json()))
	slices.SortFunc(rows, func(a, b pool.LogRow) int { return int(b.ID - a.ID) })
	return rows, err
}

func scanLog(rows *sql.Rows, err error) ([]pool.LogRow, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []pool.LogRow
	for rows.Next() {
		var r pool.LogRow
		var at, duration int64
		var trail sql.NullString
		err := rows.Scan(&r.ID, &at, &r.Pool, &r.Proxy, &r.Method, &r.Target, &r.Path, &r.Success, &r.Status,
			&duration, &r.BytesIn, &r.BytesOut, &r.Attempts, &trail, &r.Error)
		if err != nil {
			return nil, err
		}
		r.Time = time.UnixMilli(at).UTC()
		r.Duration = time.Duration(duration) * time.Millisecond
		if r.Trail = trail.String; !trail.Valid {
			r.Trail = usualTrail(r.Proxy)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// page is the newest IDs of several lists.
type page struct {
	before int64
	limit  int
	ids    []int64 // falling
}

func newPage(before int64, limit int) *page {
	if before == 0 {
		before = 1<<63 - 1
	}
	return &page{before: before, limit: limit}
}

// merge adds the IDs of one list, as far as they are among the newest. The
// statement takes the arguments that make the list, the ID to begin after, the
// one to end before, and how many it may return.
func (p *page) merge(ctx context.Context, list *sql.Stmt, args ...any) error {
	after := int64(0)
	if len(p.ids) == p.limit {
		after = p.ids[len(p.ids)-1]
	}
	rows, err := list.QueryContext(ctx, append(args, after, p.before, p.limit)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	found := len(p.ids)
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		p.ids = append(p.ids, id)
	}
	if len(p.ids) > found && found > 0 {
		slices.SortFunc(p.ids, func(a, b int64) int { return int(b - a) })
		p.ids = p.ids[:min(len(p.ids), p.limit)]
	}
	return rows.Err()
}

// json is the IDs as SQL can take them.
func (p *page) json() string {
	raw, _ := json.Marshal(p.ids) // cannot fail
	return string(raw)
}
