package pool

import "time"

// DayStart is the first instant of the calendar day of t in its location. That
// is not always midnight: where clocks are put forward at midnight, the day
// begins at one.
func DayStart(t time.Time) time.Time {
	year, month, day := t.Date()
	return firstInstant(year, month, day, t.Location())
}

// MonthStart is the first instant of the calendar month of t in its location.
func MonthStart(t time.Time) time.Time {
	year, month, _ := t.Date()
	return firstInstant(year, month, 1, t.Location())
}

// NextDay is the first instant after the calendar day of t in its location.
func NextDay(t time.Time) time.Time {
	year, month, day := t.Date()
	for {
		day++
		if next := firstInstant(year, month, day, t.Location()); next.After(t) {
			return next // not where a whole day was left out, as on Samoa in 2011
		}
	}
}

// NextMonth is the first instant after the calendar month of t in its location.
func NextMonth(t time.Time) time.Time {
	year, month, _ := t.Date()
	return firstInstant(year, month+1, 1, t.Location())
}

// firstInstant looks around midnight, because [time.Date] leaves open what it
// returns for a midnight that there is not, or that there is twice.
func firstInstant(year int, month time.Month, day int, where *time.Location) time.Time {
	noon := time.Date(year, month, day, 12, 0, 0, 0, where)
	sameDay := func(t time.Time) bool { return dateOf(t) == dateOf(noon) }
	t := time.Date(year, month, day, 0, 0, 0, 0, where)
	for !sameDay(t) {
		t = t.Add(quarterLength * time.Second)
	}
	for sameDay(t.Add(-time.Second)) {
		t = t.Add(-quarterLength * time.Second)
	}
	return t
}

// date is a calendar day as a number: 20261123.
type date int32

func dateOf(t time.Time) date {
	year, month, day := t.Date()
	return date(year*10000 + int(month)*100 + day)
}

// month is the month of the day as a number: 202611.
func (d date) month() date { return d / 100 }
