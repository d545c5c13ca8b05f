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

	selectUsageSums = `SELECT proxy.pool, proxy.name, target.name,
		sum(requests), sum(failed), sum(bytes_in), sum(bytes_out), sum(cost), sum(saved)` +
		usageFrom + `GROUP BY route.id`

	selectUsageRows = `SELECT proxy.pool, proxy.name, target.name, quarter,
		requests, failed, bytes_in, bytes_out, cost, saved` +
		usageFrom + `ORDER BY route.id, quarter`
)

func (r *reader) readUsage(ctx context.Context, q pool.UsageQuery) ([]pool.UsageRow, error) {
	switch len(q.Spans) {
	case 0:
		return nil, nil
	case 1:
		return scanUsageSums(r.usageSums.QueryContext(ctx, usageArgs(q)...))
	default:
		return scanUsageRows(q.Spans)(r.usageRows.QueryContext(ctx, usageArgs(q)...))
	}
}

func usageArgs(q pool.UsageQuery) []any {
	first, last := q.Spans[0], q.Spans[len(q.Spans)-1]
	return []any{q.Pool, q.Proxy, q.Target, int64(first.From), int64(last.To)}
}

func scanUsageSums(rows *sql.Rows, err error) ([]pool.UsageRow, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []pool.UsageRow
	for rows.Next() {
		var row pool.UsageRow
		u := &row.Usage
		err := rows.Scan(&row.Pool, &row.Proxy, &row.Target,
			&u.Requests, &u.Failed, &u.BytesIn, &u.BytesOut, &u.Cost, &u.Saved)
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// scanUsageRows sums the quarters of each route in each span.
func scanUsageRows(spans []pool.QuarterSpan) func(rows *sql.Rows, err error) ([]pool.UsageRow, error) {
	return func(rows *sql.Rows, err error) ([]pool.UsageRow, error) {
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var out []pool.UsageRow
		var now pool.UsageRow
		for rows.Next() {
			var row pool.UsageRow
			var quarter pool.Quarter
			u := &row.Usage
			err := rows.Scan(&row.Pool, &row.Proxy, &row.Target, &quarter,
				&u.Requests, &u.Failed, &u.BytesIn, &u.BytesOut, &u.Cost, &u.Saved)
			if err != nil {
				return nil, err
			}
			if row.Pool != now.Pool || row.Proxy != now.Proxy || row.Target != now.Target {
				row.Span = 0
			} else {
				row.Span = now.Span
			}
			for row.Span < len(spans) && spans[row.Span].To <= quarter {
				row.Span++
			}
			same := len(out) > 0 && row.Pool == now.Pool && row.Proxy == now.Proxy && row.Target == now.Target && row.Span == now.Span
			now = row
			if row.Span == len(spans) || quarter < spans[row.Span].From {
				continue
			}
			if same && out[len(out)-1].Span == row.Span {
				out[len(out)-1].Add(row.Usage)
				continue
			}
			out = append(out, row)
		}
		return out, rows.Err()
	}
}
