package alert

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	for _, tt := range []struct {
		where, now, want string
		hour, minute     int
	}{
		{"Asia/Tehran", "2026-11-26T05:29:59Z", "2026-11-25T05:30:00Z", 9, 0},
		{"Asia/Tehran", "2026-11-26T05:30:00Z", "2026-11-26T05:30:00Z", 9, 0},
		{"UTC", "2026-11-26T00:00:00Z", "2026-11-26T00:00:00Z", 0, 0},
		// Clocks are put forward at 2 o'clock: 02:30 never comes, and is when they are.
		{"Europe/Berlin", "2026-03-29T06:00:00Z", "2026-03-29T01:00:00Z", 2, 30},
		{"Europe/Berlin", "2026-03-29T06:00:00Z", "2026-03-28T08:00:00Z", 9, 0},
		{"Europe/Berlin", "2026-03-29T07:00:00Z", "2026-03-29T07:00:00Z", 9, 0},
		// And back at 3: 02:30 comes twice, and counts the first time.
		{"Europe/Berlin", "2026-10-25T00:29:59Z", "2026-10-24T00:30:00Z", 2, 30},
		{"Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z", 2, 30},
		{"Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z", 2, 30},
		{"Europe/Berlin", "2026-10-25T20:00:00Z", "2026-10-25T08:00:00Z", 9, 0},
		// Tehran put its clocks forward at midnight, until 2022.
		{"Asia/Tehran", "2022-03-22T12:00:00Z", "2022-03-21T20:30:00Z", 0, 30},
		// By half an hour.
		{"Australia/Lord_Howe", "2026-10-03T20:00:00Z", "2026-10-03T15:30:00Z", 2, 15},
		// Samoa left out 30 December 2011: that of the day before is the last.
		{"Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-29T19:00:00Z", 9, 0},
	} {
		where, err := time.LoadLocation(tt.where)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(time.RFC3339, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		got := Clock{tt.hour, tt.minute, where}.last(now)
		if got.UTC().Format(time.RFC3339) != tt.want {
			t.Errorf("%s, %02d:%02d, at %s: %s, expected %s", tt.where, tt.hour, tt.minute, tt.now, got.UTC().Format(time.RFC3339), tt.want)
		}
	}
}

// TestClockEachDay: whatever is done to the clocks, each day of two years has one
// report, about a day after the one before.
func TestClockEachDay(t *testing.T) {
	for _, name := range []string{"Asia/Tehran", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Antarctica/Troll", "Pacific/Chatham"} {
		where, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []Clock{{0, 0, where}, {0, 30, where}, {1, 59, where}, {2, 30, where}, {9, 0, where}, {23, 59, where}} {
			now := time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC)
			last := c.last(now)
			for day := 0; day < 2*365; {
				now = now.Add(31 * time.Minute)
				next := c.last(now)
				if next.Equal(last) {
					continue
				}
				day++
				if d := next.Sub(last); d < 22*time.Hour || d > 26*time.Hour || next.After(now) {
					t.Fatalf("%s %02d:%02d: %s after %s", name, c.Hour, c.Minute, next, last)
				}
				last = next
			}
		}
	}
}
