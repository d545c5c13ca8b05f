package sqlite

import (
	"context"
	"database/sql"

	"github.com/caddy-proxypool/proxypool/pool"
)

// The routes are the outer loop, so that the quarters of each come in order from
// the primary key, and nothing is sorted.
const (
	usageFrom = ` FROM route
		CROSS JOIN proxy ON proxy.id = route.proxy_id
		CROSS JOIN target ON target.id = route.target_id
		CROSS JOIN usage ON usage.route_id = route.id AND usage.quarter >= ?4 AND usage.quarter < ?5
		WHERE (?1 = '' OR proxy.pool = ?1) AND (?2 = '' OR proxy.name = ?2) AND (?3 = '' OR target.name = ?3) `

	selectUsageSums = `SELECT route.id,
		sum(requests), sum(failed), sum(bytes_in), sum(bytes_out), sum(cost), sum(saved), sum(timed), sum(took)` +
		usageFrom + `GROUP BY route.id`

	// The order within a route is that of the loop.
	selectUsageRows = `SELECT route.id,
		quarters(quarter, requests, failed, bytes_in, bytes_out, cost, saved, timed, took)` +
		usageFrom + `GROUP BY route.id`

	selectRoute = `SELECT proxy.pool, proxy.name, target.name FROM route
		JOIN proxy ON proxy.id = route.proxy_id JOIN target ON target.id = route.target_id WHERE route.id = ?`
)

// fewSpans is up to how many spans each is summed by SQLite. For more, that is
// dearer than to sum the quarters here.
const fewSpans = 64

// usageReader reads usage within one transaction.
type usageReader struct {
	*reader
	tx     *sql.Tx
	query  pool.UsageQuery
	rows   []pool.UsageRow
	routes []int64     // of the rows
	bySpan map[int]int // where all routes are together: the rows
}

func (r *reader) readUsage(ctx context.Context, q pool.UsageQuery) ([]pool.UsageRow, error) {
	if len(q.Spans) == 0 {
		return nil, nil
	}
	tx, err := r.rdb.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	u := usageReader{reader: r, tx: tx, query: q}
	if len(q.Spans) <= fewSpans {
		err = u.sumSpans(ctx)
	} else {
		err = u.sumQuarters(ctx)
	}
	if err != nil {
		return nil, err
	}
	return u.rows, u.name(ctx)
}

// sumSpans has every span summed by SQLite.
func (u *usageReader) sumSpans(ctx context.Context) error {
	sums := u.tx.StmtContext(ctx, u.usageSums)
	defer sums.Close()
	for i, span := range u.query.Spans {
		rows, err := sums.QueryContext(ctx, u.args(span.From, span.To)...)
		if err != nil {
			return err
		}
		if err := u.scanSums(rows, i); err != nil {
			return err
		}
	}
	return nil
}

func (u *usageReader) args(from, to pool.Quarter) []any {
	return []any{u.query.Pool, u.query.Proxy, u.query.Target, int64(from), int64(to)}
}

func (u *usageReader) scanSums(rows *sql.Rows, span int) error {
	defer rows.Close()
	for rows.Next() {
		row := pool.UsageRow{Span: span}
		var route int64
		err := rows.Scan(&route, &row.Requests, &row.Failed, &row.BytesIn, &row.BytesOut, &row.Cost, &row.Saved, &row.Timed, &row.Took)
		if err != nil {
			return err
		}
		u.add(route, row)
	}
	return rows.Err()
}

// sumQuarters sums the quarters here.
func (u *usageReader) sumQuarters(ctx context.Context) error {
	spans := u.query.Spans
	stmt := u.tx.StmtContext(ctx, u.usageRows)
	defer stmt.Close()
	rows, err := stmt.QueryContext(ctx, u.args(spans[0].From, spans[len(spans)-1].To)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var route int64
		var packed []byte
		if err := rows.Scan(&route, &packed); err != nil {
			return err
		}
		if err := u.sumRoute(route, packed); err != nil {
			return err
		}
	}
	return rows.Err()
}

// sumRoute sums the quarters of a route, which come in order, in each span.
func (u *usageReader) sumRoute(route int64, packed []byte) error {
	spans := u.query.Spans
	span := 0
	for len(packed) > 0 {
		quarter, usage, rest, err := unpack(packed)
		if err != nil {
			return err
		}
		packed = rest
		for span < len(spans) && spans[span].To <= quarter {
			span++
		}
		if span < len(spans) && spans[span].From <= quarter {
			u.add(route, pool.UsageRow{Span: span, Usage: usage})
		}
	}
	return nil
}

// add adds a row, or to the last one, if that is of the same route and span.
func (u *usageReader) add(route int64, row pool.UsageRow) {
	if u.query.Together {
		u.addToSpan(row)
		return
	}
	if n := len(u.rows); n > 0 && u.routes[n-1] == route && u.rows[n-1].Span == row.Span {
		u.rows[n-1].Add(row.Usage)
		return
	}
	u.rows = append(u.rows, row)
	u.routes = append(u.routes, route)
}

// addToSpan adds a row to that of its span.
func (u *usageReader) addToSpan(row pool.UsageRow) {
	if i, ok := u.bySpan[row.Span]; ok {
		u.rows[i].Add(row.Usage)
		return
	}
	if u.bySpan == nil {
		u.bySpan = make(map[int]int)
	}
	u.bySpan[row.Span] = len(u.rows)
	u.rows = append(u.rows, row)
}

// name fills in what the routes are called.
func (u *usageReader) name(ctx context.Context) error {
	stmt := u.tx.StmtContext(ctx, u.routeNames)
	defer stmt.Close()
	type routeName struct{ pool, proxy, target string }
	names := make(map[int64]routeName)
	for i, route := range u.routes {
		name, ok := names[route]
		if !ok {
			if err := stmt.QueryRowContext(ctx, route).Scan(&name.pool, &name.proxy, &name.target); err != nil {
				return err
			}
			names[route] = name
		}
		row := &u.rows[i]
		row.Pool, row.Proxy, row.Target = name.pool, name.proxy, name.target
	}
	return nil
}
