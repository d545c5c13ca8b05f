package e2e

import (
	"database/sql"
	"math"
	"net/url"
	"testing"

	_ "modernc.org/sqlite" // reads the file as the shell does
)

// books is what a process answers of all proxies, while nothing moves.
type books struct {
	proxies map[string]used // by ID
	total   used
	rows    int64 // of the usage log
	tried   int64 // attempts in them
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
		b.total = b.total.plus(u)
		if u.Requests != row.TotalRequests || u.Failed != row.FailedRequests ||
			u.bytes() != int64(math.Round(row.TrafficMB*(1<<20))) || u.Cost != nano(row.EstimatedCost) {
			w.t.Errorf("%s: usage %+v, status %+v", row.ID, u, row)
		}
	}
	if len(s.Proxies) < len(w.proxies) {
		w.t.Errorf("%d proxies in the status", len(s.Proxies))
	}
	b.rows, b.tried = w.logged()
	return b
}

// logged is how many rows the usage log in the file has, and their attempts.
func (w *world) logged() (rows, attempts int64) {
	w.t.Helper()
	db := w.openFile("mode=ro")
	defer db.Close()
	if err := db.QueryRow("SELECT count(*), coalesce(sum(attempts), 0) FROM log").Scan(&rows, &attempts); err != nil {
		w.t.Errorf("reading the file: %v", err)
	}
	return rows, attempts
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

// costs checks that each proxy's bytes cost what its price says. Each start of a
// process may round once.
func (w *world) costs(b books, starts int) {
	w.t.Helper()
	for i := range w.proxies {
		u := b.proxies[id(i)]
		want := float64(u.bytes()) * w.prices[i] * 1e9 / (1 << 30)
		if math.Abs(float64(u.Cost)-want) > float64(starts)+1 {
			w.t.Errorf("%s: %d bytes cost %d nano-dollars, want %.1f", id(i), u.bytes(), u.Cost, want)
		}
	}
}
