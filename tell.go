package proxypool

import (
	"go.uber.org/zap"

	"github.com/caddy-proxypool/proxypool/alert"
	"github.com/caddy-proxypool/proxypool/pool"
)

// emit tells Caddy of something under the newest configuration: requests of the
// one before may still run.
func (a *App) emit(name string, data map[string]any) {
	if newest := a.registry.newest(); newest != nil {
		newest.emitter.emit(name, data)
	}
}

// tell notes a change of a proxy's status.
func (a *App) tell(e pool.Event) {
	a.books.Event(e)
	a.logger.Info("proxy changed status",
		zap.String("pool", e.Pool),
		zap.String("proxy", e.Proxy),
		zap.String("from", string(e.From)),
		zap.String("to", string(e.To)),
		zap.String("reason", e.Reason))
	a.registry.desk.Event(alert.Event{Pool: e.Pool, Proxy: e.Proxy, To: string(e.To), Reason: e.Reason})
	a.emit("status_changed", map[string]any{
		"pool": e.Pool, "proxy": e.Proxy, "from": string(e.From), "to": string(e.To), "reason": e.Reason,
	})
}

// tellEdge tells Caddy of a change in the situation of a pool.
func (a *App) tellEdge(e alert.Edge) {
	data := map[string]any{"pool": e.Pool}
	switch e.Kind {
	case alert.KindTargetUnreachable, alert.KindTargetReachable:
		data["target"] = e.Target
	case alert.KindChecksPassing:
		return
	}
	a.logger.Info("pool changed", zap.String("pool", e.Pool), zap.String("event", string(e.Kind)), zap.String("target", e.Target))
	a.emit(string(e.Kind), data)
}

// tellBudget notes that a share of a budget, or a multiple of a traffic alert,
// was used.
func (a *App) tellBudget(e pool.BudgetEvent) {
	fields := []zap.Field{
		zap.String("pool", e.Pool), zap.String("proxy", e.Proxy),
		zap.Float64("used_gb", float64(e.Bytes)/gigabyte), zap.Float64("used_usd", e.Cost.USD()),
	}
	data := map[string]any{
		"pool": e.Pool, "proxy": e.Proxy, "kind": e.Kind,
		"used_gb": float64(e.Bytes) / gigabyte, "used_usd": e.Cost.USD(),
	}
	if !e.Until.IsZero() {
		fields = append(fields, zap.Time("until", e.Until))
		data["until"] = *stamp(e.Until)
	}
	told := &alert.Budget{
		Proxy: e.Proxy, Bytes: e.Bytes, CostUSD: e.Cost.USD(), Percent: e.Percent,
		LimitUSD: e.Budget.Money.USD(), Limit: e.Budget.Bytes, Per: string(e.Budget.Per), Hard: e.Budget.Hard,
		Until: instantOf(e.Until),
	}
	for _, p := range a.proxiesOf(e.Pool, e.Proxy) {
		told.Type, told.CostPerGB = string(p.Type), p.CostPerGB
	}
	if e.Kind == pool.KindTrafficAlert {
		data["passed_gb"] = float64(e.Threshold) / gigabyte
		told.Per, told.Limit = string(pool.PerMonth), e.Threshold
		a.logger.Warn("traffic of the month passed a traffic_alert", append(fields, zap.Float64("passed_gb", float64(e.Threshold)/gigabyte))...)
		a.registry.desk.Used(alert.KindTrafficAlert, e.Pool, told)
	} else {
		data["percent"], data["budget"], data["hard"] = e.Percent, e.Budget.String(), e.Budget.Hard
		a.logger.Warn("budget used", append(fields, zap.Int("percent", e.Percent), zap.Stringer("budget", e.Budget), zap.Bool("hard", e.Budget.Hard))...)
		a.registry.desk.Used(alert.KindBudget, e.Pool, told)
	}
	a.emit("budget", data)
}
