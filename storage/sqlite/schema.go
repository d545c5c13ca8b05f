package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// applicationID is what tells our files from other SQLite files: "PxPl".
const applicationID = 0x5078506c

// migrations make the schema of each version from the one before. The version
// of a file is how many of them it has seen. Those that were released are never
// changed: a change of the schema is one more.
var migrations = []string{
	`
	PRAGMA application_id = 0x5078506c;

	CREATE TABLE batch (
		one INTEGER PRIMARY KEY CHECK (one = 1),
		id  INTEGER NOT NULL
	) STRICT;
	CREATE TABLE proxy (
		id   INTEGER PRIMARY KEY,
		pool TEXT NOT NULL,
		name TEXT NOT NULL,
		UNIQUE (pool, name)
	) STRICT;
	CREATE TABLE target (
		id   INTEGER PRIMARY KEY,
		name TEXT NOT NULL UNIQUE,
		seen INTEGER NOT NULL
	) STRICT;
	CREATE INDEX target_by_seen ON target (seen);
	CREATE TABLE route (
		id        INTEGER PRIMARY KEY,
		proxy_id  INTEGER NOT NULL,
		target_id INTEGER NOT NULL,
		UNIQUE (target_id, proxy_id)
	) STRICT;
	CREATE TABLE record (
		proxy_id  INTEGER PRIMARY KEY,
		requests  INTEGER NOT NULL,
		failed    INTEGER NOT NULL,
		bytes_in  INTEGER NOT NULL,
		bytes_out INTEGER NOT NULL,
		cost      INTEGER NOT NULL,
		saved     INTEGER NOT NULL,
		state     TEXT NOT NULL
	) STRICT;
	CREATE TABLE usage (
		route_id  INTEGER NOT NULL,
		quarter   INTEGER NOT NULL,
		requests  INTEGER NOT NULL,
		failed    INTEGER NOT NULL,
		bytes_in  INTEGER NOT NULL,
		bytes_out INTEGER NOT NULL,
		cost      INTEGER NOT NULL,
		saved     INTEGER NOT NULL,
		PRIMARY KEY (route_id, quarter)
	) STRICT, WITHOUT ROWID;
	CREATE INDEX usage_by_quarter ON usage (quarter);
	CREATE TABLE log (
		id        INTEGER PRIMARY KEY AUTOINCREMENT,
		time      INTEGER NOT NULL,
		proxy_id  INTEGER NOT NULL,
		target_id INTEGER NOT NULL,
		method    TEXT NOT NULL,
		path      TEXT NOT NULL,
		success   INTEGER NOT NULL,
		status    INTEGER NOT NULL,
		duration  INTEGER NOT NULL,
		bytes_in  INTEGER NOT NULL,
		bytes_out INTEGER NOT NULL,
		attempts  INTEGER NOT NULL,
		trail     TEXT,
		error     TEXT NOT NULL
	) STRICT;
	CREATE INDEX log_by_time ON log (time);
	CREATE INDEX log_by_proxy ON log (proxy_id, success);
	CREATE TABLE event (
		id       INTEGER PRIMARY KEY AUTOINCREMENT,
		time     INTEGER NOT NULL,
		proxy_id INTEGER NOT NULL,
		was      TEXT NOT NULL,
		became   TEXT NOT NULL,
		reason   TEXT NOT NULL
	) STRICT;
	CREATE INDEX event_by_time ON event (time);
	CREATE INDEX event_by_proxy ON event (proxy_id);
	CREATE TABLE alert (
		id       INTEGER PRIMARY KEY AUTOINCREMENT,
		time     INTEGER NOT NULL,
		notifier TEXT NOT NULL,
		body     BLOB NOT NULL
	) STRICT;
	CREATE INDEX alert_by_time ON alert (time);
	`,

	// Not WITHOUT ROWID, which is slow where rows are large.
	`
	CREATE TABLE note (
		name TEXT NOT NULL PRIMARY KEY,
		body BLOB NOT NULL
	) STRICT;
	`,

	`
	ALTER TABLE record ADD COLUMN timed INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE record ADD COLUMN took INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE usage ADD COLUMN timed INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE usage ADD COLUMN took INTEGER NOT NULL DEFAULT 0;
	`,
}

// migrate brings the schema to the latest version, a step at a time. A step is
// taken as a whole or not at all.
func migrate(ctx context.Context, conn *sql.Conn, steps []string) error {
	version, err := intPragma(ctx, conn, "user_version")
	if err != nil {
		return err
	}
	if err := mayRead(version, len(steps)); err != nil {
		return err
	}
	for ; version < len(steps); version++ {
		script := fmt.Sprintf("%s; PRAGMA user_version = %d;", steps[version], version+1)
		err := transaction(ctx, conn, func() error {
			_, err := conn.ExecContext(ctx, script)
			return err
		})
		if err != nil {
			return fmt.Errorf("bringing the tables from version %d to %d: %w", version, version+1, err)
		}
	}
	return nil
}

func intPragma(ctx context.Context, conn *sql.Conn, name string) (n int, err error) {
	err = conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&n)
	return n, err
}

// transaction does something as a whole or not at all. Once all is done, it is
// committed even if nobody waits for it any more: whether an interrupted commit
// took place could not be known.
func transaction(ctx context.Context, conn *sql.Conn, do func() error) error {
	anyway := context.WithoutCancel(ctx)
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		// One that was interrupted may have taken place all the same.
		_, _ = conn.ExecContext(anyway, "ROLLBACK")
		return err
	}
	err := do()
	if err == nil {
		_, err = conn.ExecContext(anyway, "COMMIT")
	}
	if err != nil {
		// Fails where SQLite has rolled back already, as it does on grave errors.
		_, _ = conn.ExecContext(anyway, "ROLLBACK")
	}
	return err
}
