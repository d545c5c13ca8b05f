package pool

import "time"

// DayStart is the first instant of the calendar day of t in its location. That
// is not always midnight: where clocks are put forward at midnight, the day
// begins at one.
func DayStart(t time.Time) time.Time {
	year, month, day := t.Date()
	return dawn(longBefore(year, month, day, t.Location()), year, month, day)
}

// MonthStart is the first instant of the calendar month of t in its location.
func MonthStart(t time.Time) time.Time {
	year, month, _ := t.Date()
	return dawn(longBefore(year, month, 1, t.Location()), year, month, 1)
}

// NextDay is the first instant after the calendar day of t in its location.
// Where the day that would follow was left out, as on Samoa in 2011, it is that
// of the day after.
func NextDay(t time.Time) time.Time {
	year, month, day := t.Date()
	return dawn(t, year, month, day+1)
}

// NextMonth is the first instant after the calendar month of t in its location.
func NextMonth(t time.Time) time.Time {
	year, month, _ := t.Date()
	return dawn(t, year, month+1, 1)
}

// longBefore is an instant at which the day has begun in no location yet.
func longBefore(year int, month time.Month, day int, where *time.Location) time.Time {
	return time.Date(year, month, day, -26, 0, 0, 0, time.UTC).In(where)
}

// dawn is the first instant from some time on at which the calendar shows the
// day, or a later one. It goes from change of clocks to change of clocks, because
// [time.Date] leaves open what it returns for a midnight that there is not, or
// that there is twice.
func dawn(from time.Time, year int, month time.Month, day int) time.Time {
	for {
		_, offset := from.Zone()
		midnight := time.Date(year, month, day, 0, 0, -offset, 0, time.UTC)
		// On the last day of a leap year ZoneBounds may return an end that is past.
		if _, end := from.ZoneBounds(); end.After(from) && !midnight.Before(end) {
			from = end
			continue
		}
		if midnight.Before(from) {
			return from
		}
		return midnight.In(from.Location())
	}
}

// date is a calendar day as a number: 20261123.
type date int32

func dateOf(t time.Time) date {
	year, month, day := t.Date()
	return date(year*10000 + int(month)*100 + day)
}

// month is the month of the day as a number: 202611.
func (d date) month() date { return d / 100 }

// daysFrom is how many days lie between two.
func (d date) daysFrom(other date) int {
	days := int(d.noon().Sub(other.noon()) / (24 * time.Hour))
	return max(days, -days)
}

func (d date) noon() time.Time {
	return time.Date(int(d/10000), time.Month(d/100%100), int(d%100), 12, 0, 0, 0, time.UTC)
}
