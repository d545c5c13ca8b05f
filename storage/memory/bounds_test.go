package memory

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// TestUsageIsMerged books more than is kept apart: no request and no money is
// lost, the newest are told apart for longest, and the number of rows is bounded.
func TestUsageIsMerged(t *testing.T) {
	for _, test := range []struct {
		name                       string
		proxies, targets, quarters int
		newest                     int // targets told apart in the last quarter
	}{
		{"many targets", 2, 500, 6, 500},
		{"many quarters", 2, 2, 3000, 2},
		{"many of both", 3, 30, 300, 30},
		{"one quarter", 1, 5000, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := New()
			s.usage.max = 2000
			var id, want int64
			begin := pool.QuarterOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
			for q := range test.quarters {
				var batch pool.Batch
				for p := range test.proxies {
					for target := range test.targets {
						want++
						batch.Usage = append(batch.Usage, pool.UsageCell{
							Pool: "main", Proxy: fmt.Sprint(p), Target: fmt.Sprint(target), Quarter: begin + pool.Quarter(q),
							Usage: pool.Usage{Requests: 1, Cost: 7},
						})
					}
				}
				id++
				batch.ID = id
				if err := s.Write(t.Context(), &batch); err != nil {
					t.Fatal(err)
				}
				if n := len(s.usage.cells); n > s.usage.max {
					t.Fatalf("%d rows, expected at most %d", n, s.usage.max)
				}
			}
			sum := func(from, to pool.Quarter) (u pool.Usage, targets map[string]bool) {
				rows, err := s.Usage(t.Context(), pool.UsageQuery{Spans: []pool.QuarterSpan{{From: from, To: to}}})
				if err != nil {
					t.Fatal(err)
				}
				targets = make(map[string]bool)
				for _, r := range rows {
					u.Add(r.Usage)
					targets[r.Target] = true
				}
				return u, targets
			}
			end := begin + pool.Quarter(test.quarters)
			if u, _ := sum(begin-96, end); u.Requests != want || u.Cost != pool.Money(7*want) {
				t.Errorf("%d requests that cost %d, expected %d and %d", u.Requests, u.Cost, want, 7*want)
			}
			if _, targets := sum(end-1, end); len(targets) != test.newest {
				t.Errorf("%d targets in the last quarter, expected %d", len(targets), test.newest)
			}
		})
	}
}

func TestRowsAreBounded(t *testing.T) {
	s := New()
	for id := range int64(30) {
		b := &pool.Batch{ID: id + 1}
		for i := range 500 {
			path := fmt.Sprint(int(id)*500 + i)
			b.Log = append(b.Log, pool.LogRow{Path: path})
			b.Events = append(b.Events, pool.EventRow{Event: pool.Event{Reason: path}})
			b.Alerts = append(b.Alerts, pool.Alert{Body: []byte(path)})
		}
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	log, _ := s.Log(t.Context(), pool.LogQuery{Limit: 1 << 20})
	events, _ := s.Events(t.Context(), pool.EventQuery{Limit: 1 << 20})
	alerts, _ := s.Alerts(t.Context())
	if len(log) != maxRows || len(events) != maxRows || len(alerts) != maxRows {
		t.Errorf("%d, %d and %d rows, expected %d", len(log), len(events), len(alerts), maxRows)
	}
	if log[0].Path != "14999" || events[0].Reason != "14999" || string(alerts[len(alerts)-1].Body) != "14999" {
		t.Error("the newest rows are not there")
	}
}
