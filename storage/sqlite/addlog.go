package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/caddy-proxypool/proxypool/pool"
)

// Rows of the log are most of what is written. They go past database/sql, which
// would copy each value, and start a goroutine with each statement to interrupt
// it: that was a third of what a row cost.

// logSizes are how many rows are written with one statement, which costs less
// than many statements.
var logSizes = []int{100, 10, 1}

// The values of a row without its ID: of any, and of one whose first attempt
// went well, which has fewer because binding them is what costs most.
const (
	anyRow   = "(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	usualRow = "(NULL, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, 1, NULL, '')"
)

// logInsert is a statement that writes so many rows.
type logInsert struct {
	rows  int
	usual bool
	stmt  driver.Stmt
}

// prepareLog prepares the statements, the larger ones first.
func prepareLog(ctx context.Context, conn *sql.Conn) (inserts []logInsert, err error) {
	err = conn.Raw(func(raw any) error {
		for _, rows := range logSizes {
			for usual, row := range map[bool]string{false: anyRow, true: usualRow} {
				query := "INSERT INTO log VALUES " + row + strings.Repeat(", "+row, rows-1)
				stmt, err := raw.(driver.ConnPrepareContext).PrepareContext(ctx, query)
				if err != nil {
					return err
				}
				inserts = append(inserts, logInsert{rows, usual, stmt})
			}
		}
		return nil
	})
	return inserts, err
}

func (w *writer) writeLog(ctx context.Context, b *pool.Batch) error {
	for rows := b.Log; len(rows) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		insert := w.insertFor(rows)
		w.values = w.values[:0]
		for i := range rows[:insert.rows] {
			if err := w.appendRow(ctx, &rows[i], insert.usual); err != nil {
				return err
			}
		}
		if err := w.insertLog(ctx, insert); err != nil {
			return err
		}
		rows = rows[insert.rows:]
	}
	return nil
}

// insertFor is the largest statement for the rows at the beginning, which are all
// usual or all not.
func (w *writer) insertFor(rows []pool.LogRow) *logInsert {
	usual, alike := isUsual(&rows[0]), 1
	for alike < min(len(rows), logSizes[0]) && isUsual(&rows[alike]) == usual {
		alike++
	}
	for i := range w.addLog {
		if insert := &w.addLog[i]; insert.usual == usual && insert.rows <= alike {
			return insert
		}
	}
	return nil // cannot be: there are statements for one row
}

func isUsual(r *pool.LogRow) bool {
	return r.Success && r.Attempts == 1 && r.Error == "" && r.Trail == usualTrail(r.Proxy)
}

// insertLog executes a statement with the values at hand. It is not interrupted:
// the context is looked at before each.
func (w *writer) insertLog(ctx context.Context, insert *logInsert) error {
	return w.conn.Raw(func(any) error {
		_, err := insert.stmt.(driver.StmtExecContext).ExecContext(context.WithoutCancel(ctx), w.values)
		return err
	})
}

// appendRow appends the values of a row.
func (w *writer) appendRow(ctx context.Context, r *pool.LogRow, usual bool) error {
	proxy, err := w.names.proxy(ctx, r.Pool, r.Proxy)
	if err != nil {
		return err
	}
	target, err := w.names.target(ctx, r.Target, pool.QuarterOf(r.Time))
	if err != nil {
		return err
	}
	w.bind(r.Time.UnixMilli(), proxy, target, r.Method, r.Path)
	if !usual {
		var success int64
		if r.Success {
			success = 1
		}
		w.bind(success)
	}
	w.bind(int64(r.Status), r.Duration.Milliseconds(), r.BytesIn, r.BytesOut)
	if usual {
		return nil
	}
	var trail any
	if r.Trail != usualTrail(r.Proxy) {
		trail = r.Trail
	}
	w.bind(int64(r.Attempts), trail, r.Error)
	return nil
}

func (w *writer) bind(values ...any) {
	for _, v := range values {
		w.values = append(w.values, driver.NamedValue{Ordinal: len(w.values) + 1, Value: v})
	}
}

// closeLog closes the statements.
func (w *writer) closeLog() error {
	var errs []error
	for _, insert := range w.addLog {
		errs = append(errs, insert.stmt.Close())
	}
	return errors.Join(errs...)
}
