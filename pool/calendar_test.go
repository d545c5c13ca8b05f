package pool

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata" // the zones are the same on every machine
)

// trickyZones change clocks around midnight, lie at a half or three quarters of
// an hour, or left out a day.
var trickyZones = []string{
	"UTC", "Asia/Tehran", "Asia/Kathmandu", "Asia/Kolkata", "America/Sao_Paulo", "Asia/Beirut", "Africa/Cairo",
	"Pacific/Apia", "America/New_York", "Europe/London", "America/Havana", "Asia/Gaza", "Asia/Amman", "America/Asuncion",
	"Australia/Lord_Howe", "Pacific/Chatham", "America/St_Johns", "Pacific/Kiritimati", "Asia/Pyongyang",
	"Africa/Casablanca", "America/Santiago", "Asia/Damascus", "Pacific/Kwajalein", "Antarctica/Troll",
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	where, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return where
}

// TestDaysAndMonths names the instants themselves.
func TestDaysAndMonths(t *testing.T) {
	const layout = "2006-01-02 15:04:05 -07:00"
	tests := []struct {
		name, zone, at                        string
		dayStart, nextDay, monthStart, nextMo string
	}{
		{"the server's clock is of no concern", "UTC", "2026-11-23 19:30:00 +00:00",
			"2026-11-23 00:00:00 +00:00", "2026-11-24 00:00:00 +00:00", "2026-11-01 00:00:00 +00:00", "2026-12-01 00:00:00 +00:00"},
		{"half an hour", "Asia/Tehran", "2026-12-31 23:59:59 +03:30",
			"2026-12-31 00:00:00 +03:30", "2027-01-01 00:00:00 +03:30", "2026-12-01 00:00:00 +03:30", "2027-01-01 00:00:00 +03:30"},
		{"three quarters", "Asia/Kathmandu", "2026-03-01 00:00:00 +05:45",
			"2026-03-01 00:00:00 +05:45", "2026-03-02 00:00:00 +05:45", "2026-03-01 00:00:00 +05:45", "2026-04-01 00:00:00 +05:45"},
		{"no midnight", "America/Sao_Paulo", "2018-11-04 12:00:00 -02:00",
			"2018-11-04 01:00:00 -02:00", "2018-11-05 00:00:00 -02:00", "2018-11-01 00:00:00 -03:00", "2018-12-01 00:00:00 -02:00"},
		{"before no midnight", "America/Sao_Paulo", "2018-11-03 23:59:59 -03:00",
			"2018-11-03 00:00:00 -03:00", "2018-11-04 01:00:00 -02:00", "2018-11-01 00:00:00 -03:00", "2018-12-01 00:00:00 -02:00"},
		{"the hour before midnight twice, first", "America/Sao_Paulo", "2018-02-17 23:30:00 -02:00",
			"2018-02-17 00:00:00 -02:00", "2018-02-18 00:00:00 -03:00", "2018-02-01 00:00:00 -02:00", "2018-03-01 00:00:00 -03:00"},
		{"the hour before midnight twice, second", "America/Sao_Paulo", "2018-02-17 23:30:00 -03:00",
			"2018-02-17 00:00:00 -02:00", "2018-02-18 00:00:00 -03:00", "2018-02-01 00:00:00 -02:00", "2018-03-01 00:00:00 -03:00"},
		{"the hour after midnight twice", "America/Havana", "2026-11-01 00:30:00 -05:00",
			"2026-11-01 00:00:00 -04:00", "2026-11-02 00:00:00 -05:00", "2026-11-01 00:00:00 -04:00", "2026-12-01 00:00:00 -05:00"},
		{"no midnight in Beirut", "Asia/Beirut", "2026-03-29 05:00:00 +03:00",
			"2026-03-29 01:00:00 +03:00", "2026-03-30 00:00:00 +03:00", "2026-03-01 00:00:00 +02:00", "2026-04-01 00:00:00 +03:00"},
		{"no midnight in Cairo", "Africa/Cairo", "2026-04-23 23:00:00 +02:00",
			"2026-04-23 00:00:00 +02:00", "2026-04-24 01:00:00 +03:00", "2026-04-01 00:00:00 +02:00", "2026-05-01 00:00:00 +03:00"},
		{"a day was left out", "Pacific/Apia", "2011-12-29 10:00:00 -10:00",
			"2011-12-29 00:00:00 -10:00", "2011-12-31 00:00:00 +14:00", "2011-12-01 00:00:00 -10:00", "2012-01-01 00:00:00 +14:00"},
		{"after a day was left out", "Pacific/Apia", "2011-12-31 10:00:00 +14:00",
			"2011-12-31 00:00:00 +14:00", "2012-01-01 00:00:00 +14:00", "2011-12-01 00:00:00 -10:00", "2012-01-01 00:00:00 +14:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, err := time.Parse(layout, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			at = at.In(zone(t, tt.zone))
			for _, got := range []struct {
				what string
				is   time.Time
				want string
			}{
				{"DayStart", DayStart(at), tt.dayStart}, {"NextDay", NextDay(at), tt.nextDay},
				{"MonthStart", MonthStart(at), tt.monthStart}, {"NextMonth", NextMonth(at), tt.nextMo},
			} {
				if is := got.is.Format(layout); is != got.want {
					t.Errorf("%s is %s, want %s", got.what, is, got.want)
				}
			}
		})
	}
}

// TestDaysPartitionTime: each instant is in the day that its start and its end
// enclose, the next day begins where one ends, and so do months. Of today's
// zones they begin on a quarter of an hour.
func TestDaysPartitionTime(t *testing.T) {
	from, to := time.Date(1880, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	today := time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range trickyZones {
		where := zone(t, name)
		for range 3000 {
			at := time.Unix(from+rand.Int64N(to-from), rand.Int64N(1e9)).In(where)
			if at.After(today) && rand.IntN(2) == 0 { // around a change of clocks
				if start, _ := at.ZoneBounds(); !start.IsZero() {
					at = start.Add(time.Duration(rand.Int64N(int64(4*time.Hour))) - 2*time.Hour)
				}
			}
			day, next := DayStart(at), NextDay(at)
			month, nextMonth := MonthStart(at), NextMonth(at)
			if day.After(at) || !next.After(at) || month.After(day) || next.After(nextMonth) {
				t.Fatalf("%s: %v is in the day %v to %v, in the month %v to %v", name, at, day, next, month, nextMonth)
			}
			if at.Before(today) {
				continue // there were zones whose clocks went back past midnight after it
			}
			if dateOf(day) != dateOf(at) || dateOf(day.Add(-1)) == dateOf(at) || dateOf(next) == dateOf(at) || dateOf(next.Add(-1)) != dateOf(at) {
				t.Fatalf("%s: %v is in the day %v to %v", name, at, day, next)
			}
			if !DayStart(next).Equal(next) || !NextDay(day).Equal(next) || !MonthStart(nextMonth).Equal(nextMonth) || !NextMonth(month).Equal(nextMonth) {
				t.Fatalf("%s: days or months about %v don't follow on each other", name, at)
			}
			if !QuarterOf(day).Time().Equal(day) || !QuarterOf(month).Time().Equal(month) {
				t.Fatalf("%s: %v and %v are within a quarter", name, day, month)
			}
		}
	}
}

func TestQuarters(t *testing.T) {
	for seconds, want := range map[int64]Quarter{0: 0, 899: 0, 900: 1, -1: -1, -900: -1, -901: -2, 1_795_000_000: 1_994_444} {
		if got := QuarterOf(time.Unix(seconds, 999)); got != want {
			t.Errorf("%d s are in the quarter %d, want %d", seconds, got, want)
		}
	}
}

// TestDaysFrom counts days, not the digits that they are written with.
func TestDaysFrom(t *testing.T) {
	for _, tt := range []struct {
		a, b date
		want int
	}{{20261123, 20261123, 0}, {20261231, 20270101, 1}, {20270101, 20261231, 1}, {20240228, 20240301, 2}, {20260101, 20270101, 365}} {
		if got := tt.a.daysFrom(tt.b); got != tt.want {
			t.Errorf("%d days from %d to %d, want %d", got, tt.a, tt.b, tt.want)
		}
	}
}
