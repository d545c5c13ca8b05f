package memory

import (
	"fmt"
	"slices"
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
			b.Alerts = append(b.Alerts, pool.Alert{ID: id*500 + int64(i) + 1, Body: []byte(path)})
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

// TestAlertsAreBounded hands over alerts in disorder where there are too many:
// those with the highest IDs are kept.
func TestAlertsAreBounded(t *testing.T) {
	s := New()
	s.alerts.max = 4
	ids := func(handed ...int64) (kept []int64) {
		for _, id := range handed {
			s.alerts.set(pool.Alert{ID: id})
		}
		for _, a := range s.alerts.all() {
			kept = append(kept, a.ID)
		}
		return kept
	}
	for _, step := range []struct{ handed, kept []int64 }{
		{[]int64{20, 10, 40, 30}, []int64{10, 20, 30, 40}},
		{[]int64{5}, []int64{10, 20, 30, 40}},
		{[]int64{15}, []int64{15, 20, 30, 40}},
		{[]int64{35}, []int64{20, 30, 35, 40}},
		{[]int64{50}, []int64{30, 35, 40, 50}},
		{[]int64{35, 30, 50}, []int64{30, 35, 40, 50}},
	} {
		if kept := ids(step.handed...); !slices.Equal(kept, step.kept) {
			t.Errorf("after %v: %v are kept, expected %v", step.handed, kept, step.kept)
		}
	}
}

// TestNotesAreBounded writes too many notes: those that were written longest ago
// go, wherever they stand by name.
func TestNotesAreBounded(t *testing.T) {
	s := New()
	write := func(id int64, names ...string) {
		b := &pool.Batch{ID: id}
		for _, name := range names {
			b.Notes = append(b.Notes, pool.Note{Name: name, Body: []byte("x")})
		}
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for i := range maxNotes {
		names = append(names, fmt.Sprintf("%04d", i))
	}
	write(1, names...)
	write(2, "0000")       // is now the newest
	write(3, "new", "odd") // so that the next two go
	notes, _ := s.Notes(t.Context())
	if len(notes) != maxNotes || notes[0].Name != "0000" || notes[1].Name != "0003" || notes[maxNotes-1].Name != "odd" {
		t.Errorf("%d notes, from %q and %q to %q", len(notes), notes[0].Name, notes[1].Name, notes[len(notes)-1].Name)
	}
}
