package storagetest

import (
	"testing"

	"github.com/caddy-proxypool/proxypool/pool"
)

func testEmpty(t *testing.T, b *bed) {
	equal(t, "records", b.records("main"), []pool.Record(nil))
	equal(t, "usage", b.usage(pool.UsageQuery{Spans: []pool.QuarterSpan{{From: 0, To: quarter(0)}}}), []pool.UsageRow(nil))
	equal(t, "log", b.log(pool.LogQuery{Limit: 10}), []pool.LogRow(nil))
	equal(t, "events", b.events(pool.EventQuery{Limit: 10}), []pool.EventRow(nil))
	equal(t, "alerts", b.alerts(), []pool.Alert(nil))
	equal(t, "notes", b.notes(), []pool.Note(nil))
	b.prune(pool.Expiry{Log: noon, Usage: noon, Events: noon, Alerts: noon}, 10, false)
	b.write(pool.Batch{})
}

func testRecords(t *testing.T, b *bed) {
	one := pool.Record{Pool: "main", Proxy: "one", Total: spend(5), State: []byte(`{"down":true}`)}
	two := pool.Record{Pool: "main", Proxy: "two", State: []byte(`{}`)}
	other := pool.Record{Pool: "other", Proxy: "one", Total: spend(9)}
	b.write(pool.Batch{Records: []pool.Record{two, other, one}})

	equal(t, "records of main", b.records("main"), []pool.Record{one, two})
	equal(t, "records of other", b.records("other"), []pool.Record{other})
	equal(t, "records of none", b.records("mai"), []pool.Record(nil))
}

func testRecordsReplaced(t *testing.T, b *bed) {
	record := func(n int64, state string) pool.Record {
		return pool.Record{Pool: "main", Proxy: "one", Total: spend(n), State: []byte(state)}
	}
	b.write(pool.Batch{Records: []pool.Record{record(5, `{"a":1}`)}})
	b.write(pool.Batch{Records: []pool.Record{record(6, `{"a":2}`)}})
	equal(t, "after a second batch", b.records("main"), []pool.Record{record(6, `{"a":2}`)})

	b.write(pool.Batch{Records: []pool.Record{record(7, `{}`), record(8, ``)}})
	equal(t, "the last in a batch", b.records("main"), []pool.Record{record(8, ``)})
}

// testBatchAgain writes a batch again, as happens when an error came although
// it was written.
func testBatchAgain(t *testing.T, b *bed) {
	b.write(everything(1))
	again := everything(1)
	again.ID = b.batch
	again.Alerts = append(again.Alerts, alert(99, 1))
	again.Delivered = []int64{again.Alerts[0].ID}
	again.Notes[0].Body = []byte("again")
	if err := b.store.Write(t.Context(), &again); err != nil {
		t.Fatalf("writing the same batch again: %v", err)
	}
	checkEverything(t, b, 1)

	b.write(everything(1))
	if n := len(b.log(pool.LogQuery{Limit: 10})); n != 2 {
		t.Errorf("%d rows in the log after a batch with another ID, expected 2", n)
	}
}

// everything is a batch with something of each kind.
func everything(n int64) pool.Batch {
	return pool.Batch{
		Records: []pool.Record{{Pool: "main", Proxy: "one", Total: spend(n), State: []byte(`{"n":1}`)}},
		Usage:   []pool.UsageCell{{Pool: "main", Proxy: "one", Target: "api:443", Quarter: quarter(0), Usage: spend(n)}},
		Log:     []pool.LogRow{logRow(0)},
		Events:  []pool.EventRow{{Event: pool.Event{Time: noon, Pool: "main", Proxy: "one", From: "healthy", To: "down", Reason: "refused"}}},
		Alerts:  []pool.Alert{{ID: 7, Time: noon, Notifier: "telegram", Body: []byte(`{"text":"down"}`)}},
		Notes:   []pool.Note{note("told", `{"one":"down"}`)},
	}
}

// checkEverything checks that what everything made was written once.
func checkEverything(t *testing.T, b *bed, n int64) {
	t.Helper()
	want := everything(n)
	equal(t, "records", b.records("main"), want.Records)
	equal(t, "usage", b.usage(pool.UsageQuery{Spans: []pool.QuarterSpan{{From: quarter(0), To: quarter(1)}}}),
		[]pool.UsageRow{{Pool: "main", Proxy: "one", Target: "api:443", Usage: spend(n)}})

	log := b.log(pool.LogQuery{Limit: 10})
	if len(log) == 1 {
		want.Log[0].ID = log[0].ID
	}
	equal(t, "log", log, want.Log)
	events := b.events(pool.EventQuery{Limit: 10})
	if len(events) == 1 {
		want.Events[0].ID = events[0].ID
	}
	equal(t, "events", events, want.Events)
	equal(t, "alerts", b.alerts(), want.Alerts)
	equal(t, "notes", b.notes(), want.Notes)
}
