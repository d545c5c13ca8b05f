package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/pool"
)

// rows are one for each table, by the version that has it first.
var rows = map[int][]string{
	1: {
		"INSERT INTO proxy (id, pool, name) VALUES (7, 'main', 'one')",
		"INSERT INTO target (id, name, seen) VALUES (5, 'api:443', 100)",
		"INSERT INTO route (id, proxy_id, target_id) VALUES (3, 7, 5)",
		"INSERT INTO usage (route_id, quarter, requests, failed, bytes_in, bytes_out, cost, saved) VALUES (3, 100, 1, 2, 3, 4, 5, 6)",
		"INSERT INTO record (proxy_id, requests, failed, bytes_in, bytes_out, cost, saved, state) VALUES (7, 1, 2, 3, 4, 5, 6, '{}')",
		`INSERT INTO log (time, proxy_id, target_id, method, path, success, status, duration, bytes_in, bytes_out, attempts, trail, error)
			VALUES (1000, 7, 5, 'GET', '/', 1, 200, 30, 3, 4, 1, NULL, '')`,
		"INSERT INTO event (time, proxy_id, was, became, reason) VALUES (1000, 7, 'healthy', 'down', 'refused')",
		"INSERT INTO alert (time, notifier, body) VALUES (1000, 'telegram', x'00ff')",
		"INSERT INTO batch VALUES (1, 42)",
	},
	2: {"INSERT INTO note (name, body) VALUES ('told', x'00ff')"},
	3: {"UPDATE usage SET timed = 7, took = 8", "UPDATE record SET timed = 7, took = 8"},
}

// atVersion makes a file as a program that knew these migrations did, with a row
// in each table, and with what else a test wants in it.
func atVersion(t *testing.T, steps []string, more ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proxy_pool.db")
	db, err := sql.Open("sqlite", source(path, "_auto_vacuum=incremental", "_journal_mode=WAL"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := migrate(t.Context(), conn, steps); err != nil {
		t.Fatal(err)
	}
	statements := more
	for version := range steps {
		statements = append(statements, rows[version+1]...)
	}
	for _, statement := range statements {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// checkMigrated checks that everything is there that atVersion wrote to a file
// of a version, and that all can be written to.
func checkMigrated(t *testing.T, s *Store, version int) {
	t.Helper()
	ctx := context.Background()
	usage := pool.Usage{Requests: 1, Failed: 2, BytesIn: 3, BytesOut: 4, Cost: 5, Saved: 6}
	if version >= 3 {
		usage.Timed, usage.Took = 7, 8
	}
	records, err := s.Records(ctx, "main")
	compare(t, err, records, []pool.Record{{Pool: "main", Proxy: "one", Total: usage, State: []byte("{}")}})
	rows, err := s.Usage(ctx, pool.UsageQuery{Spans: []pool.QuarterSpan{{From: 100, To: 101}}})
	compare(t, err, rows, []pool.UsageRow{{Pool: "main", Proxy: "one", Target: "api:443", Usage: usage}})
	log, err := s.Log(ctx, pool.LogQuery{Limit: 10})
	if err != nil || len(log) != 1 || log[0].Trail != "one:ok" || log[0].Target != "api:443" {
		t.Errorf("log %+v, error %v", log, err)
	}
	events, err := s.Events(ctx, pool.EventQuery{Limit: 10})
	if err != nil || len(events) != 1 || events[0].Reason != "refused" {
		t.Errorf("events %+v, error %v", events, err)
	}
	old := pool.Alert{ID: 1, Time: time.UnixMilli(1000).UTC(), Notifier: "telegram", Body: []byte("\x00\xff")}
	alerts, err := s.Alerts(ctx)
	compare(t, err, alerts, []pool.Alert{old})
	var told []pool.Note
	if version >= 2 {
		told = []pool.Note{{Name: "told", Body: []byte("\x00\xff")}}
	}
	notes, err := s.Notes(ctx)
	compare(t, err, notes, told)
	if err := s.Write(ctx, &pool.Batch{ID: 42, Log: []pool.LogRow{{}}}); err != nil {
		t.Error(err)
	}
	if log, err := s.Log(ctx, pool.LogQuery{Limit: 10}); err != nil || len(log) != 1 {
		t.Errorf("the last batch was not known: log %+v, error %v", log, err)
	}
	again, note := old, pool.Note{Name: "told", Body: []byte("new")}
	again.Body = []byte("again")
	if err := s.Write(ctx, &pool.Batch{ID: 43, Alerts: []pool.Alert{again}, Notes: []pool.Note{note}}); err != nil {
		t.Error(err)
	}
	alerts, err = s.Alerts(ctx)
	compare(t, err, alerts, []pool.Alert{again})
	notes, err = s.Notes(ctx)
	compare(t, err, notes, []pool.Note{note})
}

func compare(t *testing.T, err error, got, want any) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-expected +got:\n%s", diff)
	}
}

func noNotice(t *testing.T) func(string) {
	return func(message string) { t.Errorf("notice: %s", message) }
}

// TestMigrations opens a file of each earlier version, and of this one. Later
// versions are played by one that is not there yet.
func TestMigrations(t *testing.T) {
	later := append(append([]string{}, migrations...),
		"ALTER TABLE log ADD COLUMN client TEXT; CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT;")
	for known := len(migrations); known <= len(later); known++ {
		for n := 1; n <= known; n++ {
			t.Run(fmt.Sprintf("%d to %d", n, known), func(t *testing.T) {
				if n == len(later) {
					t.Skip("what writes to such a file is not there yet")
				}
				path := atVersion(t, later[:n])
				s, err := open(t.Context(), path, later[:known], noNotice(t))
				if known > len(migrations) {
					// The statements are those of this version, and fit no more.
					if err == nil || !strings.Contains(err.Error(), "15 columns but 14 values") {
						t.Fatalf("error %v, expected that the table has one more column", err)
					}
					checkVersion(t, path, known)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				checkMigrated(t, s, n)
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				checkVersion(t, path, known)
			})
		}
	}
}

func checkVersion(t *testing.T, path string, want int) {
	t.Helper()
	db, err := sql.Open("sqlite", source(path, "mode=ro"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var version int
	if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil || version != want {
		t.Errorf("version %d, expected %d; error %v", version, want, err)
	}
}

// TestMigrationOfALargeFile has files that are not checked as a whole. What is
// looked at in them must be there in each version.
func TestMigrationOfALargeFile(t *testing.T) {
	for n := 1; n <= len(migrations); n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			path := atVersion(t, migrations[:n], fmt.Sprintf(
				"INSERT INTO proxy (pool, name) VALUES ('other', hex(zeroblob(%d)))", maxChecked))
			if info, err := os.Stat(path); err != nil || info.Size() <= maxChecked {
				t.Fatalf("the file is not large: %v, error %v", info.Size(), err)
			}
			s, err := Open(t.Context(), path, noNotice(t))
			if err != nil {
				t.Fatal(err)
			}
			checkMigrated(t, s, n)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			checkVersion(t, path, len(migrations))
		})
	}
}

// TestFailedMigration has a step that fails: the one before it has been taken,
// and nothing of it.
func TestFailedMigration(t *testing.T) {
	path := atVersion(t, migrations)
	steps := append(append([]string{}, migrations...),
		"CREATE TABLE good (id INTEGER)", "CREATE TABLE bad (id INTEGER); INSERT INTO nowhere VALUES (1)")
	_, err := open(t.Context(), path, steps, noNotice(t))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("from version %d to %d", len(steps)-1, len(steps))) {
		t.Fatalf("error %v, expected one that names the versions", err)
	}
	checkVersion(t, path, len(steps)-1)
	s, err := open(t.Context(), path, append(steps[:len(steps)-1:len(steps)-1], "CREATE TABLE bad (id INTEGER)"), noNotice(t))
	if err != nil {
		t.Fatal(err)
	}
	checkMigrated(t, s, len(migrations))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestNewerVersion(t *testing.T) {
	path := atVersion(t, append(append([]string{}, migrations...), "CREATE TABLE later (id INTEGER)"))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), path, noNotice(t))
	if err == nil {
		t.Fatal("opened")
	}
	for _, words := range []string{
		fmt.Sprintf("the file is of version %d", len(migrations)+1),
		fmt.Sprintf("this program knows version %d", len(migrations)), "use a newer version",
	} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("error %q, expected %q in it", err, words)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed; error %v", err)
	}
}

// TestPlans checks that nothing that may be asked of many rows looks at all of
// them, or sorts them.
func TestPlans(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "proxy_pool.db"), noNotice(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list := []string{
		selectNewestLog, selectLogByID, selectLogIDs, selectNewestEvents, selectEventByID, selectEventIDs,
		selectUsageSums, selectUsageRows, selectRoute, removeRoutes, removeTargets,
		"SELECT * FROM record JOIN proxy ON id = proxy_id WHERE pool = ?",
	}
	for _, kind := range kinds(pool.Expiry{}) {
		list = append(list, kind.remove, kind.left)
	}
	for _, statement := range s.names.list() {
		if strings.HasPrefix(statement.sql, "SELECT") {
			list = append(list, statement.sql)
		}
	}
	for _, query := range list {
		for _, step := range plan(t, s, query) {
			// The routes are few, the IDs wanted a page, and the newest rows of a
			// table are read from its end until there are enough.
			usual := step == "SCAN route" || step == "SCAN wanted VIRTUAL TABLE INDEX 1:" ||
				step == "SCAN CONSTANT ROW"
			if strings.HasPrefix(step, "SCAN") && !usual || strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("%s\nis done by: %s", query, step)
			}
		}
	}
}

func plan(t *testing.T, s *Store, query string) (steps []string) {
	t.Helper()
	conn, err := s.rdb.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rows, err := conn.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, 1, 1, 1, 1, 1)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
