package proxypool

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

var errTooManyPages = errors.New("too many pages follow live, or the server is about to end")

// maxLiveTargets is how many targets of a pool are shown.
const maxLiveTargets = 40

// painter makes the pictures that a dashboard shows. One at a time.
type painter struct{ dashboard *Dashboard }

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
	Money     *liveMoney `json:"money"` // null where the books do not tell
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
	money := d.purse.known(now)
	pic := &picture{taken: now, rows: make(map[string][]byte)}
	head := liveHead{
		Actions: d.Actions, Log: app.books.Logging(), Timezone: app.where.String(),
		Pools: []livePoolAnswer{}, Warnings: []string{},
	}
	if d.Actions {
		head.Token = app.registry.token
	}
	api := &adminAPI{app: app, audience: d.audience()}
	head.Store, head.Notifiers = api.store(), api.notifiers()
	var cost pool.Money
	for _, one := range pools {
		head.Pools = append(head.Pools, strip(one, money[one.Name], now))
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

func strip(l *livePool, money *liveMoney, now time.Time) livePoolAnswer {
	pulse := l.State().Pulse(now)
	answer := livePoolAnswer{
		Name: l.Name, P50MS: roundUp(pulse.P50), P95MS: roundUp(pulse.P95), Failovers: pulse.Failovers,
		Targets: l.State().Asked(maxLiveTargets), Money: money,
	}
	if carrier := l.Carrier(now); carrier != nil {
		answer.Carrier = carrier.Name
	}
	return answer
}

// roundUp is in milliseconds, and 0 for nothing alone.
func roundUp(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }

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
