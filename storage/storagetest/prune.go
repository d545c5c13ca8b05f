package storagetest

import (
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

func paths(rows []pool.LogRow) (out []string) {
	for _, r := range rows {
		out = append(out, r.Path)
	}
	return out
}

// testPruneLog removes ten rows in steps of four. One came at the very time
// given, and stays.
func testPruneLog(t *testing.T, b *bed) {
	rows := logRows(20)
	b.write(pool.Batch{Log: rows})
	before := pool.Expiry{Log: rows[10].Time}
	b.prune(before, 4, true)
	if got := b.log(pool.LogQuery{Limit: 100}); len(got) != 16 || got[15].Path != rows[4].Path {
		t.Errorf("rows left: %v", paths(got))
	}
	b.prune(before, 4, true)
	b.prune(before, 4, false)
	b.prune(before, 4, false)
	if got := b.log(pool.LogQuery{Limit: 100}); len(got) != 10 || got[9].Path != rows[10].Path {
		t.Errorf("rows left: %v", paths(got))
	}
}

func testPruneUsage(t *testing.T, b *bed) {
	var cells []pool.UsageCell
	for q := range 10 {
		cells = append(cells, cell("one", "a:443", q, 1), cell("two", "b:443", q, 1))
	}
	b.write(pool.Batch{Usage: cells})
	left := func() (n int) {
		for q := range 10 {
			n += len(b.usage(pool.UsageQuery{Spans: []pool.QuarterSpan{{From: quarter(q), To: quarter(q + 1)}}}))
		}
		return n
	}
	// The quarter that the time is in has not ended before it.
	before := pool.Expiry{Usage: quarter(5).Time().Add(10 * time.Minute)}
	b.prune(before, 6, true)
	if n := left(); n != 14 {
		t.Errorf("%d cells left, expected 14", n)
	}
	if rows := b.usage(pool.UsageQuery{Spans: []pool.QuarterSpan{{From: quarter(0), To: quarter(3)}}}); len(rows) != 0 {
		t.Errorf("the oldest were not removed first: %v", rows)
	}
	b.prune(before, 6, false)
	if n := left(); n != 10 {
		t.Errorf("%d cells left, expected 10", n)
	}
	b.prune(pool.Expiry{Usage: quarter(6).Time()}, 6, false)
	if n := left(); n != 8 {
		t.Errorf("%d cells left, expected 8", n)
	}
}

func testPruneOthers(t *testing.T, b *bed) {
	rows := events(10)
	var alerts []pool.Alert
	for i, r := range rows {
		alerts = append(alerts, pool.Alert{ID: int64(i + 1), Time: r.Time, Notifier: "webhook"})
	}
	b.write(pool.Batch{Events: rows, Alerts: alerts})
	b.prune(pool.Expiry{Events: rows[6].Time, Alerts: rows[3].Time}, 4, true)
	if got := b.events(pool.EventQuery{Limit: 100}); len(got) != 6 || got[5].Reason != rows[4].Reason {
		t.Errorf("events left: %v", reasons(got))
	}
	if got := b.alerts(); len(got) != 7 || !got[0].Time.Equal(rows[3].Time) {
		t.Errorf("%d alerts left", len(got))
	}
	b.prune(pool.Expiry{Events: rows[6].Time, Alerts: rows[3].Time}, 4, false)
	if got := b.events(pool.EventQuery{Limit: 100}); len(got) != 4 {
		t.Errorf("events left: %v", reasons(got))
	}
}

// testPruneKeeps prunes with nothing that is too old.
func testPruneKeeps(t *testing.T, b *bed) {
	b.write(everything(3))
	b.prune(pool.Expiry{}, 10, false)
	checkEverything(t, b, 3)
	b.prune(pool.Expiry{Log: noon, Usage: noon, Events: noon, Alerts: noon}, 10, false)
	checkEverything(t, b, 3)
}

// testPruneDisorder has a clock that jumped back: the row that came first has
// the latest time, and is in nobody's way.
func testPruneDisorder(t *testing.T, b *bed) {
	rows := logRows(6)
	rows[0].Time = noon.Add(1000 * time.Hour)
	rows[1].Time = noon.Add(2 * time.Minute)
	b.write(pool.Batch{Log: rows})
	before := pool.Expiry{Log: noon.Add(time.Hour)}
	b.prune(before, 4, true)
	equal(t, "the oldest went first", paths(b.log(pool.LogQuery{Limit: 10})), []string{rows[1].Path, rows[0].Path})
	b.prune(before, 4, false)
	equal(t, "the future stays", paths(b.log(pool.LogQuery{Limit: 10})), []string{rows[0].Path})
}

// testPruneAndGoOn prunes everything and writes the same names again.
func testPruneAndGoOn(t *testing.T, b *bed) {
	later := noon.Add(1000 * 24 * time.Hour)
	all := pool.Expiry{Log: later, Usage: later, Events: later, Alerts: later}
	b.write(everything(2))
	last := b.log(pool.LogQuery{Limit: 1})[0].ID
	b.prune(all, 100, false)
	if rows := b.log(pool.LogQuery{Limit: 10}); len(rows) != 0 {
		t.Fatalf("rows left: %v", paths(rows))
	}
	equal(t, "records stay", b.records("main"), everything(2).Records)

	b.write(everything(2))
	checkEverything(t, b, 2)
	if id := b.log(pool.LogQuery{Limit: 1})[0].ID; id <= last {
		t.Errorf("the ID %d after %d, expected a rising one", id, last)
	}
}
