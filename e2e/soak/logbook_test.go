package soak

import (
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // reads the file as the shell does

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// logbook holds the usage log to what clients and origins saw.
type logbook struct {
	*soak
	from    int64  // the last row of the process before
	judged  int64  // the last row that was compared
	lost    []span // of which a kill may have lost rows
	pending []outcome
}

func newLogbook(s *soak) logbook { return logbook{soak: s} }

// row is one of the usage log.
type row struct {
	id                int64
	method, path      string
	success           bool
	status, attempts  int
	trail, reason     string
	time              time.Time
	bytesIn, bytesOut int64
}

func (r row) String() string {
	return fmt.Sprintf("%s %s %s: status %d, %d attempts, %s %s", r.time.Format("15:04:05.000"), r.method, r.path, r.status, r.attempts, r.trail, r.reason)
}

// read reads the rows behind one, beside Caddy.
func (l *logbook) read(behind int64, where string, args ...any) (rows []row) {
	l.t.Helper()
	source := url.URL{Scheme: "file", Path: filepath.Join(l.world.dir, "proxy_pool.db"), RawQuery: "mode=ro&_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		l.t.Fatal(err)
	}
	defer db.Close()
	found, err := db.QueryContext(l.t.Context(), `SELECT log.id, method, path, success, status, attempts, coalesce(trail, name || ':ok'), error, time, bytes_in, bytes_out
		FROM log JOIN proxy ON proxy.id = proxy_id WHERE log.id > ?`+where+" ORDER BY log.id", append([]any{behind}, args...)...)
	if err != nil {
		l.t.Errorf("reading the log: %v", err)
		return nil
	}
	defer found.Close()
	for found.Next() {
		var r row
		var at int64
		if err := found.Scan(&r.id, &r.method, &r.path, &r.success, &r.status, &r.attempts, &r.trail, &r.reason, &at, &r.bytesIn, &r.bytesOut); err != nil {
			l.t.Errorf("reading the log: %v", err)
		}
		r.time = time.UnixMilli(at)
		rows = append(rows, r)
	}
	l.must(found.Err())
	return rows
}

// begin is the beginning of a process.
func (l *logbook) begin() {
	l.t.Helper()
	for _, r := range l.read(l.from, "") {
		l.from = r.id
	}
}

// asked notes what was asked, to be looked for in the log.
func (b *bookkeeper) asked(outcomes []outcome) { b.log.pending = append(b.log.pending, outcomes...) }

// noRow is what the log says of a request that has none.
const noRow = "[]"

// row is what the log says of a path. Tunnels have none to be known by.
func (b *bookkeeper) row(path string) string {
	b.t.Helper()
	b.usage() // which writes all
	if path == "" {
		return noRow
	}
	return fmt.Sprint(b.log.read(0, " AND path = ?", path))
}

// mayLack reports whether a kill may have lost the row of a request.
func (l *logbook) mayLack(o *outcome) bool {
	for _, s := range l.lost {
		if s.touches(o.began, o.ended) {
			return true
		}
	}
	return false
}

// compare checks that each request that was answered has one row, which tells what
// the client and the origins saw.
func (l *logbook) compare(ok map[string]int64) {
	l.t.Helper()
	tunnels := 0
	for i := range l.pending {
		if o := &l.pending[i]; o.kind == "tunnel" && o.status == 200 && !l.mayLack(o) {
			tunnels++
		}
	}
	var rows map[string][]row
	found := 0
	caddytest.ComesTrue(15*time.Second, func() bool { // tunnels are told of when they end
		rows, found = make(map[string][]row), 0
		for _, r := range l.read(l.judged, "") {
			if r.method == "CONNECT" && r.success {
				found++
			} else if r.method != "CONNECT" {
				rows[r.path] = append(rows[r.path], r)
			}
		}
		return found >= tunnels
	})
	for i := range l.pending {
		if o := &l.pending[i]; o.path != "" {
			l.one(o, rows[o.path])
		}
	}
	l.sum(ok)
	l.pending = nil
	l.lost = nil
}

// one compares a request with its rows.
func (l *logbook) one(o *outcome, rows []row) {
	l.t.Helper()
	came := l.world.seen.of(o.id).came
	switch {
	case len(rows) > 1:
		l.t.Errorf("%v: it has %d rows: %v", o, len(rows), rows)
	case len(rows) == 0:
		if o.status != 0 && !l.mayLack(o) {
			l.t.Errorf("%v: it has no row", o)
		}
	case o.status != 0 && rows[0].status != o.status:
		l.t.Errorf("%v: its row says %v", o, rows[0])
	case came > rows[0].attempts:
		l.t.Errorf("%v: it came %d times to the origin; its row says %v", o, came, rows[0])
	case rows[0].unsent(o) && !l.ledger.wasAway(o.began, o.ended):
		l.t.Errorf("%v: nothing of it was sent, and no other proxy tried; its row says %v", o, rows[0])
	case !o.left && o.err == nil && !rows[0].success:
		l.t.Errorf("%v: it went well; its row says %v", o, rows[0])
	case !o.left && o.err != nil && rows[0].success && o.header[0] != "Upgrade" && !l.ledger.wasAway(o.began, o.ended):
		l.t.Errorf("%v: it failed; its row says %v", o, rows[0])
	}
}

// unsent reports whether a request failed before any of it was written, so that it
// must have gone to the next proxy, whatever it was. To http:// targets all that a
// proxy answers comes after that; and of the moody one no proxy may be left.
func (r row) unsent(o *outcome) bool {
	reasons := []string{"dial_", "no_proxy"}
	if o.front == "s" {
		reasons = append(reasons, "proxy_", "tunnel_refused", "target_")
	}
	return o.front != "b" && !r.success && slices.ContainsFunc(reasons, func(reason string) bool { return strings.HasPrefix(r.reason, reason) })
}

// sum checks that the rows of this process tell of as many attempts that went well
// as the metrics do.
func (l *logbook) sum(ok map[string]int64) {
	l.t.Helper()
	told := make(map[string]int64)
	for _, r := range l.read(l.from, "") {
		l.judged = r.id
		for _, step := range strings.Fields(r.trail) {
			if name, good := strings.CutSuffix(step, ":ok"); good {
				told[name]++
			}
		}
	}
	for name, n := range ok {
		if told[name] != n {
			l.t.Errorf("%s: the rows of the log tell of %d attempts that went well, the metrics of %d", name, told[name], n)
		}
	}
}
