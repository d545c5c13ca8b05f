package storagetest

import (
	"fmt"
	"math"
	"testing"

	"github.com/caddy-proxypool/proxypool/pool"
)

func cell(proxy, target string, q int, n int64) pool.UsageCell {
	return pool.UsageCell{Pool: "main", Proxy: proxy, Target: target, Quarter: quarter(q), Usage: spend(n)}
}

// sum is the usage of several amounts that were spent.
func sum(amounts ...int64) (u pool.Usage) {
	for _, n := range amounts {
		u.Add(spend(n))
	}
	return u
}

func testUsageAdded(t *testing.T, b *bed) {
	b.write(pool.Batch{Usage: []pool.UsageCell{cell("one", "api:443", 0, 5), cell("one", "api:443", 0, 9), cell("two", "api:443", 0, 1)}})
	b.write(pool.Batch{Usage: []pool.UsageCell{cell("one", "api:443", 0, 3)}})
	b.write(pool.Batch{Usage: []pool.UsageCell{cell("one", "api:443", 1, 11)}})
	equal(t, "a quarter", b.usage(pool.UsageQuery{Spans: []pool.QuarterSpan{{From: quarter(0), To: quarter(1)}}}), []pool.UsageRow{
		{Pool: "main", Proxy: "one", Target: "api:443", Usage: sum(5, 9, 3)},
		{Pool: "main", Proxy: "two", Target: "api:443", Usage: sum(1)},
	})
}

func testUsageFilters(t *testing.T, b *bed) {
	cells := []pool.UsageCell{cell("one", "a:443", 0, 1), cell("one", "b:443", 0, 2), cell("two", "a:443", 0, 4), cell("one", "a:443", 0, 8)}
	cells[3].Pool = "other"
	b.write(pool.Batch{Usage: cells})
	row := func(i int) pool.UsageRow {
		return pool.UsageRow{Pool: cells[i].Pool, Proxy: cells[i].Proxy, Target: cells[i].Target, Usage: cells[i].Usage}
	}
	for _, test := range []struct {
		name, pool, proxy, target string
		want                      []pool.UsageRow
	}{
		{name: "all", want: []pool.UsageRow{row(0), row(1), row(2), row(3)}},
		{name: "pool", pool: "main", want: []pool.UsageRow{row(0), row(1), row(2)}},
		{name: "proxy", proxy: "one", want: []pool.UsageRow{row(0), row(1), row(3)}},
		{name: "target", target: "a:443", want: []pool.UsageRow{row(0), row(2), row(3)}},
		{name: "pool and proxy", pool: "main", proxy: "one", want: []pool.UsageRow{row(0), row(1)}},
		{name: "a route", pool: "main", proxy: "one", target: "b:443", want: []pool.UsageRow{row(1)}},
		{name: "none", pool: "other", proxy: "two"},
		{name: "unknown", pool: "mai"},
	} {
		got := b.usage(pool.UsageQuery{Pool: test.pool, Proxy: test.proxy, Target: test.target, Spans: []pool.QuarterSpan{{From: quarter(-5), To: quarter(5)}}})
		equal(t, test.name, got, test.want)
	}
}

// testUsageSpans asks for spans of different lengths with gaps between them.
func testUsageSpans(t *testing.T, b *bed) {
	var cells []pool.UsageCell
	for q := range 24 {
		cells = append(cells, cell("one", "a:443", q, int64(q+1)))
		if q%8 == 0 {
			cells = append(cells, cell("two", "a:443", q, int64(100*q+1)))
		}
	}
	b.write(pool.Batch{Usage: cells})

	spans := []pool.QuarterSpan{
		{From: quarter(-9), To: quarter(0)}, {From: quarter(0), To: quarter(1)}, {From: quarter(1), To: quarter(4)},
		{From: quarter(6), To: quarter(9)}, {From: quarter(12), To: quarter(12)}, {From: quarter(23), To: quarter(99)},
	}
	one := func(span int, amounts ...int64) pool.UsageRow {
		return pool.UsageRow{Span: span, Pool: "main", Proxy: "one", Target: "a:443", Usage: sum(amounts...)}
	}
	two := func(span int, amounts ...int64) pool.UsageRow {
		r := one(span, amounts...)
		r.Proxy = "two"
		return r
	}
	want := []pool.UsageRow{one(1, 1), two(1, 1), one(2, 2, 3, 4), one(3, 7, 8, 9), two(3, 801), one(5, 24)}
	equal(t, "spans", b.usage(pool.UsageQuery{Spans: spans}), want)
	equal(t, "the same span alone", b.usage(pool.UsageQuery{Spans: spans[2:3]}), []pool.UsageRow{one(0, 2, 3, 4)})
	equal(t, "no span", b.usage(pool.UsageQuery{}), []pool.UsageRow(nil))

	var hours []pool.QuarterSpan
	for h := range 500 {
		hours = append(hours, pool.QuarterSpan{From: quarter(4*h - 400), To: quarter(4*h - 396)})
	}
	rows := b.usage(pool.UsageQuery{Proxy: "one", Spans: hours})
	want = nil
	for h := range int64(6) {
		want = append(want, one(100+int(h), 4*h+1, 4*h+2, 4*h+3, 4*h+4))
	}
	equal(t, "hours", rows, want)

	// Half hours, with as much between them.
	for i := range hours {
		hours[i].To -= 2
	}
	want = nil
	for h := range int64(6) {
		want = append(want, one(100+int(h), 4*h+1, 4*h+2))
	}
	equal(t, "half hours", b.usage(pool.UsageQuery{Proxy: "one", Spans: hours}), want)
}

func testUsageManyRoutes(t *testing.T, b *bed) {
	const routes = 600
	var cells []pool.UsageCell
	for i := range routes {
		cells = append(cells, cell("one", fmt.Sprintf("host-%04d.example:443", i), i%7, int64(i+1)))
	}
	b.write(pool.Batch{Usage: cells})
	b.write(pool.Batch{Usage: cells[:300]})
	rows := b.usage(pool.UsageQuery{Spans: []pool.QuarterSpan{{From: quarter(0), To: quarter(7)}}})
	if len(rows) != routes {
		t.Fatalf("%d routes, expected %d", len(rows), routes)
	}
	var total int64
	for _, r := range rows {
		total += r.Requests
	}
	if want := int64(routes*(routes+1)/2 + 300*301/2); total != want {
		t.Errorf("%d requests, expected %d", total, want)
	}
}

// testUsageTogether asks for the sums of all routes, in few spans and in many.
func testUsageTogether(t *testing.T, b *bed) {
	var cells []pool.UsageCell
	for q := range 300 {
		cells = append(cells, cell("one", "a:443", q, 1), cell("one", "b:443", q, 2), cell("two", "a:443", q, 4))
	}
	b.write(pool.Batch{Usage: cells})
	for _, length := range []int{100, 2} {
		q := pool.UsageQuery{Target: "a:443", Together: true}
		var want []pool.UsageRow
		for from := 0; from < 300; from += length {
			q.Spans = append(q.Spans, pool.QuarterSpan{From: quarter(from), To: quarter(from + length)})
			row := pool.UsageRow{Span: from / length}
			for range length {
				row.Add(sum(1, 4))
			}
			want = append(want, row)
		}
		equal(t, fmt.Sprintf("spans of %d", length), b.usage(q), want)
	}
	unknown := pool.UsageQuery{Proxy: "three", Together: true, Spans: []pool.QuarterSpan{{From: 0, To: math.MaxInt64}}}
	if rows := b.usage(unknown); len(rows) != 0 {
		t.Errorf("rows of a proxy that nobody used: %v", rows)
	}
}

func testUsageExtremes(t *testing.T, b *bed) {
	large := pool.Usage{Requests: 1 << 40, Failed: 1 << 39, BytesIn: math.MaxInt64 / 2, BytesOut: math.MaxInt64 / 2, Cost: math.MaxInt64 / 4, Saved: -(1 << 50), Timed: 1 << 40, Took: math.MaxInt64 / 2}
	c := cell("one", "a:443", 0, 0)
	c.Usage = large
	b.write(pool.Batch{Usage: []pool.UsageCell{c}, Records: []pool.Record{{Pool: "main", Proxy: "one", Total: large}}})
	equal(t, "usage", b.usage(pool.UsageQuery{Spans: []pool.QuarterSpan{{From: quarter(0), To: quarter(1)}}}),
		[]pool.UsageRow{{Pool: "main", Proxy: "one", Target: "a:443", Usage: large}})
	equal(t, "record", b.records("main"), []pool.Record{{Pool: "main", Proxy: "one", Total: large}})

	early := cell("two", "a:443", 0, 3)
	early.Quarter = -5
	b.write(pool.Batch{Usage: []pool.UsageCell{early}})
	equal(t, "before the epoch", b.usage(pool.UsageQuery{Spans: []pool.QuarterSpan{{From: -6, To: 0}}}),
		[]pool.UsageRow{{Pool: "main", Proxy: "two", Target: "a:443", Usage: spend(3)}})
}
