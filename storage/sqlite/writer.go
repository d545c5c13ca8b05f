package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"

	"github.com/caddy-proxypool/proxypool/pool"
)

// writer is the only connection that writes.
type writer struct {
	db         *sql.DB
	conn       *sql.Conn
	names      *names
	statements []*sql.Stmt // all of them, the connection does not close them

	spareFree, maxReleased int // the constants, but in tests

	lastBatch, setBatch           *sql.Stmt
	setRecord, addUsage, addEvent *sql.Stmt
	setAlert, deliver             *sql.Stmt
	setNote, removeNote           *sql.Stmt
	addLog                        []logInsert
	values                        []driver.NamedValue // of a statement of addLog
}

// errKnown is what a batch that was written already ends with.
var errKnown = errors.New("the batch was written already")

// openWriter opens the connection, and brings the tables to the latest version.
func openWriter(ctx context.Context, path string, steps []string) (w *writer, err error) {
	options := []string{
		"_pragma=busy_timeout(1000)", "_error_rc=1", "_dqs=0", "_journal_mode=WAL", "_synchronous=NORMAL",
		fmt.Sprintf("_pragma=journal_size_limit(%d)", checkpointPages*4096),
		fmt.Sprintf("_pragma=wal_autocheckpoint(%d)", checkpointPages),
		"_pragma=temp_store(memory)", "_pragma=cache_size(-4096)",
	}
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		// Later it would have no effect, but that of a write.
		options = append(options, "_auto_vacuum=incremental")
	}
	w = &writer{spareFree: spareFree, maxReleased: maxReleased}
	w.db, err = sql.Open("sqlite", source(path, options...))
	if err != nil {
		return nil, err
	}
	if err := w.prepare(ctx, path, steps); err != nil {
		_ = w.close()
		return nil, err
	}
	return w, nil
}

func (w *writer) prepare(ctx context.Context, path string, steps []string) (err error) {
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return err
	}
	if err := checkContent(ctx, w.conn, path); err != nil {
		return err
	}
	if err := migrate(ctx, w.conn, steps); err != nil {
		return err
	}
	list := []statement{
		{&w.lastBatch, "SELECT id FROM batch"},
		{&w.setBatch, "INSERT INTO batch VALUES (1, ?) ON CONFLICT DO UPDATE SET id = excluded.id"},
		{&w.setRecord, `REPLACE INTO record (proxy_id, requests, failed, bytes_in, bytes_out, cost, saved, timed, took, state)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&w.addUsage, `INSERT INTO usage (route_id, quarter, requests, failed, bytes_in, bytes_out, cost, saved, timed, took)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
			requests = requests + excluded.requests, failed = failed + excluded.failed,
			bytes_in = bytes_in + excluded.bytes_in, bytes_out = bytes_out + excluded.bytes_out,
			cost = cost + excluded.cost, saved = saved + excluded.saved,
			timed = timed + excluded.timed, took = took + excluded.took`},
		{&w.addEvent, "INSERT INTO event VALUES (NULL, ?, ?, ?, ?, ?)"},
		{&w.setAlert, "REPLACE INTO alert VALUES (?, ?, ?, ?)"},
		{&w.deliver, "DELETE FROM alert WHERE id = ?"},
		{&w.setNote, "INSERT INTO note VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body"},
		{&w.removeNote, "DELETE FROM note WHERE name = ?"},
	}
	w.names = newNames()
	if w.statements, err = prepareAll(ctx, w.conn, append(list, w.names.list()...)); err != nil {
		return err
	}
	w.addLog, err = prepareLog(ctx, w.conn)
	return err
}

// statement is what is prepared once, and where it is then.
type statement struct {
	to  **sql.Stmt
	sql string
}

// preparer is a connection, or several.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// prepareAll prepares statements, and returns those that it could.
func prepareAll(ctx context.Context, on preparer, list []statement) ([]*sql.Stmt, error) {
	var all []*sql.Stmt
	for _, s := range list {
		stmt, err := on.PrepareContext(ctx, s.sql) //nolint:sqlclosecheck // closed with the connection
		if err != nil {
			return all, err
		}
		*s.to = stmt
		all = append(all, stmt)
	}
	return all, nil
}

// write writes a batch, all of it or nothing.
func (w *writer) write(ctx context.Context, b *pool.Batch) error {
	err := transaction(ctx, w.conn, func() error { return w.writeAll(ctx, b) })
	if err == nil {
		return nil
	}
	// Names that were given IDs in vain are not known.
	w.names.forget()
	if errors.Is(err, errKnown) {
		return nil
	}
	return err
}

func (w *writer) writeAll(ctx context.Context, b *pool.Batch) error {
	var last int64
	err := w.lastBatch.QueryRowContext(ctx).Scan(&last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	case last == b.ID:
		return errKnown
	}
	if _, err := w.setBatch.ExecContext(ctx, b.ID); err != nil {
		return err
	}
	for _, write := range []func(context.Context, *pool.Batch) error{
		w.writeRecords, w.writeUsage, w.writeLog, w.writeEvents, w.writeAlerts, w.writeNotes,
	} {
		if err := write(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeRecords(ctx context.Context, b *pool.Batch) error {
	for _, r := range b.Records {
		proxy, err := w.names.proxy(ctx, r.Pool, r.Proxy)
		if err != nil {
			return err
		}
		u := &r.Total
		_, err = w.setRecord.ExecContext(ctx, proxy,
			u.Requests, u.Failed, u.BytesIn, u.BytesOut, int64(u.Cost), int64(u.Saved), u.Timed, int64(u.Took), string(r.State))
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeUsage(ctx context.Context, b *pool.Batch) error {
	for _, c := range b.Usage {
		proxy, err := w.names.proxy(ctx, c.Pool, c.Proxy)
		if err != nil {
			return err
		}
		target, err := w.names.target(ctx, c.Target, c.Quarter)
		if err != nil {
			return err
		}
		route, err := w.names.route(ctx, proxy, target)
		if err != nil {
			return err
		}
		u := &c.Usage
		_, err = w.addUsage.ExecContext(ctx, route, int64(c.Quarter),
			u.Requests, u.Failed, u.BytesIn, u.BytesOut, int64(u.Cost), int64(u.Saved), u.Timed, int64(u.Took))
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeEvents(ctx context.Context, b *pool.Batch) error {
	for _, e := range b.Events {
		proxy, err := w.names.proxy(ctx, e.Pool, e.Proxy)
		if err != nil {
			return err
		}
		_, err = w.addEvent.ExecContext(ctx, e.Time.UnixMilli(), proxy, string(e.From), string(e.To), e.Reason)
		if err != nil {
			return err
		}
	}
	return nil
}

// restartWAL writes all of the -wal file to the file, and cuts it to nothing if
// nobody reads from it for a moment. Our own readers are done soon; for others
// there is no waiting here each time.
func (w *writer) restartWAL(ctx context.Context) error {
	if _, err := w.conn.ExecContext(ctx, "PRAGMA busy_timeout = 50"); err != nil {
		return err
	}
	var busy, pages, done int
	err := w.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &done)
	_, resetErr := w.conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA busy_timeout = 1000")
	return errors.Join(err, resetErr)
}

// close closes the connection. The -wal file is written to the file and removed.
func (w *writer) close() error {
	errs := []error{w.closeLog()}
	for _, stmt := range w.statements {
		errs = append(errs, stmt.Close())
	}
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	return errors.Join(append(errs, w.db.Close())...)
}
