package storagetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// logRow is a row of the log, different for every n.
func logRow(n int) pool.LogRow {
	row := pool.LogRow{
		Time: noon.Add(time.Duration(n) * time.Second), Pool: "main", Proxy: "one",
		Method: "GET", Target: "api:443", Path: fmt.Sprintf("/path/%d", n), Success: true, Status: 200,
		Duration: time.Duration(n) * time.Millisecond, BytesIn: int64(n * 10), BytesOut: int64(n), Attempts: 1, Trail: "one:ok",
	}
	if n%3 == 1 {
		row.Proxy, row.Trail = "two", "one:refused two:ok"
		row.Attempts = 2
	}
	if n%5 == 2 {
		row.Success, row.Status, row.Error = false, 502, "dialling the proxy: refused"
		row.Trail = row.Proxy + ":refused"
	}
	return row
}

func logRows(n int) []pool.LogRow {
	rows := make([]pool.LogRow, n)
	for i := range rows {
		rows[i] = logRow(i)
	}
	return rows
}

// stripped checks that the IDs fall, and takes them off.
func stripped(t *testing.T, rows []pool.LogRow) []pool.LogRow {
	t.Helper()
	for i := range rows {
		if i > 0 && rows[i].ID >= rows[i-1].ID || rows[i].ID <= 0 {
			t.Errorf("row %d has the ID %d", i, rows[i].ID)
		}
	}
	out := make([]pool.LogRow, len(rows))
	for i, r := range rows {
		r.ID = 0
		out[i] = r
	}
	return out
}

// newestFirst are the rows that are wanted, the last first.
func newestFirst(rows []pool.LogRow, wanted func(pool.LogRow) bool) (out []pool.LogRow) {
	for _, row := range slices.Backward(rows) {
		if wanted(row) {
			out = append(out, row)
		}
	}
	return out
}

func testLog(t *testing.T, b *bed) {
	rows := logRows(40)
	b.write(pool.Batch{Log: rows[:7]})
	b.write(pool.Batch{Log: rows[7:]})
	all := newestFirst(rows, func(pool.LogRow) bool { return true })
	equal(t, "all", stripped(t, b.log(pool.LogQuery{Limit: 100})), all)
	equal(t, "a few", stripped(t, b.log(pool.LogQuery{Limit: 3})), all[:3])
}

func testLogFilters(t *testing.T, b *bed) {
	rows := logRows(60)
	for i := range rows {
		if i%4 == 3 {
			rows[i].Pool = "other"
		}
		if i%20 == 19 {
			rows[i].Proxy, rows[i].Trail = "", ""
		}
	}
	b.write(pool.Batch{Log: rows})
	yes, no := true, false
	for _, test := range []struct {
		name  string
		query pool.LogQuery
		want  func(pool.LogRow) bool
	}{
		{"pool", pool.LogQuery{Pool: "other"}, func(r pool.LogRow) bool { return r.Pool == "other" }},
		{"proxy", pool.LogQuery{Proxy: "two"}, func(r pool.LogRow) bool { return r.Proxy == "two" }},
		{"pool and proxy", pool.LogQuery{Pool: "main", Proxy: "two"}, func(r pool.LogRow) bool { return r.Pool == "main" && r.Proxy == "two" }},
		{"failures", pool.LogQuery{Success: &no}, func(r pool.LogRow) bool { return !r.Success }},
		{"successes", pool.LogQuery{Success: &yes}, func(r pool.LogRow) bool { return r.Success }},
		{"failures of a pool", pool.LogQuery{Pool: "other", Success: &no}, func(r pool.LogRow) bool { return r.Pool == "other" && !r.Success }},
		{"failures of a proxy", pool.LogQuery{Pool: "main", Proxy: "one", Success: &no}, func(r pool.LogRow) bool { return r.Pool == "main" && r.Proxy == "one" && !r.Success }},
		{"successes of a proxy", pool.LogQuery{Proxy: "one", Success: &yes}, func(r pool.LogRow) bool { return r.Proxy == "one" && r.Success }},
		{"unknown pool", pool.LogQuery{Pool: "none"}, func(pool.LogRow) bool { return false }},
		{"unknown proxy", pool.LogQuery{Pool: "main", Proxy: "none"}, func(pool.LogRow) bool { return false }},
	} {
		want := newestFirst(rows, test.want)
		test.query.Limit = 1000
		equal(t, test.name, stripped(t, b.log(test.query)), want)
		test.query.Limit = 2
		equal(t, test.name+", limited", stripped(t, b.log(test.query)), want[:min(2, len(want))])
	}
}

// testLogPages reads page by page, with every kind of filter.
func testLogPages(t *testing.T, b *bed) {
	rows := logRows(100)
	b.write(pool.Batch{Log: rows})
	no := false
	for _, query := range []pool.LogQuery{{}, {Pool: "main"}, {Proxy: "two"}, {Success: &no}, {Pool: "main", Success: &no}} {
		query.Limit = 1000
		want := b.log(query)
		var got []pool.LogRow
		query.Limit = 7
		for {
			page := b.log(query)
			if len(page) > query.Limit {
				t.Fatalf("%d rows, at most %d were asked for", len(page), query.Limit)
			}
			got = append(got, page...)
			if len(page) < query.Limit {
				break
			}
			query.Before = page[len(page)-1].ID
		}
		equal(t, fmt.Sprintf("pages of %+v", query), got, want)
	}
}

func testLogTrails(t *testing.T, b *bed) {
	var rows []pool.LogRow
	for _, trail := range []string{"", "one:ok", "two:ok", "one:ok ", ":ok", "one:refused two:ok", "ok"} {
		row := logRow(0)
		row.Trail = trail
		rows = append(rows, row)
	}
	none := logRow(0)
	none.Proxy, none.Trail = "", ":ok"
	rows = append(rows, none, pool.LogRow{Time: noon, Pool: "main"})
	b.write(pool.Batch{Log: rows})
	equal(t, "log", stripped(t, b.log(pool.LogQuery{Limit: 100})), newestFirst(rows, func(pool.LogRow) bool { return true }))
}

func testLogLargeBatch(t *testing.T, b *bed) {
	rows := logRows(5003)
	b.write(pool.Batch{Log: rows})
	got := stripped(t, b.log(pool.LogQuery{Limit: 6000}))
	if len(got) != len(rows) {
		t.Fatalf("%d rows, expected %d", len(got), len(rows))
	}
	for i, want := range rows {
		row := got[len(got)-1-i]
		row.Time = row.Time.UTC()
		if row != want {
			t.Fatalf("row %d is %+v, expected %+v", i, row, want)
		}
	}
}

func testTimes(t *testing.T, b *bed) {
	var rows, want []pool.LogRow
	for _, at := range []time.Time{
		noon.Add(123456789 * time.Nanosecond), noon.In(time.FixedZone("Tehran", 12600)).Add(999 * time.Microsecond),
		time.Unix(0, 0), time.Date(1969, 12, 31, 23, 59, 59, 123456789, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		row := pool.LogRow{Pool: "main", Time: at, Duration: 1234567 * time.Microsecond}
		rows = append(rows, row)
		row.Time, row.Duration = time.UnixMilli(at.UnixMilli()), 1234*time.Millisecond
		want = append(want, row)
	}
	b.write(pool.Batch{Log: rows})
	equal(t, "log", stripped(t, b.log(pool.LogQuery{Limit: 10})), newestFirst(want, func(pool.LogRow) bool { return true }))
}

// testOddStrings writes what no decent name looks like.
func testOddStrings(t *testing.T, b *bed) {
	words := []string{
		"", " ", "a\x00b", "\x00", "a\x00", "\xff\xfe", "broken \xe2\x82 rune", strings.Repeat("ü", 64), strings.Repeat("漢", 64),
		"'; DROP TABLE log; --", "%_*?", "line\nbreak", "پروکسی", strings.Repeat("/long", 2_000), "Case", "case",
	}
	var batch pool.Batch
	for i, word := range words {
		row := logRow(i)
		row.Pool, row.Proxy, row.Target, row.Method, row.Path, row.Trail, row.Error = word, word+"p", word, word, word, word, word
		batch.Log = append(batch.Log, row)
		batch.Records = append(batch.Records, pool.Record{Pool: "odd", Proxy: word, Total: spend(int64(i)), State: []byte(word)})
		batch.Usage = append(batch.Usage, pool.UsageCell{Pool: "odd", Proxy: word, Target: word, Quarter: quarter(0), Usage: spend(int64(i + 1))})
		batch.Events = append(batch.Events, pool.EventRow{Event: pool.Event{Time: noon, Pool: word, Proxy: word, From: "up", To: pool.Status(word), Reason: word}})
		batch.Alerts = append(batch.Alerts, pool.Alert{ID: int64(i + 1), Time: noon, Notifier: word, Body: []byte(word)})
	}
	b.write(batch)
	equal(t, "log", stripped(t, b.log(pool.LogQuery{Limit: 100})), newestFirst(batch.Log, func(pool.LogRow) bool { return true }))
	equal(t, "records", b.records("odd"), batch.Records)
	for i, word := range words[1:] {
		rows := b.usage(pool.UsageQuery{Pool: "odd", Proxy: word, Target: word, Spans: []pool.QuarterSpan{{From: quarter(0), To: quarter(1)}}})
		equal(t, fmt.Sprintf("usage of %.20q", word), rows, []pool.UsageRow{{Pool: "odd", Proxy: word, Target: word, Usage: spend(int64(i + 2))}})
		log := b.log(pool.LogQuery{Pool: word, Proxy: word + "p", Limit: 10})
		equal(t, fmt.Sprintf("log of %.20q", word), stripped(t, log), batch.Log[i+1:i+2])
	}
	events := b.events(pool.EventQuery{Limit: 100})
	for i := range events {
		events[i].ID = 0
		equal(t, "event", events[i], batch.Events[len(words)-1-i])
	}
	equal(t, "alerts", b.alerts(), batch.Alerts)
}
