package alert

import "cmp"

func (m *notice) statusChanged() {
	if len(m.a.Changes) == 1 && m.a.More == 0 {
		m.changedOne(&m.a.Changes[0])
	} else {
		m.titleOfMany(m.changes.many)
		m.changed()
	}
	m.carriedAfterChanges()
}

// changedOne tells all that is known of one proxy.
func (m *notice) changedOne(c *Change) {
	m.title(cmp.Or(m.changes.is[c.To], m.changes.became), values{"proxy": m.name(c.Proxy), "status": m.name(c.To)})
	m.field(m.labels.pool, m.name(m.a.Pool))
	status := m.fromTo(c)
	if c.Times > 1 {
		status = m.list(status, m.count(m.changes.times, int64(c.Times)))
	}
	m.field(m.labels.status, status)
	if c.To == StatusHealthy {
		m.after(m.changes.after)
	}
	m.because(c.Reason)
	m.field(m.labels.kind, m.code(c.Type))
	m.field(m.labels.cost, m.price(c.CostPerGB))
	m.field(m.labels.uptime, m.uptime(c.Uptime))
}

func (m *notice) because(reason string) {
	if reason != "" {
		m.field(m.labels.reason, m.reason(reason))
	}
}

func (m *notice) titleOfMany(phrase string) {
	v := m.pool()
	v["n"] = m.integer(int64(len(m.a.Changes) + m.a.More))
	m.title(phrase, v)
}

// changed lists the proxies with a line each.
func (m *notice) changed() {
	for i := range m.a.Changes {
		c := &m.a.Changes[i]
		what := []piece{m.fromTo(c), m.reason(c.Reason)}
		if c.Times > 1 {
			what = append(what, m.count(m.changes.times, int64(c.Times)))
		}
		m.changeItem(c, what...)
	}
	m.moreChanged()
}

func (m *notice) changeItem(c *Change, what ...piece) {
	m.item(m.name(c.Proxy), plainly(": "), m.list(what...))
}

func (m *notice) moreChanged() {
	if m.a.More > 0 {
		m.item(m.count(m.changes.more, int64(m.a.More)))
	}
}

func (m *notice) fromTo(c *Change) piece {
	return join(m.arrow, m.code(c.From), m.code(c.To))
}

// carriedAfterChanges names the carrier. That there is none is news where a
// proxy went down; another that is not used may be blocked for one target only.
func (m *notice) carriedAfterChanges() {
	for i := range m.a.Changes {
		if m.a.Changes[i].To == "down" {
			m.carriedOrNone()
			return
		}
	}
	m.carried()
}

func (m *notice) flapping() {
	if len(m.a.Changes) != 1 || m.a.More > 0 {
		m.titleOfMany(m.changes.flappingMany)
		for i := range m.a.Changes {
			c := &m.a.Changes[i]
			m.changeItem(c, m.code(c.To), m.often(c), m.reason(c.Reason))
		}
		m.moreChanged()
	} else {
		c := &m.a.Changes[0]
		m.title(m.changes.flapping, values{"proxy": m.name(c.Proxy)})
		m.field(m.labels.pool, m.name(m.a.Pool))
		m.field(m.labels.now, m.list(m.code(c.To), m.often(c)))
		m.because(c.Reason)
	}
	m.carriedAfterChanges()
}

// often is how often the proxy changed, and in which time.
func (m *notice) often(c *Change) piece {
	times := m.count(m.changes.times, int64(max(c.Times, 1)))
	if m.a.Seconds <= 0 {
		return times
	}
	return m.fill(m.changes.often, values{"times": times, "duration": m.lasted()})
}

func (m *notice) burst() {
	m.titleOfBurst(m.changes.burst)
	m.changed()
	m.carriedOrDown()
	m.note(m.changes.burstNote)
}

func (m *notice) burstOver() {
	m.titleOfBurst(m.changes.burstOver)
	m.after(m.changes.took)
	m.changed()
	m.counts(m.a.Counts)
	m.carriedOrDown()
}

// titleOfBurst begins with the worst: a phone shows the first words, and they may
// wake somebody.
func (m *notice) titleOfBurst(phrase string) {
	if m.a.Carrier != "" {
		m.title(phrase, m.pool())
		return
	}
	m.title(m.pools.down, m.pool())
	m.line(m.fill(phrase, m.pool()), plainly("."))
}

// carriedOrDown says what to do where nothing carries the traffic.
func (m *notice) carriedOrDown() {
	if m.a.Carrier == "" {
		m.note(m.pools.downNote)
	}
	m.carried()
}
