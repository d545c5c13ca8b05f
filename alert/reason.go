package alert

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

const maxTargets = 3 // named in a reason

var (
	isCode     = regexp.MustCompile(`^[a-z0-9_]+$`).MatchString
	answered   = regexp.MustCompile(`^(\S+:[0-9]+) answered ([0-9]+)$`)
	budgetText = regexp.MustCompile(`^([0-9.]+) (USD|MB|GB) of ([0-9.]+) (USD|MB|GB) (a day|a month|in total)$`)
)

// reason says in words why a proxy is as it is, and adds the code that logs and
// documentation have, if there is one. What is not known stays as it is.
func (s *speaker) reason(reason string) piece {
	w := &s.reasons
	if phrase, ok := w.sentences[reason]; ok {
		return s.fill(phrase, nil)
	}
	if phrase, ok := w.codes[reason]; ok {
		return join("", s.fill(phrase, nil), s.parentheses(s.code(reason)))
	}
	for _, c := range []struct {
		prefix, phrase string
		what           func(string) piece
	}{
		{"check: answered ", w.answered, s.code},
		{"check: ", w.check, s.reason},
		{"down: ", w.down, s.reason},
		{"blocked by ", w.blockedBy, s.targets},
		{"failing for ", w.failingFor, s.targets},
		{"budget spent: ", w.spent, s.budgetText},
		{"its last checks took more than ", w.slow, s.limit},
	} {
		if rest, ok := strings.CutPrefix(reason, c.prefix); ok && rest != "" {
			return s.fill(c.phrase, values{"what": c.what(rest)})
		}
	}
	if m := answered.FindStringSubmatch(reason); m != nil {
		return s.fill(w.blocking, values{"target": s.code(m[1]), "status": s.code(m[2])})
	}
	if isCode(reason) {
		return s.code(reason)
	}
	return s.name(strings.TrimSuffix(reason, ": "))
}

// limit is a duration as Go writes it.
func (s *speaker) limit(text string) piece {
	d, err := time.ParseDuration(text)
	if err != nil {
		return s.name(text)
	}
	return s.short(d)
}

// targets are the first of a list of "host:port", and how many more there are.
func (s *speaker) targets(all string) piece {
	targets := strings.Split(all, ", ")
	var named []piece
	for _, target := range targets[:min(len(targets), maxTargets)] {
		named = append(named, s.code(target))
	}
	more := piece{}
	if n := len(targets) - maxTargets; n > 0 {
		more = s.count(s.changes.more, int64(n))
	}
	return join(" ", s.list(named...), more)
}

// budgetText says in the language what the pool says of a budget, such as
// "12.50 USD of 50.00 USD a month".
func (s *speaker) budgetText(text string) piece {
	m := budgetText.FindStringSubmatch(text)
	if m == nil {
		return s.name(text)
	}
	used, err := s.amount(m[1], m[2])
	limit, err2 := s.amount(m[3], m[4])
	if err != nil || err2 != nil {
		return s.name(text)
	}
	per := map[string]string{"a day": "day", "a month": "month", "in total": "total"}[m[5]]
	limit = s.fill(s.budgets.limit[per], values{"limit": limit})
	return s.fill(s.budgets.used, values{"amount": used, "limit": limit})
}

func (s *speaker) amount(number, unit string) (piece, error) {
	n, err := strconv.ParseFloat(number, 64)
	switch unit {
	case "USD":
		return s.money(n), err
	case "MB":
		return s.traffic(int64(n * megabyte)), err
	default:
		return s.traffic(int64(n * gigabyte)), err
	}
}

// isRetried reports whether the proxy or the route is tried again at some time,
// where others are used again.
func isRetried(reason string) bool {
	return strings.HasPrefix(reason, "down: ") || strings.HasPrefix(reason, "failing for ")
}
