package proxypool

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/books"
	"github.com/caddy-proxypool/proxypool/pool"
)

// alerting is what a configuration says of alerts, ready for the desk.
type alerting struct {
	settings alert.Settings
	warnings []string // for the admin, once the configuration starts
}

// loadAlerts loads the notifiers, which open nothing, and works out who is told
// what. The pools must be there.
func (a *App) loadAlerts(ctx caddy.Context) error {
	config := a.Alerts.withDefaults()
	s := alert.Settings{Cooldown: time.Duration(*config.Cooldown), Report: a.report, Hooks: a.alertHooks()}
	for _, p := range a.pools {
		s.Pools = append(s.Pools, newWatched(p))
	}
	if config.DailyReport != "" {
		daily, err := config.clock(a.where)
		if err != nil {
			return err
		}
		s.Daily = &daily
	}
	a.alerting.settings = s
	if a.Alerts == nil || len(config.NotifiersRaw) == 0 {
		return nil
	}
	modules, err := ctx.LoadModule(a.Alerts, "NotifiersRaw")
	if err != nil {
		return fmt.Errorf("alerts: loading notifiers: %w", err)
	}
	env := &alert.Env{
		Language: alert.Language(config.Language), Location: a.where,
		Transport: a.waysTo, Console: console{a},
		Warn: func(message string) { a.alerting.warnings = append(a.alerting.warnings, message) },
	}
	for i, module := range modules.([]any) {
		if err := a.addNotifier(module, env); err != nil {
			return fmt.Errorf("alerts: notifier number %d: %w", i+1, err)
		}
	}
	return nil
}

// addNotifier adds the destinations of a notifier. Their names are their
// identity, so that none may come twice.
func (a *App) addNotifier(module any, env *alert.Env) error {
	notifier, ok := module.(alert.Notifier)
	if !ok {
		return fmt.Errorf("%T is no notifier", module)
	}
	destinations, err := notifier.Destinations(env)
	if err != nil {
		return err
	}
	s := &a.alerting.settings
	for _, d := range destinations {
		if slices.ContainsFunc(s.Destinations, func(other alert.Destination) bool { return other.Name() == d.Name() }) {
			d = numbered{d, a.nextName(d.Name())}
		}
		s.Destinations = append(s.Destinations, d)
	}
	return nil
}

// nextName is a name that no destination has yet: two webhooks may be on one host.
func (a *App) nextName(name string) string {
	for n := 2; ; n++ {
		next := name + " #" + strconv.Itoa(n)
		if !slices.ContainsFunc(a.alerting.settings.Destinations, func(d alert.Destination) bool { return d.Name() == next }) {
			return next
		}
	}
}

// numbered is a destination whose name another one has already.
type numbered struct {
	alert.Destination
	name string
}

func (n numbered) Name() string { return n.name }

// alertHooks write to the log how deliveries go, and tell Caddy of edges.
func (a *App) alertHooks() alert.Hooks {
	return alert.Hooks{
		Failed: func(destination string, err error) {
			a.logger.Error("alerts do not arrive; they are kept for a day and tried again",
				zap.String("notifier", destination), zap.Error(err))
		},
		Recovered: func(destination string, after time.Duration) {
			a.logger.Info("alerts arrive again", zap.String("notifier", destination), zap.Duration("duration", after))
		},
		Dropped: func(destination string, alerts int, why string) {
			a.logger.Error("alerts were dropped", zap.String("notifier", destination), zap.Int("alerts", alerts), zap.String("reason", why))
		},
		Edge: a.tellEdge,
	}
}

// report sums up what all pools did between two times, to the quarter of an hour.
func (a *App) report(ctx context.Context, from, to time.Time) (alert.Report, error) {
	report := alert.Report{From: from.UTC(), To: to.UTC()}
	rows, err := a.books.Usage(ctx, pool.UsageQuery{
		Spans: []pool.QuarterSpan{{From: pool.QuarterOf(from), To: pool.QuarterOf(to)}},
	})
	if err != nil {
		return report, err
	}
	sums := make(map[[2]string]*pool.Usage)
	var total pool.Usage
	for i := range rows {
		row := &rows[i]
		key := [2]string{row.Pool, row.Proxy}
		if sums[key] == nil {
			sums[key] = new(pool.Usage)
		}
		sums[key].Add(row.Usage)
		total.Add(row.Usage)
	}
	report.Requests, report.Failed, report.Bytes = total.Requests, total.Failed, total.BytesIn+total.BytesOut
	report.CostUSD, report.SavedUSD = total.Cost.USD(), total.Saved.USD()
	for _, p := range a.proxiesOf("", "") { // in their places, so that the cheapest wins a tie
		u := sums[[2]string{p.PoolName(), p.Name}]
		if u == nil || u.Requests == 0 {
			continue
		}
		top := &alert.Top{
			Pool: p.PoolName(), Proxy: p.Name, Requests: u.Requests,
			Uptime: 100 * float64(u.Requests-u.Failed) / float64(u.Requests),
		}
		if best := report.Top; best == nil || top.Uptime > best.Uptime || top.Uptime == best.Uptime && top.Requests > best.Requests {
			report.Top = top
		}
	}
	return report, nil
}

// watched is a pool as the alerts see it.
type watched struct {
	*livePool
	byName map[string]*pool.Proxy
}

func newWatched(p *livePool) *watched {
	w := &watched{livePool: p, byName: make(map[string]*pool.Proxy)}
	for _, proxy := range p.Pool.Proxies() {
		w.byName[proxy.Name] = proxy
	}
	return w
}

// Name implements [alert.Pool], as do the others.
func (w *watched) Name() string { return w.Pool.Name }

// Proxies are the pool's.
func (w *watched) Proxies() iter.Seq2[string, alert.Proxy] {
	return func(yield func(string, alert.Proxy) bool) {
		for _, p := range w.Pool.Proxies() {
			if !yield(p.Name, seen(p)) {
				return
			}
		}
	}
}

// Proxy is the one of a name.
func (w *watched) Proxy(name string) (alert.Proxy, bool) {
	p, ok := w.byName[name]
	if !ok {
		return alert.Proxy{}, false
	}
	return seen(p), true
}

// Carrier is the proxy that the next request goes through.
func (w *watched) Carrier() (name string, place int) {
	if p := w.Pool.Carrier(time.Now()); p != nil {
		return p.Name, p.Place()
	}
	return "", 0
}

// seen is a proxy as the alerts see it.
func seen(p *pool.Proxy) alert.Proxy {
	row := p.Snapshot()
	return alert.Proxy{
		Type: string(p.Type), CostPerGB: p.CostPerGB, Place: p.Place(),
		Status: string(row.Status), Reason: row.Reason, Active: row.Active, Uptime: row.Uptime,
	}
}

// keeper keeps the alerts in the books.
type keeper struct{ *books.Books }

// Keep implements [alert.Keeper].
func (k keeper) Keep(add []alert.Letter, done []int64, notes map[string][]byte) {
	alerts := make([]pool.Alert, len(add))
	for i, l := range add {
		alerts[i] = pool.Alert{ID: l.ID, Time: l.Time, Notifier: l.To, Body: l.Body}
	}
	list := make([]pool.Note, 0, len(notes))
	for name, body := range notes {
		list = append(list, pool.Note{Name: name, Body: body})
	}
	k.Books.Keep(alerts, done, list)
}

// kept is what a store has of alerts.
func kept(ctx context.Context, store pool.Store) (alert.Kept, error) {
	alerts, err := store.Alerts(ctx)
	if err != nil {
		return alert.Kept{}, err
	}
	notes, err := store.Notes(ctx)
	if err != nil {
		return alert.Kept{}, err
	}
	k := alert.Kept{Notes: make(map[string][]byte, len(notes))}
	for _, a := range alerts {
		k.Letters = append(k.Letters, alert.Letter{ID: a.ID, Time: a.Time, To: a.Notifier, Body: a.Body})
	}
	for _, n := range notes {
		if strings.HasPrefix(n.Name, alert.NotePrefix) {
			k.Notes[n.Name] = n.Body
		}
	}
	return k, nil
}
