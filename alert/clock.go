package alert

import "time"

// Clock is a time of day somewhere: when the daily report is due.
type Clock struct {
	Hour, Minute int
	Location     *time.Location
}

// last is the latest time at or before now at which the clock showed it.
func (c Clock) last(now time.Time) time.Time {
	year, month, day := now.In(c.Location).Date()
	for back := range 3 {
		if t := c.on(year, month, day-back); !t.After(now) {
			return t
		}
	}
	return now // unreachable: a day is no longer than 26 hours
}

// on is when the clock showed it on a day. Where clocks were put back over it,
// and it came twice, that is the first time; where they were put forward over it,
// and it never came, the moment that they were.
func (c Clock) on(year int, month time.Month, day int) time.Time {
	wall := time.Date(year, month, day, c.Hour, c.Minute, 0, 0, time.UTC)
	// An offset is at most 14 hours, so that these are before and after whatever
	// happens to the clock around that time of day.
	before, after := c.at(wall, wall.Add(-15*time.Hour)), c.at(wall, wall.Add(15*time.Hour))
	for _, t := range []time.Time{before, after} {
		if t.Hour() == c.Hour && t.Minute() == c.Minute {
			return t
		}
	}
	start, _ := before.ZoneBounds()
	return start
}

// at is the instant at which a clock with the offset in force at another instant
// shows the wall time.
func (c Clock) at(wall, inForce time.Time) time.Time {
	_, offset := inForce.In(c.Location).Zone()
	return wall.Add(-time.Duration(offset) * time.Second).In(c.Location)
}
