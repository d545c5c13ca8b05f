package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/caddy-proxypool/proxypool/pool"
)

// readers is how many may read at once.
const readers = 3

// reader is the connections that read. They cannot write.
type reader struct {
	rdb *sql.DB

	proxyIDs, records                *sql.Stmt
	newestLog, logByID, logIDs       *sql.Stmt
	newestEvents, eventByID, eventID *sql.Stmt
	alerts, notes                    *sql.Stmt
	usageSums, usageRows, routeNames *sql.Stmt
}

// openReader opens the connections.
func openReader(ctx context.Context, path string) (r *reader, err error) {
	c, err := newConnector(source(path, "mode=ro", "_pragma=busy_timeout(1000)", "_error_rc=1", "_dqs=0",
		"_query_only=on", "_pragma=temp_store(memory)"))
	if err != nil {
		return nil, err
	}
	r = &reader{rdb: sql.OpenDB(c)}
	r.rdb.SetMaxOpenConns(readers)
	r.rdb.SetMaxIdleConns(readers)
	_, err = prepareAll(ctx, r.rdb, []statement{
		{&r.proxyIDs, "SELECT id FROM proxy WHERE (?1 = '' OR pool = ?1) AND (?2 = '' OR name = ?2)"},
		{&r.records, `SELECT name, requests, failed, bytes_in, bytes_out, cost, saved, timed, took, state
			FROM proxy JOIN record ON proxy_id = id WHERE pool = ?`},
		{&r.newestLog, selectNewestLog},
		{&r.logByID, selectLogByID},
		{&r.logIDs, selectLogIDs},
		{&r.newestEvents, selectNewestEvents},
		{&r.eventByID, selectEventByID},
		{&r.eventID, selectEventIDs},
		{&r.alerts, "SELECT id, time, notifier, body FROM alert ORDER BY id"},
		{&r.notes, "SELECT name, body FROM note ORDER BY name"},
		{&r.usageSums, selectUsageSums},
		{&r.usageRows, selectUsageRows},
		{&r.routeNames, selectRoute},
	})
	if err != nil {
		return nil, errors.Join(err, r.rdb.Close())
	}
	return r, nil
}

func (r *reader) close() error { return r.rdb.Close() }

// proxies finds the IDs of all proxies of a pool, or of those of a name.
func (r *reader) proxies(ctx context.Context, poolName, name string) ([]int64, error) {
	rows, err := r.proxyIDs.QueryContext(ctx, poolName, name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func (r *reader) readRecords(ctx context.Context, poolName string) ([]pool.Record, error) {
	rows, err := r.records.QueryContext(ctx, poolName)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var records []pool.Record
	for rows.Next() {
		record := pool.Record{Pool: poolName}
		u := &record.Total
		err := rows.Scan(&record.Proxy, &u.Requests, &u.Failed, &u.BytesIn, &u.BytesOut, &u.Cost, &u.Saved, &u.Timed, &u.Took, &record.State)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, rows.Err()
}
