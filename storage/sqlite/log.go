package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// logSizes are how many rows are written with one statement, which costs less
// than many statements.
var logSizes = []int{100, 10, 1}

// logColumns is how many values a row of the log has, without the ID.
const logColumns = 13

// insertLog is the statement for so many rows.
func insertLog(rows int) string {
	row := "(NULL" + strings.Repeat(", ?", logColumns) + ")"
	return "INSERT INTO log VALUES " + row + strings.Repeat(", "+row, rows-1)
}

func (w *writer) writeLog(ctx context.Context, b *pool.Batch) error {
	rows := b.Log
	args := make([]any, 0, logColumns*logSizes[0])
	for i, size := range logSizes {
		for ; len(rows) >= size; rows = rows[size:] {
			args = args[:0]
			for j := range rows[:size] {
				var err error
				if args, err = w.appendLog(ctx, args, &rows[j]); err != nil {
					return err
				}
			}
			if _, err := w.addLog[i].ExecContext(ctx, args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendLog appends the values of a row.
func (w *writer) appendLog(ctx context.Context, args []any, r *pool.LogRow) ([]any, error) {
	proxy, err := w.names.proxy(ctx, r.Pool, r.Proxy)
	if err != nil {
		return nil, err
	}
	target, err := w.names.target(ctx, r.Target, pool.QuarterOf(r.Time))
	if err != nil {
		return nil, err
	}
	var trail any
	if r.Trail != usualTrail(r.Proxy) {
		trail = r.Trail
	}
	var success int64
	if r.Success {
		success = 1
	}
	return append(args, r.Time.UnixMilli(), proxy, target, r.Method, r.Path, success, int64(r.Status),
		r.Duration.Milliseconds(), r.BytesIn, r.BytesOut, int64(r.Attempts), trail, r.Error), nil
}

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
