package alert

// maxListed is how many proxies a list of an answer has; the rest is counted.
const maxListed = 50

func (a *answer) status(string) {
	pools := a.asked.Status(a.ctx)
	a.headline("", a.fill(a.console.title, nil))
	if len(pools) == 0 {
		a.line(a.fill(a.console.noPools, nil))
	}
	for i := range pools {
		a.gap()
		a.statusOf(&pools[i])
	}
}

// statusOf is one pool: what carries its traffic, the totals, and the proxies
// in the order of trying.
func (a *answer) statusOf(p *PoolStatus) {
	pool := a.name(p.Pool)
	a.line(join(": ", pool.in("b"), a.inShort(&p.Counts)))
	if len(p.Proxies) == 0 {
		a.line(a.fill(a.console.noProxies, nil))
		return
	}
	if p.Carrier == "" {
		a.line(a.fill(a.pools.none, values{"pool": pool}))
	} else {
		a.line(a.fill(a.changes.carrier, values{"proxy": a.name(p.Carrier)}))
	}
	listed := min(len(p.Proxies), maxListed)
	for i := range p.Proxies[:listed] {
		a.proxy(&p.Proxies[i])
	}
	a.rest(p.Proxies[listed:])
}

func (a *answer) proxy(p *ProxyStatus) {
	status, usable := p.Status, p.Usable
	if !p.Active {
		status, usable = disabled, false
	}
	about := []piece{a.code(status), a.reason(p.Reason)}
	if p.Active {
		about = append(about, a.uptimeOf(p.Uptime))
	}
	if p.ResponseTime > 0 && status != "down" && status != disabled {
		about = append(about, a.short(p.ResponseTime))
	}
	a.line(plainly(emojiOf(status, usable)+" "), a.code(p.Name), plainly(": "), a.list(about...))
}

func (a *answer) rest(proxies []ProxyStatus) {
	if len(proxies) == 0 {
		return
	}
	var counts Counts
	for i := range proxies {
		counts.Add(proxies[i].Status, proxies[i].Active)
	}
	a.item(join(": ", a.count(a.changes.more, int64(len(proxies))), a.inShort(&counts)))
}

func (a *answer) usage(string) {
	w := &a.console
	u, err := a.asked.Usage(a.ctx)
	if err != nil {
		a.failed(err, "")
		return
	}
	a.headline("", a.fill(w.usage, nil))
	if len(u.Rows) == 0 && u.Month == (Used{}) {
		a.line(a.fill(w.noUsage, nil))
		return
	}
	a.field(w.period["day"], a.used(&u.Today))
	a.field(w.period["month"], a.used(&u.Month))
	listed := min(len(u.Rows), maxListed)
	for i := range u.Rows[:listed] {
		a.gap()
		a.usageOf(&u.Rows[i])
	}
	if n := len(u.Rows) - listed; n > 0 {
		a.gap()
		a.item(a.count(a.changes.more, int64(n)))
	}
}

func (a *answer) usageOf(r *UsageRow) {
	w := &a.console
	a.line(a.code(id(r.Pool, r.Proxy)))
	if r.Today != (Used{}) {
		a.field(w.period["day"], a.used(&r.Today))
	}
	a.field(w.period["month"], a.used(&r.Month))
	if r.Budget != "" {
		a.field(a.labels.budget, a.budgetText(r.Budget))
	}
}

func (a *answer) used(u *Used) piece {
	saved := piece{}
	if u.SavedUSD > 0 {
		saved = a.fill(a.reports.saved, values{"money": a.money(u.SavedUSD)})
	}
	return a.list(a.traffic(u.Bytes), a.money(u.CostUSD), saved, a.count(a.reports.requests, u.Requests))
}

func (a *answer) explain(target string) {
	explanations, err := a.asked.Explain(a.ctx, target)
	if err != nil {
		a.failed(err, target)
		return
	}
	if len(explanations) == 0 {
		a.line(a.fill(a.console.noPools, nil))
	}
	for i := range explanations {
		if i > 0 {
			a.gap()
		}
		a.explanation(&explanations[i])
	}
}

// explanation is what would be tried in one pool, and what would not.
func (a *answer) explanation(e *Explanation) {
	w := &a.console
	a.headline("", a.fill(w.explain, values{"target": a.name(e.Target), "pool": a.name(e.Pool)}))
	if len(e.Proxies) == 0 {
		a.line(a.fill(w.noProxies, nil))
		return
	}
	listed := min(len(e.Proxies), maxListed)
	for i := range e.Proxies[:listed] {
		a.verdict(i+1, &e.Proxies[i])
	}
	rest := e.Proxies[listed:]
	if len(rest) == 0 {
		return
	}
	usable := 0
	for i := range rest {
		if rest[i].Usable {
			usable++
		}
	}
	a.item(a.fill(w.moreUsable, values{
		"n": a.integer(int64(len(rest))), "usable": a.integer(int64(usable)),
	}))
}

func (a *answer) verdict(place int, v *Verdict) {
	w := &a.console
	emoji, until := "❌ ", w.until
	if v.Usable {
		emoji = "✅ "
	} else if isRetried(v.Reason) {
		until = w.nextTry
	}
	about := []piece{a.reason(v.Reason)}
	if !v.Until.IsZero() {
		about = append(about, a.fill(until, values{"time": a.date(v.Until, true)}))
	}
	a.line(a.integer(int64(place)), plainly(". "+emoji), a.code(v.Proxy), plainly(": "), a.list(about...))
}
