package alert

import (
	"math"
	"time"

	"golang.org/x/text/number"
)

const (
	megabyte = 1 << 20
	gigabyte = 1 << 30
)

func (s *speaker) integer(n int64) piece { return plainly(s.numbers.Sprint(number.Decimal(n))) }

// decimal has at least and at most so many decimals.
func (s *speaker) decimal(x float64, least, most int) piece {
	return plainly(s.numbers.Sprint(number.Decimal(x,
		number.MinFractionDigits(least), number.MaxFractionDigits(most))))
}

// money has two decimals, and below a cent the two first digits that say
// anything: a check may cost $0.000065.
func (s *speaker) money(usd float64) piece {
	decimals := 2
	if small := math.Abs(usd); small > 0 && small < 0.01 {
		decimals = int(math.Ceil(-math.Log10(small))) + 1
	}
	return s.fill(s.units.dollars, values{"n": s.decimal(usd, 2, decimals)})
}

// price is what a gigabyte costs.
func (s *speaker) price(perGB float64) piece {
	if perGB <= 0 {
		return s.fill(s.units.free, nil)
	}
	money := s.money(perGB)
	if perGB == math.Trunc(perGB) {
		money = s.fill(s.units.dollars, values{"n": s.decimal(perGB, 0, 0)})
	}
	return s.fill(s.units.perGigabyte, values{"money": money})
}

// traffic is an amount of bytes, in units of 1024 as providers bill them.
func (s *speaker) traffic(bytes int64) piece {
	megabytes := float64(bytes) / megabyte
	switch {
	case megabytes >= 1023.95: // which one decimal would make 1,024.0 MB
		return s.fill(s.units.gigabytes, values{"n": s.decimal(float64(bytes)/gigabyte, 0, 2)})
	case megabytes >= 10:
		return s.fill(s.units.megabytes, values{"n": s.decimal(megabytes, 0, 1)})
	case bytes > 0 && megabytes < 0.01:
		least := s.fill(s.units.megabytes, values{"n": s.decimal(0.01, 0, 2)})
		return s.fill(s.units.lessThan, values{"amount": least})
	default:
		return s.fill(s.units.megabytes, values{"n": s.decimal(megabytes, 0, 2)})
	}
}

// uptime has one decimal and is rounded down: 100.0% is what never failed.
func (s *speaker) uptime(percent float64) piece {
	const hair = 1e-9 // 95.2 is a little less than 95.2
	tenths := math.Floor(percent*10 + hair)
	return s.fill(s.units.percent, values{"n": s.decimal(tenths/10, 1, 1)})
}

// uptimeOf says what the percentage is.
func (s *speaker) uptimeOf(percent float64) piece {
	return s.fill(s.reports.uptime, values{"percent": s.uptime(percent)})
}

func (s *speaker) percent(percent int) piece {
	return s.fill(s.units.percent, values{"n": s.integer(int64(percent))})
}

// duration is told in two units at most.
func (s *speaker) duration(d time.Duration) piece {
	seconds := int64(d.Round(time.Second) / time.Second)
	steps := []struct {
		seconds int64
		unit    plural
	}{{24 * 60 * 60, s.units.days}, {60 * 60, s.units.hours}, {60, s.units.minutes}, {1, s.units.seconds}}
	for i, step := range steps {
		if seconds < step.seconds {
			continue
		}
		first := s.count(step.unit, seconds/step.seconds)
		if i+1 == len(steps) || seconds%step.seconds < steps[i+1].seconds {
			return first
		}
		next := steps[i+1]
		return join(s.units.and, first, s.count(next.unit, seconds%step.seconds/next.seconds))
	}
	return s.count(s.units.seconds, seconds)
}

// short is a duration of which fractions of a second matter.
func (s *speaker) short(d time.Duration) piece {
	if d < 10*time.Second && d%time.Second != 0 {
		return s.fill(s.units.milliseconds, values{"n": s.integer(d.Round(time.Millisecond).Milliseconds())})
	}
	return s.duration(d)
}

// date is a time to the minute, or to the second where it is to be awaited.
func (s *speaker) date(t time.Time, seconds bool) piece {
	if s.where != nil {
		t = t.In(s.where)
	}
	two := func(n int) string {
		return s.numbers.Sprint(number.Decimal(n, number.MinIntegerDigits(2)))
	}
	clock := two(t.Hour()) + ":" + two(t.Minute())
	if seconds && t.Second() != 0 {
		clock += ":" + two(t.Second())
	}
	return s.fill(s.units.date, values{
		"day":   s.integer(int64(t.Day())),
		"month": s.fill(s.units.months[t.Month()-1], nil),
		"year":  plainly(s.numbers.Sprint(number.Decimal(t.Year(), number.NoSeparator()))),
		"clock": plainly(clock),
	})
}
