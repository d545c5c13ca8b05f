package proxypool

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-proxypool/proxypool/alert"
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
	if hour, minute, daily := config.reportAt(); daily {
		s.Daily = &alert.Clock{Hour: hour, Minute: minute, Location: a.where}
	}
	a.alerting.settings = s
	if a.Alerts == nil {
		return nil
	}
	if len(config.NotifiersRaw) == 0 {
		a.alerting.warnings = append(a.alerting.warnings, "alerts: there is no notifier, so nobody is told: add telegram or webhook")
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
		s.Destinations = append(s.Destinations, a.distinct(d))
	}
	return nil
}

// distinct gives a destination another name where one has its name already: two
// webhooks may be on one host.
func (a *App) distinct(d alert.Destination) alert.Destination {
	taken := func(name string) bool {
		return slices.ContainsFunc(a.alerting.settings.Destinations, func(other alert.Destination) bool { return other.Name() == name })
	}
	name := d.Name()
	for n := 2; taken(name); n++ {
		name = d.Name() + " #" + strconv.Itoa(n)
	}
	runner, runs := d.(alert.Runner)
	switch {
	case name == d.Name():
		return d
	case runs:
		return renamedRunner{runner, name}
	default:
		return renamed{d, name}
	}
}

// renamed is a destination whose name another one has already.
type renamed struct {
	alert.Destination
	name string
}

func (r renamed) Name() string { return r.name }

// renamedRunner is the same of one that runs.
type renamedRunner struct {
	alert.Runner
	name string
}

func (r renamedRunner) Name() string { return r.name }

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
		Idle: func(destination string, err error) {
			a.logger.Error("commands in the chat are not answered", zap.String("notifier", destination), zap.Error(err))
		},
		Running: func(destination string) {
			a.logger.Info("commands in the chat are answered again", zap.String("notifier", destination))
		},
		Moved: func(from, to string, alerts int) {
			a.logger.Info("alerts that waited for a destination that left go to the one that came",
				zap.String("from", from), zap.String("to", to), zap.Int("alerts", alerts))
		},
		Edge: a.tellEdge,
	}
}

// report sums up what all pools did between two times. It begins and ends with
// the quarter of an hour before each, as the books do, and says so.
func (a *App) report(ctx context.Context, from, to time.Time) (alert.Report, error) {
	span := pool.QuarterSpan{From: pool.QuarterOf(from), To: pool.QuarterOf(to)}
	report := alert.Report{From: span.From.Time().UTC(), To: span.To.Time().UTC()}
	rows, err := a.books.Usage(ctx, pool.UsageQuery{Spans: []pool.QuarterSpan{span}})
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
	report.Top = a.topPerformer(sums, total.Requests)
	return report, nil
}

// topShare says which part of all attempts the top performer must have had at
// least, a tenth: one that carried a few by chance did not do best.
const topShare = 10

// topPerformer is the proxy whose attempts succeeded most; among those alike the
// one with the most of them, and the cheapest. nil where there were none.
func (a *App) topPerformer(used map[[2]string]*pool.Usage, all int64) (best *alert.Top) {
	for _, p := range a.proxiesOf("", "") { // in their places
		u := used[[2]string{p.PoolName(), p.Name}]
		if u == nil || u.Requests == 0 || u.Requests*topShare < all {
			continue
		}
		top := &alert.Top{
			Pool: p.PoolName(), Proxy: p.Name, Requests: u.Requests,
			Uptime: 100 * float64(u.Requests-u.Failed) / float64(u.Requests),
		}
		if best == nil || top.Uptime > best.Uptime || top.Uptime == best.Uptime && top.Requests > best.Requests {
			best = top
		}
	}
	return best
}
