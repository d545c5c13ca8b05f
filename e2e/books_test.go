package e2e

import (
	"database/sql"
	"math"
	"net/url"
	"testing"

	_ "modernc.org/sqlite" // reads the file as the shell does

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
)

// books is what a process answers of all proxies, while nothing moves.
type books struct {
	proxies map[string]used // by ID
	total   used
	rows    int64 // of the usage log
	tried   int64 // attempts in them
	failed  int64 // those of them that are no success
}

// read reads the books by all calls, which must agree.
func (w *world) read(p *process) books {
	w.t.Helper()
	s, err := p.status()
	if err != nil {
		w.t.Fatal(err)
	}
	if !s.Store.OK || s.Store.Dropped > 0 {
		w.t.Errorf("store %+v", s.Store)
	}
	b := books{proxies: p.usage()}
	for _, row := range s.Proxies {
		u := b.proxies[row.ID]
		b.total = b.total.Plus(u)
		if u.Requests != row.TotalRequests || u.Failed != row.FailedRequests ||
			u.Bytes() != int64(math.Round(row.TrafficMB*(1<<20))) || u.Cost != caddytest.Nano(row.EstimatedCost) {
			w.t.Errorf("%s: usage %+v, status %+v", row.ID, u, row)
		}
	}
	if len(s.Proxies) < len(w.proxies) {
		w.t.Errorf("%d proxies in the status", len(s.Proxies))
	}
	b.rows, b.tried, b.failed = w.logged()
	return b
}

// attempts are those of a row that the books count as well: not connects that
// the next proxy's overtook, repetitions on a fresh connection, and what the
// client gave up.
const attempts = `attempts
	- (coalesce(length(trail), 0) - coalesce(length(replace(trail, ':overdue', '')), 0)) / length(':overdue')
	- (coalesce(length(trail), 0) - coalesce(length(replace(trail, ':stale', '')), 0)) / length(':stale')
	- (coalesce(length(trail), 0) - coalesce(length(replace(trail, ':client_gone', '')), 0)) / length(':client_gone')`

// logged is how many rows the usage log in the file has, their attempts, and how
// many of them are no success.
func (w *world) logged() (rows, tried, failed int64) {
	w.t.Helper()
	db := w.openFile("mode=ro")
	defer db.Close()
	if err := db.QueryRow("SELECT count(*), coalesce(sum("+attempts+"), 0), coalesce(sum(success = 0), 0) FROM log").Scan(&rows, &tried, &failed); err != nil {
		w.t.Errorf("reading the file: %v", err)
	}
	return rows, tried, failed
}

// openFile opens the file beside Caddy.
func (w *world) openFile(options string) *sql.DB {
	w.t.Helper()
	return openFile(w.t, w.file, options)
}

func openFile(t *testing.T, path, options string) *sql.DB {
	t.Helper()
	source := url.URL{Scheme: "file", Path: path, RawQuery: options + "&_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// farewell is what an origin sends last on a connection that is being closed, which
// nobody reads any more: the close_notify of TLS 1.3, encrypted.
const farewell = 24

// exact checks that the books have what the world counted: each request, and each
// byte but for those that nobody waits for when a connection is closed. Where
// starts is not 0, all of it was carried at the present prices, by as many
// processes.
func (w *world) exact(b books, starts int) {
	w.t.Helper()
	if n := int64(w.origin.Requests()); b.total.Requests != n || b.total.Failed != 0 || b.tried != n {
		w.t.Errorf("%d requests in the books (%d failed), %d in %d rows of the log; the origin counted %d", b.total.Requests, b.total.Failed, b.tried, b.rows, n)
	}
	if b.failed > 0 {
		w.t.Errorf("%d rows of the log tell of a failure", b.failed)
	}
	seen := w.seen()
	for i, p := range w.proxies {
		missing := seen[id(i)].Minus(b.proxies[id(i)])
		if most := farewell * int64(p.Accepted()); missing.Out != 0 || missing.In < 0 || missing.In > most {
			w.t.Errorf("%s: the books lack %d of %d bytes in, and %d of %d out; allowed are %d and 0", id(i), missing.In, seen[id(i)].In, missing.Out, seen[id(i)].Out, most)
		}
	}
	if starts > 0 {
		w.costs(b, starts)
	}
}

// costs checks that each proxy's bytes cost what its price says. Each start of a
// process may round once.
func (w *world) costs(b books, starts int) {
	w.t.Helper()
	for i := range w.proxies {
		w.costsAt(i, b.proxies[id(i)], w.prices[i], starts)
	}
}

func (w *world) costsAt(i int, u used, price float64, roundings int) {
	w.t.Helper()
	if want := cost(u.Bytes(), price); math.Abs(float64(u.Cost)-want) > float64(roundings)+1 {
		w.t.Errorf("%s: %d bytes cost %d nano-dollars, want %.1f", id(i), u.Bytes(), u.Cost, want)
	}
}

// cost is what bytes cost at a price, in nano-dollars.
func cost(bytes int64, price float64) float64 {
	return float64(bytes) * price * 1e9 / (1 << 30)
}
