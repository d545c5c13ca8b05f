package alert

// trafficAlert tells of a proxy billed by the gigabyte that used a lot.
func (m *notice) trafficAlert() {
	b := m.a.Budget
	if b == nil {
		b = &Budget{}
	}
	m.title(m.budgets.traffic, values{"proxy": m.name(b.Proxy), "amount": m.traffic(b.Limit)})
	m.field(m.labels.pool, m.name(m.a.Pool))
	m.usedInPeriod(m.labels.traffic, b, m.traffic(b.Bytes))
	m.field(m.labels.cost, join("", m.money(b.CostUSD), m.parentheses(m.price(b.CostPerGB))))
	m.ends(b)
	m.note(m.budgets.trafficNote)
	m.carried()
}

// budget tells of a share of a budget, and what becomes of the proxy.
func (m *notice) budget() {
	b := m.a.Budget
	if b == nil {
		b = &Budget{}
	}
	v := values{"proxy": m.name(b.Proxy), "percent": m.percent(b.Percent)}
	if b.Percent < 100 {
		m.title(m.budgets.nearly, v)
	} else {
		m.title(m.budgets.spent, v)
	}
	m.field(m.labels.pool, m.name(m.a.Pool))
	used, limit := m.traffic(b.Bytes), m.traffic(b.Limit)
	if b.LimitUSD > 0 {
		used, limit = m.money(b.CostUSD), m.money(b.LimitUSD)
	}
	m.usedInPeriod(m.labels.used, b, m.fill(m.budgets.used, values{"amount": used, "limit": limit}))
	if b.LimitUSD > 0 {
		m.field(m.labels.traffic, m.traffic(b.Bytes))
	} else if b.CostUSD > 0 {
		m.field(m.labels.cost, m.money(b.CostUSD))
	}
	m.consequence(b)
	m.carried()
}

// usedInPeriod is a field like "Traffic this month".
func (m *notice) usedInPeriod(label string, b *Budget, amount piece) {
	period := m.fill(m.budgets.per[b.Per], nil)
	m.line(join(" ", m.fill(label, nil), period), plainly(": "), amount)
}

func (m *notice) ends(b *Budget) {
	if b.Until != nil {
		m.field(m.labels.ends, m.date(*b.Until, false))
	}
}

// consequence is what a spent budget means. A soft one means nothing, so that
// only the end of its period is told.
func (m *notice) consequence(b *Budget) {
	nearly, spent, total := m.budgets.hardNearly, m.budgets.hardSpent, values{}
	switch {
	case !b.Hard:
		m.ends(b)
		nearly, spent = m.budgets.softNearly, m.budgets.softSpent
	case b.Until == nil:
		nearly, spent = m.budgets.hardNearlyTotal, m.budgets.hardSpentTotal
	default:
		total["time"] = m.date(*b.Until, false)
	}
	if b.Percent < 100 {
		spent = nearly
	}
	m.line(m.fill(spent, total))
}

// report is what happened in a day.
func (m *notice) report() {
	m.title(m.reports.title, nil)
	r := m.a.Report
	if r == nil {
		r = &Report{}
	}
	m.line(m.fill(m.reports.span, values{"from": m.date(r.From, false), "to": m.date(r.To, false)}))
	if m.a.Counts != nil {
		m.gap()
		m.counts(m.a.Counts)
	}
	m.gap()
	m.field(m.labels.cost, m.money(r.CostUSD))
	m.field(m.labels.traffic, m.traffic(r.Bytes))
	m.field(m.labels.saved, m.money(r.SavedUSD))
	requests := m.integer(r.Requests)
	if r.Failed > 0 {
		requests = join("", requests, m.parentheses(m.count(m.reports.failed, r.Failed)))
	}
	m.field(m.labels.requests, requests)
	if t := r.Top; t != nil {
		detail := m.list(m.uptimeOf(t.Uptime), m.count(m.reports.requests, t.Requests))
		m.gap()
		m.field(m.reports.top, join("", m.name(id(t.Pool, t.Proxy)), m.parentheses(detail)))
	}
}
