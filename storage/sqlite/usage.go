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
		sum(requests), sum(failed), sum(bytes_in), sum(bytes_out), sum(cost), sum(saved)` +
		usageFrom + `GROUP BY route.id`

	selectUsageRows = `SELECT route.id, quarter, requests, failed, bytes_in, bytes_out, cost, saved` +
		usageFrom + `ORDER BY route.id, quarter`

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
	routes []int64 // of the rows
}

func (r *reader) readUsage(ctx context.Context, q pool.UsageQuery) ([]pool.UsageRow, error) {
	if len(q.Spans) == 0 {
		return nil, nil
	}
	tx, err := r.rdb.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
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
		err := rows.Scan(&route, &row.Requests, &row.Failed, &row.BytesIn, &row.BytesOut, &row.Cost, &row.Saved)
		if err != nil {
			return err
		}
		u.add(route, row)
	}
	return rows.Err()
}

// sumQuarters sums the quarters as they come: by route, and of each in order.
func (u *usageReader) sumQuarters(ctx context.Context) error {
	spans := u.query.Spans
	stmt := u.tx.StmtContext(ctx, u.usageRows)
	rows, err := stmt.QueryContext(ctx, u.args(spans[0].From, spans[len(spans)-1].To)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var last int64
	var span int
	for rows.Next() {
		var row pool.UsageRow
		var route int64
		var quarter pool.Quarter
		err := rows.Scan(&route, &quarter, &row.Requests, &row.Failed, &row.BytesIn, &row.BytesOut, &row.Cost, &row.Saved)
		if err != nil {
			return err
		}
		if route != last {
			last, span = route, 0
		}
		for span < len(spans) && spans[span].To <= quarter {
			span++
		}
		if span < len(spans) && spans[span].From <= quarter {
			row.Span = span
			u.add(route, row)
		}
	}
	return rows.Err()
}

// add adds a row, or to the last one, if that is of the same route and span.
func (u *usageReader) add(route int64, row pool.UsageRow) {
	if n := len(u.rows); n > 0 && u.routes[n-1] == route && u.rows[n-1].Span == row.Span {
		u.rows[n-1].Add(row.Usage)
		return
	}
	u.rows = append(u.rows, row)
	u.routes = append(u.routes, route)
}

// name fills in what the routes are called.
func (u *usageReader) name(ctx context.Context) error {
	stmt := u.tx.StmtContext(ctx, u.routeNames)
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
