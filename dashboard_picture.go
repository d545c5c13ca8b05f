package proxypool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

var errTooManyPages = errors.New("too many pages follow live, or the server is about to end")

const (
	maxLiveTargets = 40               // of a pool
	moneyPace      = 15 * time.Second // between two looks into the books
	moneyTime      = 2 * time.Second  // for one of them
)

// painter makes the pictures that a dashboard shows. One at a time.
type painter struct {
	dashboard *Dashboard
	money     map[string]*liveMoney // by pool
	counted   time.Time             // when the money was
}

// picture is all that a page shows at one time. It does not change, but for the
// encoding that is made when it is first asked for.
type picture struct {
	taken time.Time
	head  []byte
	order []byte // the ids of the proxies, in their places
	ids   []string
	rows  map[string][]byte
	full  []byte
}

// liveHead is what is not about one proxy.
type liveHead struct {
	Actions   bool             `json:"actions"`
	Log       bool             `json:"log"`
	Token     string           `json:"token,omitempty"`
	Timezone  string           `json:"timezone"`
	Summary   summary          `json:"summary"`
	Pools     []livePoolAnswer `json:"pools"`
	Store     storeAnswer      `json:"store"`
	Notifiers []notifierAnswer `json:"notifiers"`
	Warnings  []string         `json:"warnings"`
}

// livePoolAnswer is the strip of a pool.
type livePoolAnswer struct {
	Name      string     `json:"name"`
	Carrier   string     `json:"carrier"` // who carries the traffic, empty for nobody
	P50MS     int64      `json:"p50_ms"`
	P95MS     int64      `json:"p95_ms"`
	Failovers int64      `json:"failovers"` // in the last hour
	Targets   []string   `json:"targets"`
	Money     *liveMoney `json:"money"` // null where the books cannot be read
}

type liveMoney struct {
	Today usageFigures `json:"today"`
	Month usageFigures `json:"month"`
}

// liveRow is a row of the status with what else the page shows of a proxy.
type liveRow struct {
	statusRow
	Beats    []int64       `json:"beats"` // pairs: Unix seconds, milliseconds; below 0 where the check failed
	Troubles []liveTrouble `json:"troubles"`
}

type liveTrouble struct {
	Target  string  `json:"target"`
	Blocked bool    `json:"blocked"`
	Until   *string `json:"until"`
}

// picture looks at all pools.
func (p *painter) picture(now time.Time) *picture {
	d := p.dashboard
	app := d.current()
	pools := app.pools
	if d.Pool != "" {
		pools = slices.DeleteFunc(slices.Clone(pools), func(one *livePool) bool { return one.Name != d.Pool })
	}
	if now.Sub(p.counted) >= moneyPace {
		p.countMoney(app, now)
	}
	pic := &picture{taken: now, rows: make(map[string][]byte)}
	head := liveHead{
		Actions: d.Actions, Log: app.books.Logging(), Timezone: app.where.String(),
		Pools: []livePoolAnswer{}, Warnings: []string{},
	}
	if d.Actions {
		head.Token = app.registry.token
	}
	var answer statusAnswer
	app.tellHealth(&answer)
	head.Store, head.Notifiers = answer.Store, answer.Notifiers
	var cost pool.Money
	for _, one := range pools {
		head.Pools = append(head.Pools, p.strip(one, now))
		if one.ChecksFailing() {
			head.Warnings = append(head.Warnings, checksFailingWarning(one.Name))
		}
		for _, proxy := range one.Proxies() {
			row := proxy.Snapshot()
			head.Summary.Add(string(row.Status), row.Active)
			cost += row.Cost
			pic.add(one.Name, proxy, &row)
		}
	}
	head.Summary.TotalCostUSD = cost.USD()
	pic.head, pic.order = encode(head), encode(pic.ids)
	return pic
}

func (p *painter) strip(l *livePool, now time.Time) livePoolAnswer {
	pulse := l.State().Pulse(now)
	answer := livePoolAnswer{
		Name: l.Name, P50MS: roundUp(pulse.P50), P95MS: roundUp(pulse.P95), Failovers: pulse.Failovers,
		Targets: l.State().Asked(maxLiveTargets), Money: p.money[l.Name],
	}
	if carrier := l.Carrier(now); carrier != nil {
		answer.Carrier = carrier.Name
	}
	return answer
}

// roundUp is in milliseconds, and 0 for nothing alone.
func roundUp(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }

// countMoney looks up what was spent today and this month. Where the books do
// not answer, nothing is known until they do.
func (p *painter) countMoney(app *App, now time.Time) {
	p.counted, p.money = now, nil
	now = now.In(app.where)
	month, today := pool.QuarterOf(pool.MonthStart(now)), pool.QuarterOf(pool.DayStart(now))
	spans := []pool.QuarterSpan{{From: today, To: pool.QuarterOf(now) + 1}}
	if month < today {
		spans = []pool.QuarterSpan{{From: month, To: today}, spans[0]}
	}
	ctx, cancel := context.WithTimeout(context.Background(), moneyTime)
	defer cancel()
	rows, err := app.books.Usage(ctx, pool.UsageQuery{Pool: p.dashboard.Pool, Spans: spans})
	if err != nil {
		return
	}
	type sums struct{ today, month pool.Usage }
	byPool := make(map[string]*sums)
	for _, l := range app.pools {
		byPool[l.Name] = new(sums)
	}
	for i := range rows {
		s := byPool[rows[i].Pool]
		if s == nil {
			continue // of a pool that is configured no more
		}
		s.month.Add(rows[i].Usage)
		if rows[i].Span == len(spans)-1 {
			s.today.Add(rows[i].Usage)
		}
	}
	p.money = make(map[string]*liveMoney, len(byPool))
	for name, s := range byPool {
		flat := 0.0
		for _, proxy := range app.proxiesOf(name, "") {
			flat += proxy.CostPerMonth
		}
		p.money[name] = &liveMoney{figures(s.today, 0), figures(s.month, flat)}
	}
}

// add adds a proxy.
func (pic *picture) add(poolName string, proxy *pool.Proxy, row *pool.Row) {
	live := liveRow{statusRow: newStatusRow(poolName, row), Beats: []int64{}, Troubles: []liveTrouble{}}
	for _, beat := range proxy.Heartbeat() {
		ms := beat.Duration.Milliseconds()
		if !beat.OK {
			ms = -1 - ms
		}
		live.Beats = append(live.Beats, beat.Time.Unix(), ms)
	}
	for _, t := range row.Troubles {
		live.Troubles = append(live.Troubles, liveTrouble{t.Target, t.Blocked, stamp(t.Until)})
	}
	pic.ids = append(pic.ids, live.ID)
	pic.rows[live.ID] = encode(live)
}

// whole is all of the picture.
func (pic *picture) whole() []byte {
	if pic.full == nil {
		pic.full = pic.encode(pic.head, pic.order, pic.ids)
	}
	return pic.full
}

// since is what has changed since an earlier picture, nil where nothing has.
func (pic *picture) since(before *picture) []byte {
	var head, order []byte
	if !bytes.Equal(pic.head, before.head) {
		head = pic.head
	}
	if !bytes.Equal(pic.order, before.order) {
		order = pic.order
	}
	var changed []string
	for _, id := range pic.ids {
		if !bytes.Equal(pic.rows[id], before.rows[id]) {
			changed = append(changed, id)
		}
	}
	if head == nil && order == nil && changed == nil {
		return nil
	}
	return pic.encode(head, order, changed)
}

func (pic *picture) encode(head, order []byte, ids []string) []byte {
	rows := make([]json.RawMessage, 0, len(ids))
	for _, id := range ids {
		rows = append(rows, pic.rows[id])
	}
	return encode(struct {
		Time  string            `json:"time"`
		Head  json.RawMessage   `json:"head,omitempty"`
		Order json.RawMessage   `json:"order,omitempty"`
		Rows  []json.RawMessage `json:"rows"`
	}{exactStamp(pic.taken), head, order, rows})
}

// encode cannot fail: what it is given are numbers, words and lists of them.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}
