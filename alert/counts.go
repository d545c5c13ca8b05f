package alert

// The statuses that are counted, in the order that they are told in. That of a
// disabled proxy is none of the API's: there it is active or not.
var statuses = []struct {
	name, emoji string
	of          func(*Counts) int
}{
	{"healthy", "✅", func(c *Counts) int { return c.Healthy }},
	{"degraded", "⚠️", func(c *Counts) int { return c.Degraded }},
	{"down", "❌", func(c *Counts) int { return c.Down }},
	{"blocked", "🚫", func(c *Counts) int { return c.Blocked }},
	{disabled, "⏸", func(c *Counts) int { return c.Disabled }},
}

const disabled = "disabled"

// counts has a line for each status; for disabled proxies where there are any.
func (p *page) counts(c *Counts) {
	if c == nil {
		return
	}
	for _, s := range statuses {
		if n := s.of(c); n > 0 || s.name != disabled {
			label := p.fill(p.reports.counts[s.name], nil)
			p.line(plainly(s.emoji+" "), label, plainly(": "), p.integer(int64(n)))
		}
	}
}

// inShort is the same in a part of a line, without what there is none of.
func (s *speaker) inShort(c *Counts) piece {
	var some []piece
	for _, status := range statuses {
		if n := status.of(c); n > 0 {
			some = append(some, s.fill(s.reports.statusOf, values{
				"n": s.integer(int64(n)), "status": s.code(status.name),
			}))
		}
	}
	return s.list(some...)
}

// emojiOf shows at a glance what a status means; a proxy may be healthy, and not
// be used because its budget is spent.
func emojiOf(status string, usable bool) string {
	for _, s := range statuses {
		if s.name == status && (usable || status != "healthy" && status != "degraded") {
			return s.emoji
		}
	}
	return "⛔"
}
