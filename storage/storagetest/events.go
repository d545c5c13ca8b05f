package storagetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

func event(n int) pool.EventRow {
	e := pool.Event{
		Time: noon.Add(time.Duration(n) * time.Minute), Pool: "main", Proxy: "one",
		From: "healthy", To: "down", Reason: fmt.Sprintf("reason %d", n),
	}
	if n%2 == 1 {
		e.Proxy = "two"
	}
	if n%3 == 2 {
		e.Pool = "other"
	}
	return pool.EventRow{Event: e}
}

func events(n int) []pool.EventRow {
	rows := make([]pool.EventRow, n)
	for i := range rows {
		rows[i] = event(i)
	}
	return rows
}

// reasons are what tells the events of these tests apart.
func reasons(rows []pool.EventRow) (out []string) {
	for _, r := range rows {
		out = append(out, r.Reason)
	}
	return out
}

func testEvents(t *testing.T, b *bed) {
	rows := events(5)
	b.write(pool.Batch{Events: rows[:2]})
	b.write(pool.Batch{Events: rows[2:]})
	got := b.events(pool.EventQuery{Limit: 10})
	if len(got) != len(rows) {
		t.Fatalf("%d events, expected %d", len(got), len(rows))
	}
	for i, e := range got {
		if i > 0 && e.ID >= got[i-1].ID {
			t.Errorf("event %d has the ID %d after %d", i, e.ID, got[i-1].ID)
		}
		want := rows[len(rows)-1-i]
		want.ID = e.ID
		equal(t, "event", e, want)
	}
}

func testEventsFilters(t *testing.T, b *bed) {
	rows := events(30)
	b.write(pool.Batch{Events: rows})
	for _, test := range []struct {
		name  string
		query pool.EventQuery
	}{
		{"all", pool.EventQuery{}},
		{"pool", pool.EventQuery{Pool: "other"}},
		{"proxy", pool.EventQuery{Proxy: "two"}},
		{"both", pool.EventQuery{Pool: "main", Proxy: "two"}},
		{"unknown", pool.EventQuery{Pool: "none"}},
	} {
		var want []string
		for _, r := range slices.Backward(rows) {
			if (test.query.Pool == "" || test.query.Pool == r.Pool) && (test.query.Proxy == "" || test.query.Proxy == r.Proxy) {
				want = append(want, r.Reason)
			}
		}
		test.query.Limit = 4
		var got []string
		for {
			page := b.events(test.query)
			got = append(got, reasons(page)...)
			if len(page) < test.query.Limit {
				break
			}
			test.query.Before = page[len(page)-1].ID
		}
		equal(t, test.name, got, want)
	}
}
