package alert

import (
	"cmp"
	"time"
)

// Message renders an alert. Dates are in the time zone given, nil for UTC.
func (l Language) Message(a *Alert, where *time.Location) Text {
	if where == nil {
		where = time.UTC
	}
	m := &notice{page: newPage(l, where), a: a}
	m.body()
	if !a.Time.IsZero() && a.Report == nil {
		// It may be delivered long after it happened.
		m.line(m.date(a.Time, false).in("i"))
	}
	return m.text()
}

// notice is the page of one alert.
type notice struct {
	page
	a *Alert
}

func (m *notice) body() {
	switch m.a.Kind {
	case KindStatusChanged:
		m.statusChanged()
	case KindFlapping:
		m.flapping()
	case KindBurst:
		m.burst()
	case KindBurstOver:
		m.burstOver()
	case KindPoolDown:
		m.poolDown()
	case KindPoolUp:
		m.poolUp()
	case KindTargetUnreachable, KindTargetReachable:
		m.target()
	case KindChecksFailing, KindChecksPassing:
		m.checks()
	case KindTrafficAlert:
		m.trafficAlert()
	case KindBudget:
		m.budget()
	case KindDailyReport:
		m.report()
	case KindTest:
		m.title(m.reports.test, nil)
		m.note(m.reports.testNote)
	default:
		m.title(m.reports.unknown, values{"kind": m.name(string(m.a.Kind))})
	}
}

// title is the first line.
func (m *notice) title(phrase string, v values) { m.headlined(m.fill(phrase, v)) }

func (m *notice) headlined(words piece) {
	emoji := map[Priority]string{High: "🚨", Low: "ℹ️"}[m.a.Priority]
	m.headline(cmp.Or(emoji, "🔔"), words)
}

// note is a sentence that needs no value but the pool's name.
func (m *notice) note(phrase string) { m.line(m.fill(phrase, m.pool())) }

func (m *notice) pool() values { return values{"pool": m.name(m.a.Pool)} }

// after says how long something lasted, where that is known.
func (m *notice) after(phrase string) {
	if m.a.Seconds > 0 {
		m.line(m.fill(phrase, values{"duration": m.lasted()}))
	}
}

func (m *notice) lasted() piece { return m.duration(time.Duration(m.a.Seconds) * time.Second) }

func (m *notice) poolDown() {
	if len(m.a.Pools) > 0 {
		m.manyPools(m.pools.downMany)
	} else {
		m.title(m.pools.down, m.pool())
	}
	m.changed()
	m.note(m.pools.downNote)
}

func (m *notice) poolUp() {
	if len(m.a.Pools) > 0 {
		m.manyPools(m.pools.upMany)
		m.changed()
		return
	}
	m.title(m.pools.up, m.pool())
	m.after(m.pools.upAfter)
	m.changed()
	m.carried()
}

// manyPools names pools that share a fate. How many others there are is told with
// the changes, of which there are none.
func (m *notice) manyPools(phrase string) {
	m.title(phrase, values{"n": m.integer(int64(len(m.a.Pools) + m.a.More))})
	for _, pool := range m.a.Pools {
		m.item(m.name(pool))
	}
}

func (m *notice) target() {
	one, many := m.pools.unreachable, m.pools.unreachableMany
	if m.a.Kind == KindTargetReachable {
		one, many = m.pools.reachable, m.pools.reachableMany
	}
	v := m.pool()
	if len(m.a.Targets) == 1 {
		v["target"] = m.name(m.a.Targets[0])
		m.title(one, v)
	} else {
		v["n"] = m.integer(int64(len(m.a.Targets) + m.a.More))
		m.title(many, v)
		for _, target := range m.a.Targets {
			m.item(m.code(target))
		}
		m.moreChanged()
	}
	if m.a.Kind == KindTargetUnreachable {
		m.note(m.pools.unreachableNote)
		return
	}
	m.after(m.pools.reachableAfter)
	m.carried()
}

func (m *notice) checks() {
	if m.a.Kind == KindChecksFailing {
		m.title(m.pools.checksFailing, m.pool())
		m.note(m.pools.checksNote)
		return
	}
	m.title(m.pools.checksPassing, m.pool())
	m.after(m.pools.checksAfter)
}

// carried says where the traffic goes, where it goes anywhere.
func (m *notice) carried() {
	if m.a.Carrier == "" {
		return
	}
	phrase := m.changes.carrier
	if m.a.Switched {
		phrase = m.changes.switched
	}
	m.line(m.fill(phrase, values{"proxy": m.name(m.a.Carrier)}))
}

// carriedOrNone also says that it goes nowhere.
func (m *notice) carriedOrNone() {
	if m.a.Carrier == "" {
		m.note(m.pools.none)
	}
	m.carried()
}
